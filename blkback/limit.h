/* SPDX-License-Identifier: MIT */
/*
 * Limits of a device: requests and bytes a second, for all of its rings together. Each rate is the
 * time at which what was let through so far would have been due; a request may be early by a short
 * burst. Pure arithmetic on times of CLOCK_MONOTONIC, in ns; any thread.
 */
#ifndef PVR_BLKBACK_LIMIT_H
#define PVR_BLKBACK_LIMIT_H

#include <stdatomic.h>
#include <stdint.h>

#define PVR_BLKBACK_BURST_NS 10000000u

struct pvr_blkback_rate {
	uint32_t per_second; /* 0: no limit */
	_Atomic uint64_t due_ns;
};

struct pvr_blkback_limits {
	struct pvr_blkback_rate requests, bytes;
};

/* How long the next request has to wait; 0: not at all. */
uint64_t pvr_blkback_limits_wait(const struct pvr_blkback_limits *limits, uint64_t now_ns);
/* So many were let through; more than there was room for is a debt that later ones wait for. */
void pvr_blkback_limits_charge(
	struct pvr_blkback_limits *limits, uint64_t now_ns, unsigned requests, uint64_t bytes);

#endif
