/* SPDX-License-Identifier: MIT */
/*
 * The control ring: hash and static grants. Queue 0's worker serves it and changes the queues under
 * their locks. What the lists in the frontend's pages say is copied once, and the copy is checked.
 */
#ifndef PVR_NETBACK_CTRL_H
#define PVR_NETBACK_CTRL_H

#include <pvring/ring.h>

#include "queue.h"

PVR_RING_TYPE(pvr_netback_ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

#define PVR_NETBACK_CTRL_BATCH 8u   /* requests in a turn */
#define PVR_NETBACK_CTRL_LIST  512u /* entries of a list of grants: a page */

struct pvr_netback_ctrl {
	struct pvr_ring ring;
	struct pvr_host_area area;
	struct pvr_host *host; /* of queue 0's worker; it maps the static grants of all queues */
	struct pvr_netback_hash hash; /* as last told to the queues */
	struct xen_netif_gref list[PVR_NETBACK_CTRL_LIST];
	struct pvr_host_map map[PVR_NETBACK_CTRL_LIST];
};

/* All by queue 0's worker, with no queue's lock held. connect as pvr_netback_queue_connect; the
 * port in *port. */
int pvr_netback_ctrl_connect(
	struct pvr_netback_queue *queue, struct pvr_host *host, evtchn_port_t *port);
/* Ends the static grants of all queues, and by vif->closing the queues. */
void pvr_netback_ctrl_disconnect(struct pvr_netback_queue *queue);
/* Requests answered, or -EPROTO. */
int pvr_netback_ctrl_turn(struct pvr_netback_queue *queue);

/* What one request is answered; exposed for tests. */
void pvr_netback_ctrl_request(struct pvr_netback_vif *vif,
	const struct xen_netif_ctrl_request *request, struct xen_netif_ctrl_response *response);

#endif
