/* SPDX-License-Identifier: MIT */
/*
 * From slots of a tx ring to a packet: pure, slot by slot. The first request gives the size of the
 * whole packet, the others that of their piece; extra infos stand between the first and the others
 * (pvring/xen/netif.h).
 *
 * What is wrong with a packet is of two kinds, as Linux's netback has them. Dropped: it is answered
 * with an error, the ring goes on. Broken: what follows cannot be told apart any more, or nobody
 * who means well does such a thing; the interface ends.
 */
#ifndef PVR_NETBACK_PACKET_H
#define PVR_NETBACK_PACKET_H

#include <stdint.h>

#include <pvring/xen/netif.h>

/*
 * io/netif.h guarantees 18 slots; Linux's netback takes 18 beyond the first, its netfront sends
 * them, and it breaks with a frontend that uses over 20.
 */
#define PVR_NETBACK_SLICES_MAX  19u
#define PVR_NETBACK_SLOTS_FATAL 20u
#define PVR_NETBACK_EXTRAS_MAX  6u /* one of each kind, and one over */

/* The copy of a slot of a tx ring. */
union pvr_netback_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

/* A piece of a packet within one page; length is not 0. */
struct pvr_netback_slice {
	grant_ref_t ref;
	uint16_t offset, length;
};

enum pvr_netback_verdict {
	PVR_NETBACK_MORE, /* the packet goes on in the next slot */
	PVR_NETBACK_DONE, /* it is whole, or to be dropped */
	PVR_NETBACK_BROKEN,
};

struct pvr_netback_packet {
	const char *error; /* DONE: why it is to be dropped, or NULL. BROKEN: why */
	unsigned count;    /* slices */
	uint32_t bytes;
	uint16_t flags; /* NETTXF_* of the first slot */
	uint16_t gso_size;
	uint8_t gso_type; /* XEN_NETIF_GSO_TYPE_* */
	uint8_t mcast;    /* XEN_NETIF_EXTRA_TYPE_MCAST_*: this is no packet, but */
	uint8_t mac[6];   /* a group to be joined or left */
	struct pvr_netback_slice slice[PVR_NETBACK_SLICES_MAX];
	/* The parser's own. */
	struct pvr_netback_slice first;
	unsigned requests, extras;
	uint32_t rest; /* bytes of the first slice, as far as is known */
	uint8_t more_data, more_extra;
};

void pvr_netback_packet_begin(struct pvr_netback_packet *packet);
/*
 * The next slot. *is_extra: it was an extra info, which is answered by NETIF_RSP_NULL. Nothing may
 * follow DONE or BROKEN.
 */
enum pvr_netback_verdict pvr_netback_packet_feed(
	struct pvr_netback_packet *packet, const union pvr_netback_slot *slot, int *is_extra);

#endif
