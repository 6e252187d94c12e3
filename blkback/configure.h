/* SPDX-License-Identifier: MIT */
/* What the toolstack says of a device. */
#ifndef PVR_BLKBACK_CONFIGURE_H
#define PVR_BLKBACK_CONFIGURE_H

#include "device.h"

/*
 * Read it: opens the disk unless it is open, and fills in queues and limits. 0, or a negative errno
 * and one line for the operator. Sleeps.
 */
int pvr_blkback_device_configure(struct pvr_blkback_device *device, char error[PVR_BLKBACK_LINE]);

/* How long its image is now, in 512-byte units, whole sectors of the disk; 0 when nobody can say. */
uint64_t pvr_blkback_disk_measure(const struct pvr_blkback_disk *disk);

#endif
