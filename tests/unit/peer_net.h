/* SPDX-License-Identifier: MIT */
/*
 * A network backend in the test process: it maps the front's rings by their grants, answers the xenbus
 * states in the store and the control ring, takes what is sent and gives what a test wants, or does one
 * of the things a backend must not. It is strict: whatever it is sent that Linux's would not take, it
 * remembers in `faults`.
 */
#ifndef PVR_PEER_NET_H
#define PVR_PEER_NET_H

#include <pvring/netfront.h>
#include <pvring/ring.h>

#include "peer.h"

#define NET_PATH  "device/vif/0"
#define NET_FRONT "/local/domain/7/device/vif/0"
#define NET_BACK  "/local/domain/0/backend/vif/7/0"

union net_tx_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

union net_rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

PVR_RING_TYPE(net_tx, union net_tx_slot, struct netif_tx_response);
PVR_RING_TYPE(net_rx, struct netif_rx_request, union net_rx_slot);
PVR_RING_TYPE(net_ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

struct net_peer_queue {
	struct pvr_ring tx, rx;
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port;
};

/* A packet, sent or received, all of its bytes together. */
struct net_frame {
	uint8_t bytes[65536];
	uint32_t length;
	uint16_t flags; /* of the first slot */
	uint16_t slots; /* with data */
	uint16_t gso_size;
	uint8_t gso_type;
};

struct net_peer {
	struct net_peer_queue queue[PEER_QUEUES];
	unsigned faults;
	const char *fault; /* the latest */

	unsigned frames;
	struct net_frame last; /* that the front sent */
	int16_t status;        /* to answer with, instead of NETIF_RSP_OKAY */
	struct netif_extra_info mcast;
	unsigned used_static, used_once; /* data slots, by what served them */

	struct pvr_ring ctrl;
	grant_ref_t ctrl_ref;
	evtchn_port_t ctrl_port; /* 0: none */
	uint32_t static_size;    /* answer to GET_GREF_MAPPING_SIZE */
	unsigned refuse;         /* this type of control request is refused */
	int ctrl_deaf;
	unsigned slow;     /* this type of control request is answered late */
	uint16_t ctrl_lie; /* goes into the id of each answer */
	unsigned ctrl_requests;
	uint32_t hash_algorithm, hash_flags, hash_map_size;
	uint8_t hash_key[64];
	uint32_t hash_map[128];
};

#define NET_PEER_LATE_US 1500000 /* what `slow` is: longer than other answers are waited for */

extern struct net_peer net_peer;

/* A domain, a store and the device's nodes with every feature; the backend in InitWait. */
void net_peer_start(void);

/* Take one slot without answering; answer anything at all. Neither is published or told. */
int net_peer_tx_take(unsigned queue, union net_tx_slot *slot);
void net_peer_tx_put(unsigned queue, uint16_t id, int16_t status);

/*
 * Give the front a packet in slices of at most `slice` bytes, at `offset` in their pages; `extra` (count
 * of them) behind the first slot. Published and told. 0, or -EAGAIN without enough buffers.
 */
int net_peer_give(unsigned queue, const void *bytes, uint32_t length, uint32_t slice,
	uint16_t offset, uint16_t flags, const struct netif_extra_info *extra, unsigned extras);

/* Take a buffer, put any slot at all; publish and tell. */
int net_peer_rx_take(unsigned queue, struct netif_rx_request *request);
void net_peer_rx_put(unsigned queue, const union net_rx_slot *slot);
void net_peer_rx_answer(
	unsigned queue, uint16_t id, uint16_t offset, uint16_t flags, int16_t status);
void net_peer_tell(unsigned queue);

/* Attach to rings that the test has begun anew, in the same pages. */
void net_peer_attach(unsigned queue);

#endif
