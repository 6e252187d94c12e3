/* SPDX-License-Identifier: MIT */
/* The counters of a disk, in a file that others map. Structure and meaning: pvring/blkback.h. */
#ifndef PVR_BLKBACK_STATS_H
#define PVR_BLKBACK_STATS_H

#include <pvring/blkback.h>

/*
 * Make <dir>/stats/vbd-<domid>-<devid> anew and map it. A disk is served without statistics rather
 * than not at all: on failure the counters are private memory, and only without that either is the
 * answer NULL.
 */
struct pvr_blkback_stats *pvr_blkback_stats_open(const char *dir, unsigned domid, unsigned devid);
/* Unmap and remove the file. NULL is allowed. */
void pvr_blkback_stats_close(struct pvr_blkback_stats *stats, const char *dir);

/*
 * A counter that one thread writes. A ring counts for itself, and adds what it has counted to its
 * device's file once a turn: rings of several workers share that file, and adding to what others
 * write is expensive.
 */
static inline void pvr_blkback_count(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

/* A counter in the file, by whichever thread. */
static inline void pvr_blkback_count_shared(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Move everything up to the latencies from a ring's counters to its device's. */
void pvr_blkback_stats_add(struct pvr_blkback_stats *to, struct pvr_blkback_stats *from);

#endif
