/* SPDX-License-Identifier: MIT */
/* Receiving: pages posted on the rx ring, and packets taken from it. */
#include "internal.h"

#include <errno.h>
#include <string.h>

static uint32_t place_of(uint32_t index)
{
	return index & (NETFRONT_ENTRIES - 1);
}

/* ---- pages to the backend ---- */

void netfront_rx_post(struct pvr_netfront_queue *queue)
{
	struct pvr_ring *ring = &queue->live.rx;
	domid_t peer = queue->net->front.bus.backend_id;
	uint32_t count = pvr_ring_free(ring);

	if (!count)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t place = place_of(ring->prod);
		struct netif_rx_request wire = {
			.id = (uint16_t)place, .gref = queue->rx.ref[place]};

		if (!queue->is_static)
			pvr_grant_access(wire.gref, peer,
				pvr_port_gfn(queue->rx.pool + place * PVR_PAGE_SIZE), 0);
		netfront_rx_request_put(ring, &wire);
	}
	if (queue->is_static)
		queue->stats.grants_static += count;
	else
		queue->stats.grants += count;
	if (pvr_ring_publish_notify(ring)) {
		queue->stats.notifies++;
		pvr_evtchn_notify(queue->live.rx_port);
	}
}

/* Static grants end with the pools, whoever is the backend. */
int netfront_rx_end(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	const struct pvr_ring *ring = &queue->live.rx;
	int r = 0;

	for (uint32_t i = ring->cons; !queue->is_static && i != ring->prod; i++)
		if (pvr_front_grant_end(queue->rx.ref[place_of(i)], deadline_ns))
			r = -EBUSY;
	return r;
}

/* ---- packets from it ---- */

static const char *const wrongs[] = {
	[NETFRONT_RX_MORE] = "received packet has no end",
	[NETFRONT_RX_WRONG_SLOT] = "rx answer not in the slot of its request",
	[NETFRONT_RX_WRONG_RANGE] = "rx answer beyond its page",
	[NETFRONT_RX_WRONG_EXTRAS] = "extra infos of a received packet have no end",
};

/*
 * The pages of the next `used` slots are ours again, those under extra infos too: 0, or -EBUSY when the
 * backend keeps one.
 */
static int take_back(struct pvr_netfront_queue *queue, unsigned used)
{
	const struct pvr_ring *ring = &queue->live.rx;

	/* A backend that has died is allowed the time it takes to unmap its pages. */
	for (unsigned i = 0; i < used && !queue->is_static; i++) {
		grant_ref_t ref = queue->rx.ref[place_of(ring->cons + i)];

		if (pvr_grant_end(ref) &&
			(pvr_front_life(&queue->net->front) == PVR_FRONT_LIVE ||
				pvr_front_grant_end(
					ref, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS)))
			return -EBUSY;
	}
	return 0;
}

static void hand_up(struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	queue->stats.rx_packets++;
	queue->stats.rx_bytes += packet->bytes;
	queue->stats.rx_gso += packet->gso_type != XEN_NETIF_GSO_TYPE_NONE;
	queue->net->calls.received(queue->net->calls.user, queue, packet);
}

/* Up to `most` packets out of copied slots: how many; or -EPROTO, and the device has failed. */
static int take_batch(struct pvr_netfront_queue *queue, const union netfront_rx_slot *slot,
	unsigned count, const struct netfront_rx_rules *rules, unsigned most)
{
	struct pvr_ring *ring = &queue->live.rx;
	struct pvr_net_packet packet;
	unsigned at = 0, taken = 0;

	while (at < count && taken < most) {
		unsigned used = 0;
		enum netfront_rx_verdict verdict = netfront_rx_decode(
			slot + at, count - at, ring->cons, rules, &packet, &used);

		/* The rest of a packet that reaches beyond the batch is in the next one. */
		if (verdict == NETFRONT_RX_MORE && count == NETFRONT_BATCH && at)
			break;
		if (verdict > NETFRONT_RX_DROP) {
			pvr_front_fail(&queue->net->front, wrongs[verdict], ", index ", ring->cons);
			return -EPROTO;
		}
		if (take_back(queue, used)) {
			pvr_front_fail(&queue->net->front, "backend keeps a page it filled",
				", index ", ring->cons);
			return -EPROTO;
		}
		pvr_ring_consume(ring, used);
		at += used;
		taken++;
		if (verdict == NETFRONT_RX_PACKET)
			hand_up(queue, &packet);
		else
			queue->stats.rx_dropped++;
	}
	return (int)taken;
}

static unsigned copy_batch(struct pvr_ring *ring, unsigned pending, union netfront_rx_slot *slot)
{
	unsigned count = pending < NETFRONT_BATCH ? pending : NETFRONT_BATCH;

	for (unsigned i = 0; i < count; i++)
		netfront_rx_response_peek(ring, i, &slot[i]);
	return count;
}

int netfront_rx_take(struct pvr_netfront_queue *queue, unsigned budget)
{
	struct pvr_netfront *net = queue->net;
	struct pvr_ring *ring = &queue->live.rx;
	const struct netfront_rx_rules rules = {.pool = queue->rx.pool,
		.entries = NETFRONT_ENTRIES,
		.sg = !(net->want.without & PVR_NETFRONT_NO_SG),
		.gso = !(net->want.without & PVR_NETFRONT_NO_GSO),
		.csum = !(net->want.without & PVR_NETFRONT_NO_CSUM)};
	union netfront_rx_slot slot[NETFRONT_BATCH];
	unsigned taken = 0;

	while (taken < budget) {
		int pending = pvr_ring_pending(ring), n;

		if (pending < 0)
			pvr_front_fail(&net->front, "more rx answers than requests",
				", beyond index ", ring->cons);
		if (pending <= 0)
			break;
		n = take_batch(queue, slot, copy_batch(ring, (unsigned)pending, slot), &rules,
			budget - taken);
		if (n < 0)
			break;
		taken += (unsigned)n;
		/* Before a backend that is quick runs out of them. */
		if (pvr_front_is_current(&net->front, queue->version))
			netfront_rx_post(queue);
	}
	return (int)taken;
}
