/* SPDX-License-Identifier: MIT */
/* The slots of a packet. See packet.h. */
#include "packet.h"

#include <string.h>

#define PAGE       4096u
#define ETH_HEADER 14u

void pvr_netback_packet_begin(struct pvr_netback_packet *packet)
{
	packet->error = NULL;
	packet->count = 0;
	packet->requests = 0;
	packet->extras = 0;
	packet->gso_size = 0;
	packet->gso_type = XEN_NETIF_GSO_TYPE_NONE;
	packet->mcast = 0;
	packet->more_data = 0;
	packet->more_extra = 0;
}

static enum pvr_netback_verdict broken(struct pvr_netback_packet *packet, const char *why)
{
	packet->error = why;
	return PVR_NETBACK_BROKEN;
}

/* The first reason stays; the rest of the packet is still read, to find its end. */
static void drop(struct pvr_netback_packet *packet, const char *why)
{
	if (!packet->error)
		packet->error = why;
}

/*
 * All slots are here: only now is it known how much of the packet the first one holds. It stands
 * first among the slices; one of no bytes is left out (XSA-448).
 */
static enum pvr_netback_verdict finish(struct pvr_netback_packet *packet)
{
	if (packet->error)
		return PVR_NETBACK_DONE;
	if (packet->first.offset + packet->rest > PAGE)
		return broken(packet, "a tx request reaches beyond its page");
	packet->slice[0] = packet->first;
	packet->slice[0].length = (uint16_t)packet->rest;
	if (packet->mcast)
		packet->count = 0;
	else if (packet->rest == 0)
		memmove(packet->slice, packet->slice + 1,
			--packet->count * sizeof(packet->slice[0]));
	return PVR_NETBACK_DONE;
}

static enum pvr_netback_verdict go_on(struct pvr_netback_packet *packet)
{
	return packet->more_extra || packet->more_data ? PVR_NETBACK_MORE : finish(packet);
}

static enum pvr_netback_verdict feed_first(
	struct pvr_netback_packet *packet, const struct netif_tx_request *request)
{
	packet->flags = request->flags;
	packet->bytes = request->size;
	packet->rest = request->size;
	packet->first = (struct pvr_netback_slice){request->gref, request->offset, 0};
	packet->requests = 1;
	packet->count = 1;
	packet->more_extra = (request->flags & NETTXF_extra_info) != 0;
	packet->more_data = (request->flags & NETTXF_more_data) != 0;
	/* A group to be joined needs no packet; whether this is one the extra infos tell. */
	if (request->size < ETH_HEADER && !packet->more_extra)
		drop(packet, "shorter than an Ethernet header");
	return go_on(packet);
}

static enum pvr_netback_verdict feed_gso(
	struct pvr_netback_packet *packet, const struct netif_extra_info *extra)
{
	if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
		extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
		return broken(packet, "an unknown GSO type");
	if (extra->u.gso.size == 0)
		return broken(packet, "a GSO size of 0");
	packet->gso_type = extra->u.gso.type;
	packet->gso_size = extra->u.gso.size;
	return PVR_NETBACK_MORE;
}

static enum pvr_netback_verdict feed_extra(
	struct pvr_netback_packet *packet, const struct netif_extra_info *extra)
{
	enum pvr_netback_verdict verdict = PVR_NETBACK_MORE;

	if (++packet->extras > PVR_NETBACK_EXTRAS_MAX)
		return broken(packet, "too many extra infos");
	switch (extra->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		verdict = feed_gso(packet, extra);
		break;
	case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
	case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
		packet->mcast = extra->type;
		memcpy(packet->mac, extra->u.mcast.addr, sizeof(packet->mac));
		break;
	case XEN_NETIF_EXTRA_TYPE_HASH: /* the frontend's own; nothing here needs it */
	case XEN_NETIF_EXTRA_TYPE_XDP:
		break;
	default:
		return broken(packet, "an unknown extra info");
	}
	if (verdict == PVR_NETBACK_BROKEN)
		return verdict;
	packet->more_extra = (extra->flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
	if (!packet->more_extra && !packet->mcast && packet->bytes < ETH_HEADER)
		drop(packet, "shorter than an Ethernet header");
	return go_on(packet);
}

static enum pvr_netback_verdict feed_next(
	struct pvr_netback_packet *packet, const struct netif_tx_request *request)
{
	if (++packet->requests > PVR_NETBACK_SLOTS_FATAL)
		return broken(packet, "a packet of over 20 slots");
	if (packet->requests > PVR_NETBACK_SLICES_MAX)
		drop(packet, "too many slots");
	if (request->offset + request->size > PAGE)
		return broken(packet, "a tx request reaches beyond its page");
	if (request->size > packet->rest)
		drop(packet, "the slots hold more than the packet");
	packet->more_data = (request->flags & NETTXF_more_data) != 0;
	if (!packet->error) {
		packet->rest -= request->size;
		if (request->size)
			packet->slice[packet->count++] = (struct pvr_netback_slice){
				request->gref, request->offset, request->size};
	}
	return go_on(packet);
}

enum pvr_netback_verdict pvr_netback_packet_feed(
	struct pvr_netback_packet *packet, const union pvr_netback_slot *slot, int *is_extra)
{
	*is_extra = packet->more_extra;
	if (packet->more_extra)
		return feed_extra(packet, &slot->extra);
	if (packet->requests == 0)
		return feed_first(packet, &slot->request);
	return feed_next(packet, &slot->request);
}
