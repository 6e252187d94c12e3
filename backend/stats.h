/* SPDX-License-Identifier: MIT */
/* Counters of a device, in a file that others map. */
#ifndef PVR_BACKEND_STATS_H
#define PVR_BACKEND_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* What every such structure begins with. */
struct pvr_back_stats {
	uint32_t magic;
	uint32_t size; /* of the structure */
	uint32_t domid, devid;
};

/*
 * Make <dir>/stats/<type>-<domid>-<devid> anew and map it. A device is served without statistics
 * rather than not at all: on failure the counters are private memory, and only without that either
 * is the answer NULL.
 */
void *pvr_back_stats_open(const char *dir, const char *type, const struct pvr_back_stats *head);
/* Unmap and remove the file. NULL is allowed. */
void pvr_back_stats_close(void *stats, const char *dir, const char *type);

/*
 * A counter that one thread writes. A ring counts for itself, and adds what it has counted to its
 * device's file once a turn: rings of several workers share that file, and adding to what others
 * write is expensive.
 */
static inline void pvr_back_count(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

/* A counter in the file, by whichever thread. */
static inline void pvr_back_count_shared(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Move `count` counters from a ring's to its device's. */
void pvr_back_stats_add(_Atomic uint64_t *to, _Atomic uint64_t *from, size_t count);

#endif
