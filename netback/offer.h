/* SPDX-License-Identifier: MIT */
/* What a frontend offers in its nodes: its rings, and what it can take. */
#ifndef PVR_NETBACK_OFFER_H
#define PVR_NETBACK_OFFER_H

#include <pvring/host.h>

#include "features.h"
#include "queue.h"
#include "vif.h"

/*
 * Read the offer in `frontend`, held against what was offered to it. NULL, or what is wrong with
 * it, for a log line. Sleeps for xenstore.
 */
const char *pvr_netback_offer_read(struct pvr_host *host, const char *frontend,
	const struct pvr_netback_features *offered, struct pvr_netback_facts *facts,
	struct pvr_netback_offer offers[PVR_NETBACK_QUEUES_MAX]);

/* Whether it wants no more multicast than it joined, now. */
int pvr_netback_offer_multicast(struct pvr_host *host, const char *frontend);

#endif
