/* SPDX-License-Identifier: MIT */
/*
 * One interface of one domain; its handshake is backend/device.c. All of this is the control
 * thread's.
 */
#ifndef PVR_NETBACK_DEVICE_H
#define PVR_NETBACK_DEVICE_H

#include "../backend/device.h"
#include "outside.h"
#include "queue.h"
#include "vif.h"

/* What stands in the toolstack's nodes, for as long as the spec points to it. */
struct pvr_netback_texts {
	char type[16], params[256], vifname[16], bridge[16];
};

struct pvr_netback_device {
	struct pvr_back_device base;
	struct pvr_netback_texts texts;
	struct pvr_netback_spec spec;
	uint32_t without; /* PVR_NETBACK_NO_*: not offered */
	struct pvr_netback_stats *stats;
	struct pvr_netback_outside *outside; /* open from the first InitWait on */
	struct pvr_netback_vif *vif;         /* while it is connected */
	int carrier;                         /* as last written */
};

extern const struct pvr_back_kind pvr_netback_kind;

#endif
