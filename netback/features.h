/* SPDX-License-Identifier: MIT */
/* What the backend tells a frontend that can be asked of it. */
#ifndef PVR_NETBACK_FEATURES_H
#define PVR_NETBACK_FEATURES_H

#include <stdint.h>

#include "../backend/nodes.h"

/* What is offered: all that `without` (PVR_NETBACK_NO_*) and `takes` (outside.h) leave. */
struct pvr_netback_features {
	unsigned queues;
	int sg, gso4, gso6, csum, split, control, multicast;
};

void pvr_netback_features_choose(
	struct pvr_netback_features *features, uint32_t without, unsigned takes, unsigned queues);
/* Add the nodes that go with InitWait. */
void pvr_netback_features_add(
	const struct pvr_netback_features *features, struct pvr_back_nodes *nodes);

#endif
