/* SPDX-License-Identifier: MIT */
/* What a frontend offers in its nodes: its rings and how it lays them out. */
#ifndef PVR_BLKBACK_OFFER_H
#define PVR_BLKBACK_OFFER_H

#include <pvring/host.h>

#include "request.h"

#define PVR_BLKBACK_ORDER_MAX  4u /* pages of a ring, as a power of two */
#define PVR_BLKBACK_PAGES_MAX  (1u << PVR_BLKBACK_ORDER_MAX)
#define PVR_BLKBACK_QUEUES_MAX 16u /* rings of a device */

/* One ring. */
struct pvr_blkback_offer {
	domid_t domid;
	unsigned queue; /* its number */
	unsigned pages;
	grant_ref_t refs[PVR_BLKBACK_PAGES_MAX];
	evtchn_port_t port; /* the frontend's */
	enum pvr_blkback_abi abi;
	int persistent; /* its grants stay as they are until it disconnects */
};

/*
 * Read the offer of domain domid in `frontend`: at most queues_max rings, how many in *count. NULL, or
 * what is wrong with it, for a log line. Sleeps for xenstore.
 */
const char *pvr_blkback_offer_read(struct pvr_host *host, const char *frontend, domid_t domid,
	unsigned queues_max, struct pvr_blkback_offer offers[PVR_BLKBACK_QUEUES_MAX],
	unsigned *count);

#endif
