/* SPDX-License-Identifier: MIT */
/* What a network backend asks of the kernel beyond what every backend does. */
#ifndef PVR_NETBACK_NEEDS_H
#define PVR_NETBACK_NEEDS_H

#include "../backend/confine.h"

extern const struct pvr_back_needs pvr_netback_needs;

#endif
