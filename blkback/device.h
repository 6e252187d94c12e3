/* SPDX-License-Identifier: MIT */
/* One disk of one domain; its handshake is backend/device.c. All of this is the control thread's. */
#ifndef PVR_BLKBACK_DEVICE_H
#define PVR_BLKBACK_DEVICE_H

#include "../backend/device.h"
#include "disk.h"
#include "limit.h"
#include "offer.h"
#include "stats.h"

struct pvr_blkback_device {
	struct pvr_back_device base;
	struct pvr_blkback_disk *disk;
	struct pvr_blkback_stats *stats;
	struct pvr_blkback_limits limits;
	unsigned queues; /* how many rings it may have */
};

extern const struct pvr_back_kind pvr_blkback_kind;

#endif
