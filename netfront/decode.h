/* SPDX-License-Identifier: MIT */
/*
 * What the backend put on the rx ring, decoded: a chain of slots becomes a packet, or the reason why
 * not. Pure: the slots are private copies.
 */
#ifndef PVR_NETFRONT_DECODE_H
#define PVR_NETFRONT_DECODE_H

#include <pvring/netfront.h>

/* Extra infos of one packet: there are five kinds. */
#define NETFRONT_EXTRAS_MAX XEN_NETIF_EXTRA_TYPE_MAX

/* More slots than any packet has: one that has not ended by then never will. */
#define NETFRONT_BATCH 64u

union netfront_rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

/* What we told the backend that we take, and where its answers lie. */
struct netfront_rx_rules {
	uint8_t *pool;    /* a page for each slot of the ring */
	uint32_t entries; /* a power of two */
	uint8_t sg, gso, csum;
};

enum netfront_rx_verdict {
	NETFRONT_RX_PACKET,
	NETFRONT_RX_DROP, /* well-formed, but of no use */
	NETFRONT_RX_MORE, /* the packet has more slots than these */
	/* What no backend may do: */
	NETFRONT_RX_WRONG_SLOT,
	NETFRONT_RX_WRONG_RANGE,
	NETFRONT_RX_WRONG_EXTRAS,
};

/*
 * Decode the packet that begins in slot[0], which stands at ring index `index`; count >= 1. *used: its
 * slots, for PACKET and DROP. The slices of *packet are complete for PACKET only.
 */
enum netfront_rx_verdict netfront_rx_decode(const union netfront_rx_slot *slot, unsigned count,
	uint32_t index, const struct netfront_rx_rules *rules, struct pvr_net_packet *packet,
	unsigned *used);

#endif
