/* SPDX-License-Identifier: MIT */
/* Sending: packets onto the tx ring, and the backend's answers to them. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define HEADER_MIN 14u

/* Ethernet, with one VLAN tag. */
#define HEADER_MAX 18u

/* ---- what can be sent: 0, or -EINVAL ---- */

static uint32_t offset_of(const struct pvr_net_slice *slice)
{
	return (uint32_t)((uintptr_t)slice->address & (PVR_PAGE_SIZE - 1));
}

static int check_slices(const struct pvr_net_packet *packet)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < packet->count; i++) {
		const struct pvr_net_slice *slice = &packet->slice[i];

		if (!slice->length || slice->length > PVR_PAGE_SIZE - offset_of(slice))
			return -EINVAL;
		bytes += slice->length;
	}
	return bytes == packet->bytes ? 0 : -EINVAL;
}

static int check_gso(const struct pvr_netfront_info *facts, const struct pvr_net_packet *packet)
{
	switch (packet->gso_type) {
	case XEN_NETIF_GSO_TYPE_NONE:
		return packet->bytes <= facts->mtu + HEADER_MAX ? 0 : -EINVAL;
	case XEN_NETIF_GSO_TYPE_TCPV4:
		return facts->gso4 && packet->gso_size ? 0 : -EINVAL;
	case XEN_NETIF_GSO_TYPE_TCPV6:
		return facts->gso6 && packet->gso_size ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* The backend finds out itself what a packet is; where it can do only one kind, so must we. */
static int check_blank(const struct pvr_netfront_info *facts, const struct pvr_net_packet *packet)
{
	const uint8_t *header = packet->slice[0].address;

	if (packet->gso_type || !(packet->flags & PVR_NET_CSUM_BLANK) ||
		(facts->csum4 && facts->csum6))
		return 0;
	if (packet->slice[0].length < HEADER_MIN)
		return -EINVAL;
	if (header[12] == 0x86 && header[13] == 0xdd)
		return facts->csum6 ? 0 : -EINVAL;
	return facts->csum4 ? 0 : -EINVAL;
}

static int check(const struct pvr_netfront_info *facts, const struct pvr_net_packet *packet)
{
	uint32_t most = facts->sg ? PVR_NET_SLICES_MAX : 1;

	if (packet->count - 1 >= most || packet->bytes < HEADER_MIN ||
		packet->bytes > XEN_NETIF_MAX_TX_SIZE || check_slices(packet) ||
		check_gso(facts, packet) || check_blank(facts, packet))
		return -EINVAL;
	return 0;
}

/* ---- onto the ring ---- */

/* 1 when `slots` can be put, with `ids` of them data; 0 when not now, or -ENODEV. */
static int has_room(const struct pvr_netfront_queue *queue, unsigned slots, unsigned ids)
{
	const struct pvr_front *front = &queue->net->front;

	if (!pvr_front_is_current(front, queue->version)) {
		enum pvr_front_life life = pvr_front_life(front);

		return life == PVR_FRONT_LIVE || life == PVR_FRONT_LOST ? 0 : -ENODEV;
	}
	return pvr_ring_free(&queue->live.tx) >= slots && queue->tx.ids_count >= ids;
}

/* The reference for a slice: its page's own, or one of the slot's for as long as it is in flight. */
static grant_ref_t grant(struct pvr_netfront_queue *queue, struct netfront_tx_slot *slot,
	const struct pvr_net_slice *slice)
{
	size_t into = (size_t)((uintptr_t)slice->address - (uintptr_t)queue->tx.pool);

	if (queue->is_static && into < (size_t)NETFRONT_ENTRIES * PVR_PAGE_SIZE) {
		slot->flags = 0;
		queue->stats.grants_static++;
		return queue->tx.ref[into / PVR_PAGE_SIZE];
	}
	pvr_grant_access(
		slot->ref, queue->net->front.bus.backend_id, pvr_port_gfn(slice->address), 1);
	slot->flags = NETFRONT_GRANTED;
	queue->stats.grants++;
	return slot->ref;
}

/* An id of the packet whose first is `first`; NONE: it is the first itself. */
static uint16_t take_id(struct pvr_netfront_queue *queue, uint16_t first)
{
	struct netfront_tx *tx = &queue->tx;
	uint16_t id = tx->ids[--tx->ids_count];

	tx->slot[id].first = first == NETFRONT_NONE ? id : first;
	tx->slot[id].at = (uint16_t)queue->live.tx.prod;
	return id;
}

static void put_extra(struct pvr_netfront_queue *queue, const struct netif_extra_info *extra)
{
	struct netif_tx_request wire = {0};

	_Static_assert(sizeof(*extra) <= sizeof(wire), "a slot has room for either");
	memcpy(&wire, extra, sizeof(*extra));
	netfront_tx_request_put(&queue->live.tx, &wire);
	queue->tx.extras++;
}

static void put_gso(struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

	extra.u.gso.size = packet->gso_size;
	extra.u.gso.type = packet->gso_type;
	put_extra(queue, &extra);
	queue->stats.tx_gso++;
}

static uint16_t wire_flags(const struct pvr_net_packet *packet)
{
	uint16_t flags = 0;

	if (packet->flags & PVR_NET_CSUM_BLANK || packet->gso_type)
		flags = NETTXF_csum_blank | NETTXF_data_validated;
	else if (packet->flags & PVR_NET_DATA_VALIDATED)
		flags = NETTXF_data_validated;
	if (packet->gso_type)
		flags |= NETTXF_extra_info;
	return flags;
}

/* Nothing can fail any more. */
static void put(struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	uint16_t first = take_id(queue, NETFRONT_NONE), id = first;
	struct netfront_tx_slot *head = &queue->tx.slot[first];
	uint16_t flags = wire_flags(packet);

	head->token = packet->token;
	head->left = (uint16_t)packet->count;
	head->error = 0;
	for (uint32_t i = 0; i < packet->count; i++) {
		const struct pvr_net_slice *slice = &packet->slice[i];
		struct netif_tx_request wire;

		if (i)
			id = take_id(queue, first);
		wire.gref = grant(queue, &queue->tx.slot[id], slice);
		wire.offset = (uint16_t)offset_of(slice);
		wire.flags = (uint16_t)(flags | (i + 1 < packet->count ? NETTXF_more_data : 0));
		wire.id = id;
		wire.size = (uint16_t)(i ? slice->length : packet->bytes);
		netfront_tx_request_put(&queue->live.tx, &wire);
		if (!i && packet->gso_type)
			put_gso(queue, packet);
		flags = 0;
	}
	queue->stats.tx_packets++;
	queue->stats.tx_bytes += packet->bytes;
}

int pvr_netfront_send(struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	int r;

	if (check(&queue->facts, packet))
		return -EINVAL;
	r = has_room(queue, packet->count + (packet->gso_type ? 1u : 0u), packet->count);
	if (r > 0)
		put(queue, packet);
	return r;
}

/* A request without data, whose extra info is all of it. */
int pvr_netfront_multicast(struct pvr_netfront_queue *queue, const uint8_t mac[6], int join)
{
	struct netif_extra_info extra = {0};
	struct netif_tx_request wire = {.flags = NETTXF_extra_info};
	int r;

	if (!queue->facts.multicast)
		return -EOPNOTSUPP;
	r = has_room(queue, 2, 1);
	if (r <= 0)
		return r;
	wire.id = take_id(queue, NETFRONT_NONE);
	queue->tx.slot[wire.id].left = 1;
	queue->tx.slot[wire.id].error = 0;
	queue->tx.slot[wire.id].flags = NETFRONT_QUIET;
	netfront_tx_request_put(&queue->live.tx, &wire);
	extra.type = join ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD : XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
	memcpy(extra.u.mcast.addr, mac, sizeof(extra.u.mcast.addr));
	put_extra(queue, &extra);
	return 1;
}

void pvr_netfront_kick(struct pvr_netfront_queue *queue)
{
	if (pvr_front_is_dead(&queue->net->front) || !pvr_ring_publish_notify(&queue->live.tx))
		return;
	queue->stats.notifies++;
	pvr_evtchn_notify(queue->live.tx_port);
}

unsigned pvr_netfront_free(const struct pvr_netfront_queue *queue)
{
	uint32_t room = pvr_ring_free(&queue->live.tx);

	return room < queue->tx.ids_count ? room : queue->tx.ids_count;
}

/* ---- answers ---- */

int netfront_tx_is_idle(const struct pvr_netfront_queue *queue)
{
	return queue->live.tx.prod == queue->live.tx.cons;
}

static void free_id(struct netfront_tx *tx, uint16_t id)
{
	if (tx->slot[id].ref != PVR_GRANT_NONE)
		tx->ids[tx->ids_count++] = id;
}

/*
 * A slot is over, and with its last one the packet, whose owner may take the ids for the next one at once.
 * 1 when it was the packet's last.
 */
static int finish(struct pvr_netfront_queue *queue, uint16_t id, uint8_t error)
{
	struct netfront_tx *tx = &queue->tx;
	uint16_t first = tx->slot[id].first;
	struct netfront_tx_slot *head = &tx->slot[first];
	void *token = head->token;

	tx->slot[id].first = NETFRONT_NONE;
	if (error && head->error != EBUSY)
		head->error = error;
	if (id != first)
		free_id(tx, id);
	if (--head->left)
		return 0;
	error = head->error;
	free_id(tx, first);
	if (head->flags & NETFRONT_QUIET)
		return 0;
	if (error)
		queue->stats.tx_errors++;
	queue->net->calls.sent(queue->net->calls.user, queue, token, -(int)error);
	return 1;
}

/* What is wrong with an answer, or NULL. */
static const char *wrong(
	const struct pvr_netfront_queue *queue, const struct netif_tx_response *answer)
{
	const struct netfront_tx_slot *slot;

	if (answer->status == NETIF_RSP_NULL)
		return queue->tx.extras ? NULL
					: "tx answer to an extra info that was not sent, id ";
	if (answer->id >= NETFRONT_ENTRIES)
		return "tx answer to an id out of range: ";
	slot = &queue->tx.slot[answer->id];
	/* What was queued but not published, the backend cannot have seen. */
	if (slot->first == NETFRONT_NONE ||
		(int16_t)((uint16_t)queue->live.tx.published - slot->at) <= 0)
		return "tx answer to an id not on the ring: ";
	return NULL;
}

/* One answer: how many packets it ended; a negative errno when it or its backend is wrong. */
static int take_one(struct pvr_netfront_queue *queue)
{
	struct pvr_front *front = &queue->net->front;
	struct netif_tx_response answer;
	struct netfront_tx_slot *slot;
	const char *what;

	netfront_tx_response_take(&queue->live.tx, &answer);
	what = wrong(queue, &answer);
	if (what) {
		pvr_front_fail(front, what, "", answer.id);
		return -EPROTO;
	}
	if (answer.status == NETIF_RSP_NULL) {
		queue->tx.extras--;
		return 0;
	}
	slot = &queue->tx.slot[answer.id];
	if (slot->flags & NETFRONT_GRANTED) {
		/* A backend that has died is allowed the time it takes to unmap its pages. */
		uint64_t deadline = pvr_front_life(front) == PVR_FRONT_LIVE
					    ? 0
					    : pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;

		if (pvr_front_grant_end(slot->ref, deadline)) {
			pvr_front_fail(front, "backend keeps the page of a packet it sent", ", id ",
				answer.id);
			return -EPROTO;
		}
		slot->flags = 0;
	}
	return finish(queue, answer.id, answer.status < 0 ? EIO : 0);
}

int netfront_tx_take(struct pvr_netfront_queue *queue)
{
	struct pvr_ring *ring = &queue->live.tx;
	int packets = 0, slots = 0;

	/* At most one ring full: `sent` may keep a fast backend busy for ever. */
	while (slots < (int)NETFRONT_ENTRIES) {
		int pending = pvr_ring_pending(ring);

		if (pending < 0)
			pvr_front_fail(&queue->net->front, "more tx answers than requests",
				", beyond index ", ring->cons);
		if (pending <= 0)
			break;
		for (int i = 0; i < pending; i++) {
			int r = take_one(queue);

			if (r < 0)
				return packets;
			packets += r;
		}
		slots += pending;
	}
	return packets;
}

int netfront_tx_end(struct pvr_netfront_queue *queue, int error, uint64_t deadline_ns)
{
	struct netfront_tx *tx = &queue->tx;
	int packets = 0;

	for (unsigned id = 0; id < NETFRONT_ENTRIES; id++) {
		struct netfront_tx_slot *slot = &tx->slot[id];
		int lost;

		if (slot->first == NETFRONT_NONE)
			continue;
		lost = slot->flags & NETFRONT_GRANTED &&
		       pvr_front_grant_end(slot->ref, deadline_ns);
		if (lost) {
			pvr_grant_leak(slot->ref);
			slot->ref = PVR_GRANT_NONE;
			queue->stats.grants_leaked++;
		}
		slot->flags &= (uint8_t)~NETFRONT_GRANTED;
		packets += finish(queue, (uint16_t)id, (uint8_t)(lost ? EBUSY : error));
	}
	tx->extras = 0;
	return packets;
}
