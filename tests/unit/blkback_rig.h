/* SPDX-License-Identifier: MIT */
/* One ring of a backend without its threads: each test file has its own. */
#ifndef PVR_TEST_BLKBACK_RIG_H
#define PVR_TEST_BLKBACK_RIG_H

#include "suite.h"

#include <stdlib.h>

#include "../../blkback/ring.h"
#include "blkback_front.h"

#define DISK_BYTES "1048576"
#define SECTORS    2048u

static struct front front;
static struct pvr_blkback_turn *turn;
static struct pvr_blkback_ring *ring;
static struct pvr_blkback_disk *disk;
static struct pvr_blkback_stats *stats;
static struct pvr_blkback_limits *limits; /* of the next ring */
static int persistent; /* what the next ring's frontend says */
static struct pvr_blkback_journal_of journal_of; /* of the next ring */

static inline void open_backend(struct pvr_blkback_spec spec)
{
	char error[PVR_BLKBACK_LINE];

	turn = calloc(1, sizeof(*turn));
	CU_ASSERT_FATAL(turn != NULL);
	turn->done_end = &turn->done;
	CU_ASSERT_FATAL(pvr_host_open(NULL, &turn->base.host) == 0);
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &turn->engine[kind]) == 0);
	CU_ASSERT_FATAL(pvr_blkback_disk_open(&spec, &disk, error) == 0);
	stats = pvr_blkback_stats_open(NULL, MOCK_DOMID, 51712);
	CU_ASSERT_FATAL(stats != NULL);
}

static inline int connect_ring(enum pvr_blkback_abi abi)
{
	struct pvr_blkback_offer offer = {
		.domid = MOCK_DOMID,
		.pages = 1,
		.refs = {front.ring_ref},
		.port = front.port,
		.abi = abi,
		.persistent = persistent,
	};

	ring = pvr_blkback_ring_create(&offer, &journal_of, disk, stats, limits);
	CU_ASSERT_FATAL(ring != NULL);
	return pvr_blkback_ring_connect(ring, turn->base.host);
}

static inline void set_up_on(struct pvr_blkback_spec spec)
{
	mock_host_reset();
	front_init(&front);
	open_backend(spec);
	CU_ASSERT_FATAL(connect_ring(PVR_BLKBACK_ABI_X86_64) == 0);
}

static inline void set_up(void)
{
	set_up_on((struct pvr_blkback_spec){.type = "mem", .params = DISK_BYTES});
}

static inline void tear_down(void)
{
	pvr_blkback_ring_disconnect(ring, turn->base.host);
	pvr_blkback_ring_destroy(ring);
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		pvr_blkback_engine_destroy(turn->engine[kind]);
	pvr_host_close(turn->base.host);
	pvr_blkback_disk_close(disk);
	pvr_blkback_stats_close(stats, NULL);
	free(turn);
	CU_ASSERT_EQUAL(mock_host_held(), 0);
}

/* What a worker does until nothing is left. */
static inline void serve(void)
{
	do {
		if (pvr_blkback_ring_take(ring, turn) < 0)
			break;
		pvr_blkback_ring_barrier(ring, turn);
		pvr_blkback_turn_finish(turn);
		pvr_blkback_ring_publish(ring, turn->base.host);
	} while (ring->inflight || pvr_ring_pending(&ring->ring) > 0);
}

/* Puts one request, has it served, and returns the status of its answer. */
static inline int16_t ask(struct blkif_x86_64_request request)
{
	struct blkif_x86_64_response response = {.status = 99};

	front_put(&front, request);
	pvr_ring_publish(&front.ring);
	serve();
	CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&front.ring), 1);
	front_response_take(&front.ring, &response);
	CU_ASSERT_EQUAL(response.id, request.id);
	CU_ASSERT_EQUAL(response.operation, request.operation);
	/* The ring's own page, and what it keeps. */
	CU_ASSERT_EQUAL(mock_host_mapped(), 1 + (ring->grants ? ring->grants->count : 0));
	return response.status;
}

static inline int16_t ask_pages(uint8_t operation, uint64_t sector, unsigned page, unsigned count)
{
	static uint64_t id = UINT64_MAX - 20;

	return ask(front_request(&front, operation, ++id, sector, page, count));
}

static inline uint8_t *data(unsigned page)
{
	return mock_page(FRONT_DATA + page);
}

#endif
