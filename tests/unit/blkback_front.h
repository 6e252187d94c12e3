/* SPDX-License-Identifier: MIT */
/*
 * A frontend in the tests' hands: it can do everything on the ring that a guest can, right and
 * wrong. x86_64 layout, one page of ring (32 slots), data pages from frame FRONT_DATA on.
 */
#ifndef PVR_TEST_BLKBACK_FRONT_H
#define PVR_TEST_BLKBACK_FRONT_H

#include <string.h>

#include <pvring/ring.h>
#include <pvring/xen/blkif.h>

#include "mock_host.h"

#define FRONT_RING  1u
#define FRONT_DATA  16u
#define FRONT_PAGES 256u
#define FRONT_START (UINT32_MAX - 5) /* the indices wrap after six requests */

PVR_RING_TYPE(front, struct blkif_x86_64_request, struct blkif_x86_64_response);

struct front {
	struct pvr_ring ring;
	struct pvr_sring *shared;
	grant_ref_t ring_ref;
	evtchn_port_t port;
	grant_ref_t data[FRONT_PAGES]; /* of mock_page(FRONT_DATA + i) */
};

static inline void front_init_ring(struct front *front, uint32_t start)
{
	front->shared = mock_page(FRONT_RING);
	memset(front->shared, 0x5a, 4096); /* what a response leaves undefined shows */
	pvr_ring_front_init(&front->ring, front->shared, front_entries(4096), start);
}

static inline void front_init(struct front *front)
{
	memset(front, 0, sizeof(*front));
	front_init_ring(front, FRONT_START);
	front->ring_ref = mock_grant(FRONT_RING, 0);
	for (unsigned i = 0; i < FRONT_PAGES; i++)
		front->data[i] = mock_grant(FRONT_DATA + i, 0);
	front->port = mock_port();
}

/* A request of whole pages from data page `page` on; the test may spoil it before it puts it. */
static inline struct blkif_x86_64_request front_request(const struct front *front,
	uint8_t operation, uint64_t id, uint64_t sector, unsigned page, unsigned count)
{
	struct blkif_x86_64_request request;

	memset(&request, 0, sizeof(request));
	request.operation = operation;
	request.nr_segments = (uint8_t)count;
	request.id = id;
	request.sector_number = sector;
	for (unsigned i = 0; i < count; i++)
		request.seg[i] = (struct blkif_request_segment){front->data[page + i], 0, 7};
	return request;
}

static inline void front_put(struct front *front, struct blkif_x86_64_request request)
{
	front_request_put(&front->ring, &request);
}

#endif
