/* SPDX-License-Identifier: MIT */
/*
 * The network frontend's own structures.
 *
 * An interface has queues; a queue has a ring each way, one or two event channels, a page for every slot
 * of its rx ring, and as many to send from. Everything is there before the first packet: the data path
 * neither locks nor allocates.
 *
 * rx: a page belongs to a slot of the ring for good, and the request's id is that slot's number. Since an
 * answer stands in the slot of its request, nothing needs to be looked up, and a page that was consumed is
 * posted again in the same slot.
 *
 * tx: ids are handed out last in, first out. A packet is known by the id of its first slot, which stays in
 * use until all of its slots are answered.
 *
 * Grants are given for each slot and ended before its data is handed up; or, where the backend keeps
 * mappings, once for all pages of the queue (pvr_netfront_info.static_pages).
 */
#ifndef PVR_NETFRONT_INTERNAL_H
#define PVR_NETFRONT_INTERNAL_H

#include <pvring/netfront.h>

#include "../frontend/frontend.h"
#include "decode.h"

PVR_RING_TYPE(netfront_tx, struct netif_tx_request, struct netif_tx_response);
PVR_RING_TYPE(netfront_rx, struct netif_rx_request, union netfront_rx_slot);
PVR_RING_TYPE(netfront_ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

/* Slots of a page, of either ring. */
#define NETFRONT_ENTRIES 256u

/* Pages of a queue that a static grant serves: those it sends from, and those it receives into. */
#define NETFRONT_STATIC_PAGES (2 * NETFRONT_ENTRIES)

#define NETFRONT_MTU_DEFAULT 1500u
#define NETFRONT_MTU_MIN     68u
#define NETFRONT_MTU_MAX     65521u

/* No id. */
#define NETFRONT_NONE 0xffffu

/* What a backend is offered for one queue. */
struct netfront_rings {
	struct pvr_ring tx, rx;
	struct pvr_front_pages tx_page, rx_page;
	evtchn_port_t tx_port, rx_port; /* one and the same without split channels */
};

enum {
	NETFRONT_GRANTED = 1, /* its reference grants a page until the answer */
	NETFRONT_QUIET = 2,   /* no packet: nobody is told of the answer */
};

/* One id of the tx ring. */
struct netfront_tx_slot {
	void *token;     /* of a first: the caller's */
	grant_ref_t ref; /* for pages not granted for all time; PVR_GRANT_NONE: lost */
	uint16_t first;  /* id of the packet's first; NONE: not on the ring */
	uint16_t at;     /* low bits of the ring index it was put at */
	uint16_t left;   /* of a first: slots unanswered */
	uint8_t error;   /* of a first: errno of the packet */
	uint8_t flags;   /* NETFRONT_* */
};

struct netfront_tx {
	uint8_t *pool;
	uint16_t extras; /* on the ring: slots whose answers have no id */
	uint16_t ids_count, pages_count;
	uint16_t ids[NETFRONT_ENTRIES];   /* free ones, a stack */
	uint16_t pages[NETFRONT_ENTRIES]; /* of the pool, the same */
	struct netfront_tx_slot slot[NETFRONT_ENTRIES];
	grant_ref_t ref[NETFRONT_ENTRIES]; /* of the pool's pages, with static grants */
};

struct netfront_rx {
	uint8_t *pool;
	grant_ref_t ref[NETFRONT_ENTRIES]; /* of the pool's pages */
};

struct pvr_netfront_queue {
	struct pvr_netfront *net;
	struct netfront_rings live;
	uint32_t version;               /* of the device, as last taken over */
	struct pvr_netfront_info facts; /* the device's, our copy */
	struct pvr_netfront_stats stats;
	uint64_t spin_ns; /* how long to poll before sleeping, as it has paid lately */
	unsigned index;
	unsigned refs; /* kinds of references that were allocated: rx, tx, pool; see queue.c */
	int is_static; /* the pools are granted for all time */
	int ended;     /* the rings are of no use any more, and not looked at */

	struct netfront_tx tx;
	struct netfront_rx rx;

	struct netfront_rings next; /* under front.control; no pages: none */
} __attribute__((aligned(64)));

/* The control ring of one backend. */
struct netfront_ctrl {
	struct pvr_ring ring;
	struct pvr_front_pages page;
	evtchn_port_t port;
	uint16_t id;
	int broken; /* an answer is overdue: what comes cannot be told from what is asked next */
};

/* What the backend was last asked to do with hashes. */
struct netfront_hash {
	uint32_t types;
	uint32_t map_count; /* 0: it was not asked */
	uint8_t key[PVR_NET_HASH_KEY];
	uint32_t map[PVR_NET_HASH_MAP_MAX];
};

struct pvr_netfront {
	struct pvr_front front;
	struct pvr_netfront_options want; /* within bounds, defaults filled in */
	struct pvr_netfront_calls calls;
	unsigned queues;
	struct pvr_netfront_queue *queue[PVR_NETFRONT_QUEUES_MAX];

	/* Under front.control, once the device is open. */
	struct pvr_netfront_info info;
	struct pvr_store_watch carrier; /* on the backend's node */
	_Atomic uint32_t carrier_seen;  /* carrier.fired as last acted upon */
	_Atomic uint32_t carrier_node;
	struct netfront_ctrl ctrl, ctrl_next;
	struct netfront_hash hash;
};

static inline struct pvr_netfront *netfront_of(struct pvr_front *front)
{
	return (struct pvr_netfront *)((char *)front - offsetof(struct pvr_netfront, front));
}

/* ---- offer.c: rings, and the nodes that tell of them; see struct pvr_front_ops ---- */
int netfront_offer_make(struct pvr_front *front, int again);
int netfront_offer_write(struct pvr_front *front, pvr_store_tx tx);
void netfront_offer_drop(struct pvr_front *front);

/* Also half made. Pages the backend keeps mapped are lost; how many, is returned. */
unsigned netfront_rings_free(struct netfront_rings *rings, uint64_t deadline_ns);

/* ---- facts.c ---- */

/* What the backend can do, before the offer: into net->info. -EPROTO (logged). */
int netfront_facts_read(struct pvr_netfront *net);

/* The node `carrier`, if it was written. */
void netfront_carrier_read(struct pvr_netfront *net);

/* ---- ctrl.c: requests on the control ring, under front.control ---- */

int netfront_ctrl_make(struct pvr_front *front, struct netfront_ctrl *ctrl);
void netfront_ctrl_free(struct netfront_ctrl *ctrl, uint64_t deadline_ns);

/* Have the backend keep the pages of all queues mapped: 0, or why not; then it keeps none. */
int netfront_ctrl_static(struct pvr_netfront *net);

/* Say net->hash. */
int netfront_ctrl_hash(struct pvr_netfront *net);

/* ---- queue.c ---- */
int netfront_queue_make(struct pvr_netfront *net, unsigned index, struct pvr_netfront_queue **made);
void netfront_queue_free(struct pvr_netfront_queue *queue, uint64_t deadline_ns);

/* Grant all pages of the pools; or end that: -EBUSY when the backend keeps some (for the owner only). */
int netfront_static_begin(struct pvr_netfront_queue *queue);
int netfront_static_end(struct pvr_netfront_queue *queue, uint64_t deadline_ns);

/* Take over what has changed of the device. The queue's owner, from poll. */
void netfront_queue_adopt(struct pvr_netfront_queue *queue);

/* ---- tx.c ---- */

/* Take the answers the ring holds and call `sent`; how many packets. A wrong one fails the device. */
int netfront_tx_take(struct pvr_netfront_queue *queue);

/* Everything on the ring ends with `error`, or -EBUSY. How many packets. */
int netfront_tx_end(struct pvr_netfront_queue *queue, int error, uint64_t deadline_ns);
int netfront_tx_is_idle(const struct pvr_netfront_queue *queue);

/* ---- rx.c ---- */

/* Take at most `budget` packets and call `received`; how many. What is wrong fails the device. */
int netfront_rx_take(struct pvr_netfront_queue *queue, unsigned budget);

/* Give the backend all pages that it does not have. */
void netfront_rx_post(struct pvr_netfront_queue *queue);

/* Take back the pages that it has: 0, or -EBUSY. */
int netfront_rx_end(struct pvr_netfront_queue *queue, uint64_t deadline_ns);

#endif
