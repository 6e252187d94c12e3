/* SPDX-License-Identifier: MIT */
/* What `pvring bench ring` shares with the rings it drives. */
#ifndef PVR_RING_BENCH_H
#define PVR_RING_BENCH_H

#include <stdint.h>

#include "bench.h"

struct ring_run {
	uint32_t entries;
	uint32_t batch;
	uint32_t outstanding;
	uint32_t start; /* first index */
	uint32_t check; /* decide on a notification with every publish */
	uint64_t count; /* round trips */
};

/* One kind of ring with one slot size. */
struct ring_kind {
	const char *name;
	uint32_t slot_size;
	void (*requester)(void *page, const struct ring_run *run, struct bench_gate *ready);
	void (*responder)(void *page, const struct ring_run *run, struct bench_gate *ready);
};

extern const struct ring_kind ring_pvring_16, ring_pvring_112;
extern const struct ring_kind ring_xen_16, ring_xen_112; /* where libxen-dev's io/ring.h is installed */

/* A response came out of order: the ring is broken. Ends the program. */
void ring_bench_fail(uint64_t got, uint64_t expected) __attribute__((noreturn));

#endif
