/* SPDX-License-Identifier: MIT */
/* What the backend tells a frontend of a disk and of what can be asked of it. */
#ifndef PVR_BLKBACK_FEATURES_H
#define PVR_BLKBACK_FEATURES_H

#include "../backend/nodes.h"
#include "disk.h"

/* Add the nodes that go with Connected. */
void pvr_blkback_features(const struct pvr_blkback_disk *disk, struct pvr_back_nodes *nodes);

#endif
