/* SPDX-License-Identifier: MIT */
/* What a block backend asks of the kernel beyond what every backend does. */
#ifndef PVR_BLKBACK_NEEDS_H
#define PVR_BLKBACK_NEEDS_H

#include "../backend/confine.h"

extern const struct pvr_back_needs pvr_blkback_needs;

#endif
