/* SPDX-License-Identifier: MIT */
/* What the backend tells a frontend of a disk and of what can be asked of it. */
#ifndef PVR_BLKBACK_FEATURES_H
#define PVR_BLKBACK_FEATURES_H

#include "disk.h"
#include "nodes.h"

#define PVR_BLKBACK_FEATURES 16u

/* The nodes that go with Connected: how many of them there are. */
unsigned pvr_blkback_features(const struct pvr_blkback_disk *disk,
	struct pvr_blkback_node nodes[PVR_BLKBACK_FEATURES]);

#endif
