/* SPDX-License-Identifier: MIT */
/*
 * The counters of a disk.
 *
 * The latency histogram has two buckets an octave: bucket 2k ends at 1.5 * 2^k ns and bucket 2k + 1
 * at 2^(k + 1), so a quantile read from it is at most half too high, and the 64 buckets reach four
 * seconds.
 */
#include "stats.h"

#include <stddef.h>

unsigned pvr_blkback_stats_bucket(uint64_t ns)
{
	unsigned octave, bucket;

	if (ns < 2)
		return 0;
	octave = 63u - (unsigned)__builtin_clzll(ns);
	bucket = 2 * octave + (unsigned)(ns >> (octave - 1) & 1);
	return bucket < PVR_BLKBACK_STATS_BUCKETS ? bucket : PVR_BLKBACK_STATS_BUCKETS - 1;
}

uint64_t pvr_blkback_stats_bound(unsigned bucket)
{
	uint64_t octave = 1ull << (bucket / 2);

	return bucket % 2 ? 2 * octave : octave + octave / 2;
}

struct pvr_blkback_stats *pvr_blkback_stats_open(const char *dir, unsigned domid, unsigned devid)
{
	struct pvr_back_stats head = {
		PVR_BLKBACK_STATS_MAGIC, sizeof(struct pvr_blkback_stats), domid, devid};

	return pvr_back_stats_open(dir, "vbd", &head);
}

void pvr_blkback_stats_close(struct pvr_blkback_stats *stats, const char *dir)
{
	pvr_back_stats_close(stats, dir, "vbd");
}

void pvr_blkback_stats_add(struct pvr_blkback_stats *to, struct pvr_blkback_stats *from)
{
	/* The counters stand in a row, so that none can be forgotten here. */
	pvr_back_stats_add(&to->reads, &from->reads,
		(offsetof(struct pvr_blkback_stats, latency) -
			offsetof(struct pvr_blkback_stats, reads)) /
			sizeof(to->reads));
}
