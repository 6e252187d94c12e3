/* SPDX-License-Identifier: MIT */
/* The counters of a disk, in a file that others map. Structure and meaning: pvring/blkback.h. */
#ifndef PVR_BLKBACK_STATS_H
#define PVR_BLKBACK_STATS_H

#include <pvring/blkback.h>

#include "../backend/stats.h"

/* As pvr_back_stats_open and _close. */
struct pvr_blkback_stats *pvr_blkback_stats_open(const char *dir, unsigned domid, unsigned devid);
void pvr_blkback_stats_close(struct pvr_blkback_stats *stats, const char *dir);

/* Move everything up to the latencies from a ring's counters to its device's. */
void pvr_blkback_stats_add(struct pvr_blkback_stats *to, struct pvr_blkback_stats *from);

#endif
