/* SPDX-License-Identifier: MIT */
/*
 * One queue of an interface: a tx ring, an rx ring, and its port of the outside. Made by the control thread, lent to one
 * worker, given back. Nothing is in flight between two turns: a turn takes packets of the frontend, maps them, hands them to the outside,
 * unmaps and answers them, and fills the frontend's buffers with what the outside has. Only buffers stay
 * mapped, ahead of the packets to come.
 *
 * A worker does, over and over:
 *
 *   work = pvr_netback_queue_turn(queue, now_ns)    for each of its queues; -EPROTO: it is broken, once (queue->error)
 *   pvr_netback_queue_publish(queue)
 *
 * and before it sleeps, when no turn found work: pvr_netback_queue_arm for each (nonzero: do not sleep), then it polls
 * the fds of pvr_netback_queue_fds and the event channels, until pvr_netback_queue_due at the latest. An event needs nothing
 * but a turn.
 */
#ifndef PVR_NETBACK_QUEUE_H
#define PVR_NETBACK_QUEUE_H

#include <poll.h>

#include "vif.h"

struct pvr_netback_offer {
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port; /* the frontend's; equal: not split */
};

/* The worker's part is in queue_impl.h. */
struct pvr_netback_queue {
	struct pvr_netback_vif *vif;
	unsigned index;
	struct pvr_netback_offer offer;
	const char *error; /* after connect failed, or a turn that was -EPROTO */
	evtchn_port_t
		ports[3]; /* ours, once connected: tx, rx, control; 0: none, or the one before it */
	int carrier_changed; /* set by a turn: the control thread should look at vif->stalled; the worker clears it */
};

/*
 * By the control thread. NULL: no memory. It stands in vif->queue[index] from now on. destroy: never connected, or disconnected.
 */
struct pvr_netback_queue *pvr_netback_queue_create(
	struct pvr_netback_vif *vif, unsigned index, const struct pvr_netback_offer *offer);
void pvr_netback_queue_destroy(struct pvr_netback_queue *queue);

/* ---- by the worker ---- */

/*
 * Map the rings and bind the event channels, and with queue 0 those of the control ring; 0, or a negative errno with
 * queue->error set and nothing held. `host` is the worker's, until disconnect. Sleeps.
 */
int pvr_netback_queue_connect(struct pvr_netback_queue *queue, struct pvr_host *host);
/* Publish the last answers, unmap and unbind everything. In any order of the queues; the first ends all of them. */
void pvr_netback_queue_disconnect(struct pvr_netback_queue *queue);

/* Count one event that came in by one of ports[]. */
void pvr_netback_queue_count_event(struct pvr_netback_queue *queue);
/* Count a spin before sleep. */
void pvr_netback_queue_count_poll(struct pvr_netback_queue *queue, int hit);

/*
 * A bounded batch both ways: how much was done (0: nothing), or -EPROTO when the frontend broke the protocol; then it is not to be
 * called again. now_ns: CLOCK_MONOTONIC.
 */
int pvr_netback_queue_turn(struct pvr_netback_queue *queue, uint64_t now_ns);
/* Publish answers and counters, at most one event a ring. */
void pvr_netback_queue_publish(struct pvr_netback_queue *queue);
/* Whether a turn may find something now; cheap, for a spin. Does not see fds. */
int pvr_netback_queue_pending(struct pvr_netback_queue *queue);
/* Ask the frontend for events; nonzero: there is something already. */
int pvr_netback_queue_arm(struct pvr_netback_queue *queue);
/* When it needs a turn though nobody calls, in ns of CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t pvr_netback_queue_due(const struct pvr_netback_queue *queue);
/* What it waits for now: at most two. How many. */
#define PVR_NETBACK_QUEUE_FDS 2u
unsigned pvr_netback_queue_fds(
	struct pvr_netback_queue *queue, struct pollfd fds[PVR_NETBACK_QUEUE_FDS]);

#endif
