/* SPDX-License-Identifier: MIT */
/*
 * One queue of an interface: a tx ring, an rx ring, and its port of the outside. Made by the
 * control thread, lent to one worker, given back. Nothing is in flight between two turns: a turn
 * takes packets of the frontend, maps them, hands them to the outside, unmaps and answers them, and
 * fills the frontend's buffers with what the outside has. Only buffers stay mapped, ahead of the
 * packets to come.
 *
 * A worker does, over and over:
 *
 *   work = pvr_netback_queue_turn(queue, now_ns)   -EPROTO: broken, once (queue->error)
 *   pvr_netback_queue_publish(queue)
 *
 * and before it sleeps, when no turn found work: pvr_netback_queue_arm for each (nonzero: do not
 * sleep), then it polls the descriptor of pvr_netback_queue_fd and the event channels, until
 * pvr_netback_queue_due at the latest. An event needs nothing but a turn.
 */
#ifndef PVR_NETBACK_QUEUE_H
#define PVR_NETBACK_QUEUE_H

#include <poll.h>

#include "journal.h"
#include "rx.h"
#include "tx.h"
#include "vif.h"

struct pvr_netback_offer {
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port; /* the frontend's; equal: not split */
};

struct pvr_netback_queue {
	struct pvr_netback_vif *vif;
	unsigned index;
	struct pvr_netback_offer offer;
	const char *error;      /* after connect failed, or a turn that was -EPROTO */
	evtchn_port_t ports[3]; /* ours, once connected: tx, rx, control; 0: none, or not split */
	int carrier_changed; /* set by a turn: the control thread should look at vif->stalled; the
				   worker clears it */

	/* From here on the worker's. */
	struct pvr_host *host;
	struct pvr_netback_stats counts; /* what is not in vif->stats yet */
	int counted;
	struct pvr_netback_tx tx;
	struct pvr_netback_rx rx;
	struct pvr_netback_journal *journal;
	unsigned rewound; /* slots, of what a dead backend left; set by connect */
	struct pvr_netback_inbox inbox;
	int both_fd; /* epoll of the inbox and the outside; -1: not needed so far */

	/*
	 * The control ring changes these while another worker has the queue: a turn holds the lock
	 * from end to end.
	 */
	pthread_mutex_t lock;
	struct pvr_netback_hash hash;
	struct pvr_netback_statics statics;
};

/*
 * By the control thread. NULL: no memory; or, vif->journal.again, no journal that is these rings'.
 * It stands in vif->queue[index] from now on. destroy: never connected, or disconnected.
 */
struct pvr_netback_queue *pvr_netback_queue_create(
	struct pvr_netback_vif *vif, unsigned index, const struct pvr_netback_offer *offer);
void pvr_netback_queue_destroy(struct pvr_netback_queue *queue);

/* ---- by the worker ---- */

/*
 * Map the rings and bind the event channels, and with queue 0 those of the control ring; 0, or a
 * negative errno with queue->error set and nothing held. `host` is the worker's, until disconnect.
 * Sleeps.
 */
int pvr_netback_queue_connect(struct pvr_netback_queue *queue, struct pvr_host *host);
/* Publish the last answers, unmap and unbind everything. In any order of the queues; the first ends
 * all of them. */
void pvr_netback_queue_disconnect(struct pvr_netback_queue *queue);

/*
 * A bounded batch both ways: how much was done (0: nothing), or -EPROTO when the frontend broke the
 * protocol; then it is not to be called again. now_ns: CLOCK_MONOTONIC.
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
/* The descriptor that tells of more, and what of it (POLLIN, POLLOUT) in *events; -1: none now. */
int pvr_netback_queue_fd(struct pvr_netback_queue *queue, short *events);

/* ---- between the parts of it ---- */

/* The frontend broke the protocol: -EPROTO, and queue->error. */
int pvr_netback_queue_break(struct pvr_netback_queue *queue, const char *error);

/* Count for the queue; its turn's owner only. */
static inline void pvr_netback_count(
	struct pvr_netback_queue *queue, _Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
	queue->counted = 1;
}

#endif
