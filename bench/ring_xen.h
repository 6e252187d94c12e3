/* SPDX-License-Identifier: MIT */
/* The public ring macros (libxen-dev's io/ring.h) under the benchmark's loop, used as drivers use them. */
#include <stdint.h>
#include <string.h>

#define __XEN_INTERFACE_VERSION__ 0x00040d00 /* with xen_mb and its like, not mb */
#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
/* The macros expand where they are used, and convert signs freely: for this whole file. */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <xen/io/ring.h>

#include "ring_bench.h"

DEFINE_RING_TYPES(bench, RING_SLOT, RING_SLOT);

struct ring_front {
	bench_front_ring_t ring;
};

struct ring_back {
	bench_back_ring_t ring;
};

static void front_init(struct ring_front *front, void *page, uint32_t entries, uint32_t start)
{
	bench_sring_t *shared = page;

	(void)start; /* the macros start at 0 */
	SHARED_RING_INIT(shared);
	FRONT_RING_INIT(&front->ring, shared, (size_t)entries * sizeof(RING_SLOT) + 64);
}

static inline void front_put(struct ring_front *front, const RING_SLOT *slot)
{
	*RING_GET_REQUEST(&front->ring, front->ring.req_prod_pvt) = *slot;
	front->ring.req_prod_pvt++;
}

static inline int front_publish(struct ring_front *front, uint32_t check)
{
	int notify = 0;

	if (check)
		RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front->ring, notify);
	else
		RING_PUSH_REQUESTS(&front->ring);
	return notify;
}

static inline int front_pending(struct ring_front *front)
{
	uint32_t pending = front->ring.sring->rsp_prod - front->ring.rsp_cons;

	xen_rmb();
	return (int)pending;
}

static inline void front_take(struct ring_front *front, RING_SLOT *slot)
{
	RING_COPY_RESPONSE(&front->ring, front->ring.rsp_cons, slot);
	front->ring.rsp_cons++;
}

static void back_attach(struct ring_back *back, void *page, uint32_t entries)
{
	BACK_RING_INIT(&back->ring, (bench_sring_t *)page, (size_t)entries * sizeof(RING_SLOT) + 64);
}

static inline int back_pending(struct ring_back *back)
{
	uint32_t pending = back->ring.sring->req_prod - back->ring.req_cons;

	xen_rmb();
	return (int)pending;
}

static inline void back_take(struct ring_back *back, RING_SLOT *slot)
{
	RING_COPY_REQUEST(&back->ring, back->ring.req_cons, slot);
	back->ring.req_cons++;
}

static inline void back_put(struct ring_back *back, const RING_SLOT *slot)
{
	*RING_GET_RESPONSE(&back->ring, back->ring.rsp_prod_pvt) = *slot;
	back->ring.rsp_prod_pvt++;
}

static inline int back_publish(struct ring_back *back, uint32_t check)
{
	int notify = 0;

	if (check)
		RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&back->ring, notify);
	else
		RING_PUSH_RESPONSES(&back->ring);
	return notify;
}
