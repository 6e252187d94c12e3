/* SPDX-License-Identifier: MIT */
/* Our ring under the benchmark's loop, with slots of RING_SLOT. */
#include <pvring/ring.h>

#include "ring_bench.h"

struct ring_front {
	struct pvr_ring ring;
};

struct ring_back {
	struct pvr_ring ring;
};

PVR_RING_TYPE(bench, RING_SLOT, RING_SLOT);

static void front_init(struct ring_front *front, void *page, uint32_t entries, uint32_t start)
{
	pvr_ring_front_init(&front->ring, page, entries, start);
}

static inline void front_put(struct ring_front *front, const RING_SLOT *slot)
{
	bench_request_put(&front->ring, slot);
}

static inline int front_publish(struct ring_front *front, uint32_t check)
{
	if (check)
		return pvr_ring_publish_notify(&front->ring);
	pvr_ring_publish(&front->ring);
	return 0;
}

static inline int front_pending(struct ring_front *front)
{
	return pvr_ring_pending(&front->ring);
}

static inline void front_take(struct ring_front *front, RING_SLOT *slot)
{
	bench_response_take(&front->ring, slot);
}

static void back_attach(struct ring_back *back, void *page, uint32_t entries)
{
	if (pvr_ring_back_attach(&back->ring, page, entries))
		ring_bench_fail(0, 0);
}

static inline int back_pending(struct ring_back *back)
{
	return pvr_ring_pending(&back->ring);
}

static inline void back_take(struct ring_back *back, RING_SLOT *slot)
{
	bench_request_take(&back->ring, slot);
}

static inline void back_put(struct ring_back *back, const RING_SLOT *slot)
{
	bench_response_put(&back->ring, slot);
}

static inline int back_publish(struct ring_back *back, uint32_t check)
{
	if (check)
		return pvr_ring_publish_notify(&back->ring);
	pvr_ring_publish(&back->ring);
	return 0;
}
