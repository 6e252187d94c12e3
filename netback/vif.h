/* SPDX-License-Identifier: MIT */
/*
 * An interface as its queues see it: what the toolstack's nodes say (spec), what its frontend says
 * (facts), and what the queues share. It is made and destroyed by the control thread, with its
 * queues in the hands of workers in between.
 *
 * What the control thread does with these parts, in order:
 *
 *   pvr_netback_outside_open      once, from the toolstack's nodes: the TAP is there before the
 *                                 frontend is; queues_max and takes of it limit what is offered
 *   pvr_netback_vif_create        when the frontend is Connected
 *   pvr_netback_outside_connect   before its queues: they ask how large packets may be
 *   pvr_netback_queue_create      for every queue; each is then lent to a worker (queue.h)
 *   ... all queues are back ...
 *   pvr_netback_queue_destroy, pvr_netback_vif_destroy, pvr_netback_outside_disconnect
 *   pvr_netback_outside_close     when the interface goes
 */
#ifndef PVR_NETBACK_VIF_H
#define PVR_NETBACK_VIF_H

#include <pthread.h>

#include <pvring/host.h>
#include <pvring/netback.h>

#include "journal.h"

#define PVR_NETBACK_QUEUES_MAX   16u
#define PVR_NETBACK_LINE         200u /* bytes of an error line, with its NUL */
#define PVR_NETBACK_MCAST_MAX    64u  /* groups that one frontend may join; as Linux's netback */
#define PVR_NETBACK_HEADROOM_MAX 256u

struct pvr_netback_outside;
struct pvr_netback_queue;

/* From the nodes of the toolstack. Strings are the caller's and must live as long as the outside.
 */
struct pvr_netback_spec {
	domid_t domid;
	unsigned devid;
	const char *type;    /* NULL: "tap" */
	const char *params;  /* NULL: none */
	const char *vifname; /* NULL: vif<domid>.<devid> */
	const char *bridge;  /* NULL: none */
	uint8_t mac[6];      /* the frontend's; the source of null's packets sends to it */
	unsigned mtu;
	unsigned queues;                  /* the frontend may have */
	uint32_t credit_bytes, credit_us; /* `rate`; 0: no limit */
};

/*
 * From the nodes of the frontend. gso, csum and sg are what it takes from us; what it may send is
 * what was offered
 * (`offered`): a GSO packet that is longer than was offered is dropped.
 */
struct pvr_netback_facts {
	unsigned queues;
	uint8_t sg;         /* feature-sg */
	uint8_t gso4, gso6; /* feature-gso-tcpv4, -tcpv6; only with sg */
	uint8_t csum4;      /* not feature-no-csum-offload */
	uint8_t csum6;      /* feature-ipv6-csum-offload */
	uint8_t rx_notify;  /* feature-rx-notify: it sends an event for buffers */
	uint8_t tx_gso;     /* GSO was offered */
	uint16_t headroom;  /* xdp-headroom: bytes left free in each buffer, at most
			       PVR_NETBACK_HEADROOM_MAX */
	uint8_t control;    /* it has a control ring, by these: */
	grant_ref_t control_ref;
	evtchn_port_t control_port;
};

/* The control ring; queue 0's worker serves it (ctrl.h). */
struct pvr_netback_ctrl;

struct pvr_netback_vif {
	struct pvr_netback_spec spec;
	struct pvr_netback_facts facts;
	struct pvr_netback_outside *outside;
	struct pvr_netback_stats *stats; /* the file's; queues add to it once a turn */
	struct pvr_netback_queue
		*queue[PVR_NETBACK_QUEUES_MAX]; /* all made before the first is lent */
	struct pvr_netback_ctrl *ctrl;          /* or NULL */
	struct pvr_netback_journal_of journal;  /* set before the queues are made */
	/*
	 * The frontend's request-multicast-control, which it may change at any time: the control
	 * thread stores it.
	 */
	_Atomic int multicast_control;
	_Atomic unsigned stalled; /* queues without buffers for too long: `carrier` is "0" while it
				     is not 0 */
	_Atomic int closing;      /* queue 0 is gone: the others do nothing any more */

	pthread_mutex_t mcast_lock; /* of what follows: taken for multicast packets only */
	unsigned mcast_count;
	uint8_t mcast[PVR_NETBACK_MCAST_MAX][6];
};

/* By the control thread. NULL: no memory. stats is the caller's, and so is outside; both outlive
 * it. */
struct pvr_netback_vif *pvr_netback_vif_create(const struct pvr_netback_spec *spec,
	const struct pvr_netback_facts *facts, struct pvr_netback_outside *outside,
	struct pvr_netback_stats *stats);
/* All its queues are destroyed. NULL is allowed. */
void pvr_netback_vif_destroy(struct pvr_netback_vif *vif);

/* The multicast filter, by any worker. join and leave: 0, -ENOSPC, or -EINVAL: no group address. */
int pvr_netback_mcast_join(struct pvr_netback_vif *vif, const uint8_t mac[6]);
int pvr_netback_mcast_leave(struct pvr_netback_vif *vif, const uint8_t mac[6]);
/* Whether a packet to `mac` goes to the frontend. */
int pvr_netback_mcast_wants(struct pvr_netback_vif *vif, const uint8_t mac[6]);

#endif
