/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a packet for the frontend: whether it wants it and can take it, which queue it
 * belongs to, and its responses.
 */
#include <string.h>

#include "queue.h"

#define PAGE       4096u
#define ETH_HEADER 14u

size_t pvr_netback_rx_room(const struct pvr_netback_queue *queue)
{
	return PAGE - queue->vif->facts.headroom;
}

static unsigned slots_of(const struct pvr_netback_queue *queue, uint32_t bytes)
{
	size_t room = pvr_netback_rx_room(queue);

	return (unsigned)((bytes + room - 1) / room);
}

static unsigned gso_of(const struct pvr_netback_parcel *parcel)
{
	return parcel->vnet.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
}

static unsigned extras_of(const struct pvr_netback_queue *queue)
{
	const struct pvr_netback_parcel *parcel = &queue->rx.parcel;

	return (gso_of(parcel) != VIRTIO_NET_HDR_GSO_NONE ? 1u : 0u) +
	       (parcel->hash_type >= 0 ? 1u : 0u) + (queue->vif->facts.headroom ? 1u : 0u);
}

void pvr_netback_rx_drop(struct pvr_netback_queue *queue, unsigned why)
{
	pvr_netback_count(queue, &queue->counts.rx_dropped[why], 1);
}

/* ---- deciding ---- */

static size_t copy_head(uint8_t head[PVR_NETBACK_HEAD], const struct iovec *iov, int count)
{
	size_t have = 0;

	for (int i = 0; i < count && have < PVR_NETBACK_HEAD; i++) {
		size_t take = PVR_NETBACK_HEAD - have;

		if (take > iov[i].iov_len)
			take = iov[i].iov_len;
		pvr_copy_once(head + have, iov[i].iov_base, take);
		have += take;
	}
	return have;
}

static void put_byte(const struct iovec *iov, int count, size_t at, uint8_t byte)
{
	for (int i = 0; i < count; i++) {
		if (at < iov[i].iov_len) {
			((uint8_t *)iov[i].iov_base)[at] = byte;
			return;
		}
		at -= iov[i].iov_len;
	}
}

/* In the packet itself: the frontend can spoil it there, but then only its own. */
static void complete_checksum(
	struct virtio_net_hdr *vnet, uint32_t bytes, const struct iovec *iov, int count)
{
	size_t at = (size_t)vnet->csum_start + vnet->csum_offset;

	if (at + 2 <= bytes) {
		uint16_t sum = pvr_netback_checksum(iov, count, vnet->csum_start);

		put_byte(iov, count, at, (uint8_t)sum);
		put_byte(iov, count, at + 1, (uint8_t)(sum >> 8));
	}
	memset(vnet, 0, sizeof(*vnet));
}

/*
 * netif says only that a checksum is blank, not where: the frontend looks for TCP or UDP itself. So
 * one that the outside has elsewhere (within a tunnel, say) is completed here, and one that the
 * frontend cannot take.
 */
static int can_be_blank(const struct pvr_netback_queue *queue, const uint8_t *head, size_t have)
{
	const struct pvr_netback_facts *facts = &queue->vif->facts;
	const struct virtio_net_hdr *vnet = &queue->rx.parcel.vnet;
	struct pvr_netback_headers headers;

	pvr_netback_headers_parse(head, have, &headers);
	if (!(headers.version == 4 ? facts->csum4 : facts->csum6))
		return 0;
	return headers.l4 == vnet->csum_start &&
	       pvr_netback_headers_csum(&headers, have) ==
		       (size_t)vnet->csum_start + vnet->csum_offset;
}

/* 0: a GSO packet that this frontend cannot take; nothing here cuts it. */
static int can_be_gso(const struct pvr_netback_queue *queue)
{
	const struct pvr_netback_facts *facts = &queue->vif->facts;

	switch (gso_of(&queue->rx.parcel)) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return 1;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return facts->gso4;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return facts->gso6;
	default:
		return 0;
	}
}

/* Hashes it; 1 when it belongs to another queue and was passed on, or lost on the way. */
static int steer(struct pvr_netback_queue *queue, const uint8_t *head, size_t have,
	const struct iovec *iov, int count)
{
	struct pvr_netback_parcel *parcel = &queue->rx.parcel;
	struct pvr_netback_vif *vif = queue->vif;
	unsigned target;

	parcel->hash_type =
		(int8_t)pvr_netback_hash_packet(&queue->hash, head, have, &parcel->hash);
	if (parcel->hash_type < 0)
		return 0;
	target = pvr_netback_hash_queue(&queue->hash, parcel->hash, vif->facts.queues);
	if (target == queue->index)
		return 0;
	if (pvr_netback_inbox_put(&vif->queue[target]->inbox, parcel, iov, count))
		pvr_netback_rx_drop(queue, PVR_NETBACK_DROP_NO_BUFFER);
	else
		pvr_netback_count(queue, &queue->counts.copied, parcel->bytes);
	return 1;
}

int pvr_netback_rx_examine(struct pvr_netback_queue *queue, const struct iovec *iov, int count)
{
	struct pvr_netback_parcel *parcel = &queue->rx.parcel;
	int blank = (parcel->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	uint8_t head[PVR_NETBACK_HEAD];
	size_t have = 0;

	if (parcel->bytes < ETH_HEADER)
		pvr_netback_rx_drop(queue, PVR_NETBACK_DROP_MALFORMED);
	else if (slots_of(queue, parcel->bytes) > queue->rx.slots || !can_be_gso(queue))
		pvr_netback_rx_drop(queue, PVR_NETBACK_DROP_TOO_BIG);
	else
		have = ETH_HEADER;
	if (!have)
		return 0;
	memcpy(head, iov[0].iov_base, ETH_HEADER);
	if (head[0] & 1 && !pvr_netback_mcast_wants(queue->vif, head)) {
		pvr_netback_rx_drop(queue, PVR_NETBACK_DROP_FILTERED);
		return 0;
	}
	if (blank || queue->hash.types)
		have = copy_head(head, iov, count);
	if (blank && !can_be_blank(queue, head, have)) {
		if (gso_of(parcel) != VIRTIO_NET_HDR_GSO_NONE) {
			pvr_netback_rx_drop(queue, PVR_NETBACK_DROP_TOO_BIG);
			return 0;
		}
		complete_checksum(&parcel->vnet, parcel->bytes, iov, count);
	}
	parcel->hash_type = -1;
	return !queue->hash.types || !steer(queue, head, have, iov, count);
}

/* ---- responses ---- */

static void answer_extra(
	struct pvr_netback_queue *queue, struct netif_extra_info extra, unsigned *left)
{
	union pvr_netback_rx_response response = {.extra = extra};

	response.extra.flags = --*left ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
	pvr_netback_rx_answer(queue, &response, 1);
}

static void answer_extras(struct pvr_netback_queue *queue, unsigned count)
{
	const struct pvr_netback_parcel *parcel = &queue->rx.parcel;
	struct netif_extra_info extra;

	if (gso_of(parcel) != VIRTIO_NET_HDR_GSO_NONE) {
		memset(&extra, 0, sizeof(extra));
		extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
		extra.u.gso.size = parcel->vnet.gso_size;
		extra.u.gso.type = gso_of(parcel) == VIRTIO_NET_HDR_GSO_TCPV4
					   ? XEN_NETIF_GSO_TYPE_TCPV4
					   : XEN_NETIF_GSO_TYPE_TCPV6;
		answer_extra(queue, extra, &count);
	}
	if (queue->vif->facts.headroom) {
		memset(&extra, 0, sizeof(extra));
		extra.type = XEN_NETIF_EXTRA_TYPE_XDP;
		extra.u.xdp.headroom = queue->vif->facts.headroom;
		answer_extra(queue, extra, &count);
	}
	if (parcel->hash_type >= 0) {
		memset(&extra, 0, sizeof(extra));
		extra.type = XEN_NETIF_EXTRA_TYPE_HASH;
		extra.u.hash.type = (uint8_t)parcel->hash_type;
		extra.u.hash.algorithm = queue->hash.algorithm;
		/* io/netif.h: the least significant byte first. */
		for (unsigned i = 0; i < 4; i++)
			extra.u.hash.value[i] = (uint8_t)(parcel->hash >> 8 * i);
		answer_extra(queue, extra, &count);
	}
}

static uint16_t flags_of(const struct pvr_netback_parcel *parcel)
{
	if (parcel->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return NETRXF_csum_blank | NETRXF_data_validated;
	return parcel->vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID ? NETRXF_data_validated : 0;
}

/* The first slot, the extra infos, the other slots. Every byte of a response is set (XSA-216). */
static void respond(struct pvr_netback_queue *queue, unsigned slots, unsigned extras)
{
	const struct pvr_netback_parcel *parcel = &queue->rx.parcel;
	size_t room = pvr_netback_rx_room(queue), left = parcel->bytes;

	for (unsigned i = 0; i < slots; i++) {
		size_t length = left < room ? left : room;
		union pvr_netback_rx_response response = {
			.response = {
				.offset = queue->vif->facts.headroom, .status = (int16_t)length}};

		left -= length;
		response.response.flags = i + 1 < slots ? NETRXF_more_data : 0;
		if (i == 0)
			response.response.flags =
				(uint16_t)(response.response.flags | flags_of(parcel) |
					   (extras ? NETRXF_extra_info : 0));
		pvr_netback_rx_answer(queue, &response, 0);
		if (i == 0)
			answer_extras(queue, extras);
	}
	pvr_netback_count(queue, &queue->counts.rx_packets, 1);
	pvr_netback_count(queue, &queue->counts.rx_bytes, parcel->bytes);
	if (gso_of(parcel) != VIRTIO_NET_HDR_GSO_NONE)
		pvr_netback_count(queue, &queue->counts.rx_gso, 1);
}

static uint8_t *data_of(struct pvr_netback_queue *queue, unsigned n)
{
	return (uint8_t *)pvr_netback_rx_buffer(&queue->rx, n)->map.address +
	       queue->vif->facts.headroom;
}

/* Other extra infos than were expected: what lies in the wrong buffers moves, last or first first.
 */
static void move(struct pvr_netback_queue *queue, unsigned slots, unsigned from, unsigned to)
{
	size_t room = pvr_netback_rx_room(queue);

	for (unsigned i = 1; i < slots; i++) {
		unsigned slot = to < from ? i : slots - i;

		memcpy(data_of(queue, slot + to), data_of(queue, slot + from), room);
		pvr_netback_count(queue, &queue->counts.copied, room);
	}
}

void pvr_netback_rx_deliver(struct pvr_netback_queue *queue, unsigned guess)
{
	unsigned slots = slots_of(queue, queue->rx.parcel.bytes), extras = extras_of(queue);

	if (slots > 1 && extras != guess)
		move(queue, slots, guess, extras);
	if (slots > 1)
		queue->rx.guess = extras;
	respond(queue, slots, extras);
}

enum pvr_netback_fate pvr_netback_rx_deliver_bounce(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;
	unsigned slots = slots_of(queue, rx->parcel.bytes), extras = extras_of(queue);
	size_t room = pvr_netback_rx_room(queue), done = 0;

	if (slots + extras > pvr_netback_rx_have(rx))
		return PVR_NETBACK_WAITING;
	for (unsigned i = 0; i < slots; i++) {
		size_t length = rx->parcel.bytes - done;

		if (length > room)
			length = room;
		memcpy(data_of(queue, i ? i + extras : 0), rx->bounce + done, length);
		done += length;
	}
	pvr_netback_count(queue, &queue->counts.copied, done);
	respond(queue, slots, extras);
	return PVR_NETBACK_TAKEN;
}
