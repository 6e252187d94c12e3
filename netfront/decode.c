/* SPDX-License-Identifier: MIT */
/*
 * One received packet out of its slots (Xen's public io/netif.h). What can be skipped over safely makes
 * the packet useless; what cannot, because nothing after it could be believed, ends the interface.
 */
#include "decode.h"

#include <pvring/port.h>

#define HEADER_MIN 14u

struct decoding {
	const union netfront_rx_slot *slot;
	unsigned count, at;
	uint32_t index; /* of slot[0] */
	const struct netfront_rx_rules *rules;
	struct pvr_net_packet *packet;
	int useless;
};

static void take_gso(struct decoding *d, const struct netif_extra_info *extra)
{
	d->packet->gso_type = extra->u.gso.type;
	d->packet->gso_size = extra->u.gso.size;
	if (!d->rules->gso || !extra->u.gso.size ||
		(extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
			extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
		d->useless = 1;
}

static void take_hash(struct decoding *d, const struct netif_extra_info *extra)
{
	const uint8_t *value = extra->u.hash.value;

	d->packet->hash_algorithm = extra->u.hash.algorithm;
	d->packet->hash_type = extra->u.hash.type;
	/* io/netif.h: the least significant byte first. */
	d->packet->hash = (uint32_t)value[3] << 24 | (uint32_t)value[2] << 16 |
			  (uint32_t)value[1] << 8 | value[0];
}

/* The extra infos behind the first slot. */
static enum netfront_rx_verdict take_extras(struct decoding *d)
{
	const struct netif_extra_info *extra;
	unsigned extras = 0;

	do {
		if (++extras > NETFRONT_EXTRAS_MAX)
			return NETFRONT_RX_WRONG_EXTRAS;
		if (d->at == d->count)
			return NETFRONT_RX_MORE;
		extra = &d->slot[d->at++].extra;
		switch (extra->type) {
		case XEN_NETIF_EXTRA_TYPE_GSO:
			take_gso(d, extra);
			break;
		case XEN_NETIF_EXTRA_TYPE_HASH:
			take_hash(d, extra);
			break;
		case XEN_NETIF_EXTRA_TYPE_XDP:
			/* Room before the packet, which its offset says too. */
			break;
		default:
			d->useless = 1;
			break;
		}
	} while (extra->flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return NETFRONT_RX_PACKET;
}

/* One slot with data. An answer stands in the slot of its request, which is what its id names. */
static enum netfront_rx_verdict take_data(struct decoding *d)
{
	const struct netif_rx_response *response = &d->slot[d->at].response;
	uint32_t place = (d->index + d->at) & (d->rules->entries - 1);
	struct pvr_net_packet *packet = d->packet;
	uint32_t length;

	d->at++;
	if (response->id != place)
		return NETFRONT_RX_WRONG_SLOT;
	/* An error says nothing of the page. */
	if (response->status <= 0) {
		d->useless = 1;
		return NETFRONT_RX_PACKET;
	}
	length = (uint16_t)response->status;
	if (response->offset + length > PVR_PAGE_SIZE)
		return NETFRONT_RX_WRONG_RANGE;
	if (packet->count == PVR_NET_SLICES_MAX) {
		d->useless = 1;
		return NETFRONT_RX_PACKET;
	}
	packet->slice[packet->count++] =
		(struct pvr_net_slice){d->rules->pool + place * PVR_PAGE_SIZE + response->offset,
			(uint32_t)response->status};
	packet->bytes += length;
	return NETFRONT_RX_PACKET;
}

/* What may have been asked for by nobody, or is too short or too long to be a packet. */
static int is_usable(const struct decoding *d)
{
	const struct pvr_net_packet *packet = d->packet;

	return !d->useless && packet->slice[0].length >= HEADER_MIN &&
	       packet->bytes <= XEN_NETIF_MAX_TX_SIZE && (d->rules->sg || packet->count == 1) &&
	       (d->rules->csum || !(packet->flags & PVR_NET_CSUM_BLANK)) &&
	       (!packet->gso_type || packet->flags & PVR_NET_CSUM_BLANK);
}

static void take_flags(struct decoding *d, uint16_t flags)
{
	struct pvr_net_packet *packet = d->packet;

	packet->count = packet->bytes = 0;
	packet->flags = (uint16_t)((flags & NETRXF_csum_blank ? PVR_NET_CSUM_BLANK : 0) |
				   (flags & NETRXF_data_validated ? PVR_NET_DATA_VALIDATED : 0));
	packet->gso_type = XEN_NETIF_GSO_TYPE_NONE;
	packet->gso_size = 0;
	packet->hash_algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_NONE;
	packet->hash_type = 0;
	packet->hash = 0;
	packet->token = NULL;
	/* Its size would be in a slot without a packet; nobody was told that we know of it. */
	if (flags & NETRXF_gso_prefix)
		d->useless = 1;
}

enum netfront_rx_verdict netfront_rx_decode(const union netfront_rx_slot *slot, unsigned count,
	uint32_t index, const struct netfront_rx_rules *rules, struct pvr_net_packet *packet,
	unsigned *used)
{
	struct decoding d = {slot, count, 0, index, rules, packet, 0};
	uint16_t flags = slot[0].response.flags;
	enum netfront_rx_verdict verdict;

	take_flags(&d, flags);
	verdict = take_data(&d);
	if (verdict == NETFRONT_RX_PACKET && flags & NETRXF_extra_info)
		verdict = take_extras(&d);
	while (verdict == NETFRONT_RX_PACKET && flags & NETRXF_more_data) {
		if (d.at == count)
			return NETFRONT_RX_MORE;
		flags = slot[d.at].response.flags;
		verdict = take_data(&d);
	}
	*used = d.at;
	if (verdict != NETFRONT_RX_PACKET)
		return verdict;
	return packet->count && is_usable(&d) ? NETFRONT_RX_PACKET : NETFRONT_RX_DROP;
}
