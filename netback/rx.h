/* SPDX-License-Identifier: MIT */
/*
 * What the frontend receives: from the outside into its buffers. Part of a queue, see queue.h.
 *
 * Buffers are taken off the ring and mapped ahead of the packets (or stood in for, where the port copies); they are answered in the order in
 * which they were taken, for a response must stand in its request's slot. A packet is read straight
 * into them when there are enough for the largest that may come; else it is read into the bounce
 * buffer and held there until there are.
 */
#ifndef PVR_NETBACK_RX_H
#define PVR_NETBACK_RX_H

#include <pvring/host.h>
#include <pvring/ring.h>

#include "hash.h"
#include "inbox.h"
#include "statics.h"

#define PVR_NETBACK_RX_AHEAD 64u   /* buffers mapped ahead; a power of two */
#define PVR_NETBACK_RX_BATCH 64u   /* packets in a turn */
#define PVR_NETBACK_RX_DRAIN 1024u /* packets dropped at once */
/* Data slots of the largest packet, when each has the largest headroom. */
#define PVR_NETBACK_RX_SLOTS 18u

/* Without buffers for so long: what waits is dropped, and later the carrier goes. As Linux's
 * netback. */
#define PVR_NETBACK_DRAIN_NS        10000000000ull
#define PVR_NETBACK_DRAIN_SILENT_NS 30000000ull /* when the frontend sends no events for buffers   \
						 */
#define PVR_NETBACK_STALL_NS 60000000000ull

struct pvr_netback_queue;

union pvr_netback_rx_response {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

PVR_RING_TYPE(pvr_netback_rx, struct netif_rx_request, union pvr_netback_rx_response);

/* A response that waits until its page is unmapped: only then is known whether what it says came. */
struct pvr_netback_answer {
	union pvr_netback_rx_response response;
	uint8_t is_extra;
	uint8_t unmap; /* 1 + its page's index in `unmap`; 0: it has none */
};

struct pvr_netback_buffer {
	struct pvr_host_map map;
	struct pvr_netback_static *fixed; /* or NULL: unmapped when it is answered */
	uint16_t id;
};

struct pvr_netback_rx {
	struct pvr_ring ring;
	struct pvr_host_area area;
	unsigned head, tail; /* of `buffer`, free-running */
	struct pvr_netback_buffer buffer[PVR_NETBACK_RX_AHEAD];
	unsigned unmaps, answers; /* not done yet */
	struct pvr_host_map unmap[PVR_NETBACK_RX_AHEAD];
	struct pvr_netback_answer answer[PVR_NETBACK_RX_AHEAD];
	int lost; /* a piece of the packet that is being answered did not arrive */
	unsigned guess; /* extra infos of the last packet of several slots */
	unsigned slots,
		full; /* data slots of the largest packet; buffers for it and its extra infos */
	int held;     /* there is a packet in `bounce` */
	struct pvr_netback_parcel parcel; /* of it */
	uint8_t *bounce;                  /* PVR_NETBACK_PARCEL_MAX bytes */
	uint64_t starved;   /* since when there are too few buffers; 0: there are enough */
	uint64_t drain_due; /* when what waits is dropped */
	int stalled;
};

int pvr_netback_rx_init(struct pvr_netback_queue *queue);
/* Answer nothing any more, unmap everything. */
void pvr_netback_rx_end(struct pvr_netback_queue *queue);

/* Packets and buffers handled, or -EPROTO with queue->error set. */
int pvr_netback_rx_turn(struct pvr_netback_queue *queue, uint64_t now_ns);
/* Whether a packet could be taken from the outside now. */
int pvr_netback_rx_open(const struct pvr_netback_queue *queue);
/* Whether it waits for buffers. */
int pvr_netback_rx_wants_buffers(const struct pvr_netback_queue *queue);
uint64_t pvr_netback_rx_due(const struct pvr_netback_queue *queue);

/* ---- the buffers (buffers.c) ---- */

static inline unsigned pvr_netback_rx_have(const struct pvr_netback_rx *rx)
{
	return rx->tail - rx->head;
}

/* The nth of those that wait, 0 the next to be answered. */
static inline struct pvr_netback_buffer *pvr_netback_rx_buffer(
	struct pvr_netback_rx *rx, unsigned n)
{
	return &rx->buffer[(rx->head + n) % PVR_NETBACK_RX_AHEAD];
}

/*
 * Take what the frontend has posted, as far as there is room. One that cannot be mapped is answered
 * with an error, and so are those before it, which may not be overtaken. How many were answered so,
 * or -EPROTO.
 */
int pvr_netback_rx_fill(struct pvr_netback_queue *queue);
/*
 * Answer the next buffer; the response of a first or later piece gets its id here, and what it says lies
 * in the page is what arrives there.
 */
void pvr_netback_rx_answer(
	struct pvr_netback_queue *queue, union pvr_netback_rx_response *response, int is_extra);
/* Unmap what was answered and put the answers into the ring; before they are published. */
void pvr_netback_rx_flush(struct pvr_netback_queue *queue);

/* ---- one packet (deliver.c) ---- */

/* What becomes of a packet. */
enum pvr_netback_fate {
	PVR_NETBACK_TAKEN, /* delivered, or passed to another queue's inbox, or dropped and counted
			    */
	PVR_NETBACK_WAITING, /* it needs more buffers than there are */
};

/*
 * The packet of rx->parcel lies in iov[count]: decide about it, once. 1: it is to be delivered
 * here, and what it says of checksum and hash is final.
 */
int pvr_netback_rx_examine(struct pvr_netback_queue *queue, const struct iovec *iov, int count);
/* Deliver one that was read straight into the buffers, `guess` of them left out after the first. */
void pvr_netback_rx_deliver(struct pvr_netback_queue *queue, unsigned guess);
/* Deliver the one in the bounce buffer. */
enum pvr_netback_fate pvr_netback_rx_deliver_bounce(struct pvr_netback_queue *queue);
void pvr_netback_rx_drop(struct pvr_netback_queue *queue, unsigned why);

/* Bytes that fit a buffer. */
size_t pvr_netback_rx_room(const struct pvr_netback_queue *queue);

#endif
