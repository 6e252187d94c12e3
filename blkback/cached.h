/* SPDX-License-Identifier: MIT */
/*
 * Whether a read is worth a try at the page cache before it is submitted. A try that finds nothing costs a
 * system call: after some in a row only a few more are made, to find out when the cache is warm again. Pure.
 */
#ifndef PVR_BLKBACK_CACHED_H
#define PVR_BLKBACK_CACHED_H

#include <stdint.h>

#define PVR_BLKBACK_CACHED_MISSES 8u
#define PVR_BLKBACK_CACHED_PROBE  32u /* one try in as many */

struct pvr_blkback_cached {
	uint8_t misses, skipped;
};

static inline int pvr_blkback_cached_worth(struct pvr_blkback_cached *cached)
{
	return cached->misses < PVR_BLKBACK_CACHED_MISSES ||
	       ++cached->skipped % PVR_BLKBACK_CACHED_PROBE == 0;
}

static inline void pvr_blkback_cached_learn(struct pvr_blkback_cached *cached, int hit)
{
	if (hit)
		cached->misses = 0;
	else if (cached->misses < PVR_BLKBACK_CACHED_MISSES)
		cached->misses++;
}

#endif
