/* SPDX-License-Identifier: MIT */
/* What the frontend sends: from the tx ring to the outside. Part of a queue, see queue.h. */
#ifndef PVR_NETBACK_TX_H
#define PVR_NETBACK_TX_H

#include <pvring/host.h>
#include <pvring/ring.h>

#include "credit.h"
#include "headers.h"
#include "packet.h"

#define PVR_NETBACK_TX_BATCH 64u /* slots taken in a turn; the last packet may go beyond */
#define PVR_NETBACK_TX_SLOTS                                                                       \
	(PVR_NETBACK_TX_BATCH + PVR_NETBACK_SLOTS_FATAL + PVR_NETBACK_EXTRAS_MAX)

struct pvr_netback_queue;

PVR_RING_TYPE(pvr_netback_tx, union pvr_netback_slot, struct netif_tx_response);

/* A packet of the batch: its slices stand in `page` from `first` on. */
struct pvr_netback_tx_packet {
	const char *error; /* it is dropped */
	uint32_t bytes;
	uint16_t flags, gso_size;
	uint8_t gso_type, count;
	uint16_t first;
	uint16_t answer, answers; /* of its slots */
};

/* A piece of a packet; map.address is the page once it is mapped, or a static one. */
struct pvr_netback_tx_page {
	const uint8_t *address; /* of the first byte; NULL: could not be mapped */
	uint16_t offset, length;
};

struct pvr_netback_tx {
	struct pvr_ring ring;
	struct pvr_host_area area;
	struct pvr_netback_credit credit;
	uint64_t wait_until; /* for credit; 0: not */
	int blocked;         /* the outside has no room now */
	/* The batch; nothing of it outlives a turn. */
	unsigned packets, pages, maps, answers;
	struct pvr_netback_tx_packet packet[PVR_NETBACK_TX_BATCH];
	struct pvr_netback_tx_page page[PVR_NETBACK_TX_SLOTS];
	uint16_t map_page[PVR_NETBACK_TX_SLOTS]; /* the page that map[] is for */
	struct pvr_host_map map[PVR_NETBACK_TX_SLOTS];
	struct netif_tx_response answer[PVR_NETBACK_TX_SLOTS];
};

/* Take a batch, pass it on, answer it: slots taken, or -EPROTO with queue->error set. */
int pvr_netback_tx_turn(struct pvr_netback_queue *queue, uint64_t now_ns);
/* Whether more could be taken, if there is any. */
int pvr_netback_tx_open(struct pvr_netback_queue *queue);

#endif
