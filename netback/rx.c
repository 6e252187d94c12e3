/* SPDX-License-Identifier: MIT */
/* Reads packets from the outside into the frontend's buffers, and what happens when there are none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outside.h"
#include "queue.h"

int pvr_netback_rx_init(struct pvr_netback_queue *queue)
{
	const struct pvr_netback_facts *facts = &queue->vif->facts;
	struct pvr_netback_rx *rx = &queue->rx;
	size_t room = pvr_netback_rx_room(queue), most = queue->vif->outside->packet_max;

	/* Never touched, and so no memory, unless a packet has to wait. */
	rx->bounce = malloc(PVR_NETBACK_PARCEL_MAX);
	if (!rx->bounce)
		return -ENOMEM;
	if (most >= PVR_NETBACK_PARCEL_MAX)
		most = PVR_NETBACK_PARCEL_MAX - 1;
	rx->slots = facts->sg ? (unsigned)((most + room - 1) / room) : 1;
	rx->guess = (facts->gso4 || facts->gso6 ? 1u : 0u) + (facts->headroom ? 1u : 0u);
	rx->full = rx->slots + rx->guess + 1; /* and one for a hash */
	return 0;
}

/* ---- one packet ---- */

static ssize_t read_outside(struct pvr_netback_queue *queue, const struct iovec *iov, int count)
{
	struct pvr_netback_outside *outside = queue->vif->outside;
	ssize_t n = outside->ops->read(outside, queue->index, iov, count);
	ssize_t header = sizeof(queue->rx.parcel.vnet);

	if (n < 0)
		return n;
	queue->rx.parcel.bytes = n > header ? (uint32_t)(n - header) : 0;
	return n;
}

/* The part of iov that holds the packet's bytes; how many pieces. */
static int trim(struct iovec *iov, int count, size_t bytes)
{
	int used = 0;

	for (; used < count && bytes; used++) {
		if (iov[used].iov_len > bytes)
			iov[used].iov_len = bytes;
		bytes -= iov[used].iov_len;
	}
	return used;
}

/*
 * Straight into the buffers. Where the slots after the first will stand depends on the extra infos,
 * which are known only then: as many as the last time are left out. What is too big shows by what
 * it leaves in the bounce buffer.
 */
static int receive_direct(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct iovec iov[2 + PVR_NETBACK_RX_SLOTS];
	size_t room = pvr_netback_rx_room(queue);
	unsigned guess = rx->guess;
	int count = 1;

	iov[0] = (struct iovec){&rx->parcel.vnet, sizeof(rx->parcel.vnet)};
	for (unsigned i = 0; i < rx->slots; i++) {
		uint8_t *page = pvr_netback_rx_buffer(rx, i ? i + guess : 0)->map.address;

		iov[count++] = (struct iovec){page + queue->vif->facts.headroom, room};
	}
	iov[count++] = (struct iovec){rx->bounce, PVR_NETBACK_PARCEL_MAX};
	if (read_outside(queue, iov, count) < 0)
		return 0;
	count = trim(iov + 1, count - 1, rx->parcel.bytes);
	if (pvr_netback_rx_examine(queue, iov + 1, count))
		pvr_netback_rx_deliver(queue, guess);
	return 1;
}

/* Into the bounce buffer, for want of buffers. */
static int receive_bounce(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct iovec iov[2] = {
		{&rx->parcel.vnet, sizeof(rx->parcel.vnet)}, {rx->bounce, PVR_NETBACK_PARCEL_MAX}};

	if (read_outside(queue, iov, 2) < 0)
		return 0;
	iov[1].iov_len = rx->parcel.bytes;
	rx->held = pvr_netback_rx_examine(queue, iov + 1, 1);
	return 1;
}

/* 1 when there was a packet, whatever became of it. */
static int receive(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;

	if (!rx->held && pvr_netback_rx_have(rx) &&
		pvr_netback_inbox_take(&queue->inbox, &rx->parcel, rx->bounce))
		rx->held = 1;
	if (rx->held) {
		if (pvr_netback_rx_deliver_bounce(queue) == PVR_NETBACK_WAITING)
			return 0;
		rx->held = 0;
		return 1;
	}
	if (pvr_netback_rx_have(rx) >= rx->full)
		return receive_direct(queue);
	return pvr_netback_rx_have(rx) ? receive_bounce(queue) : 0;
}

/* ---- without buffers ---- */

/* What waits is old by now, and waits for nobody knows what. */
static void drain(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct iovec iov[2] = {
		{&rx->parcel.vnet, sizeof(rx->parcel.vnet)}, {rx->bounce, PVR_NETBACK_PARCEL_MAX}};
	unsigned count = (unsigned)rx->held;

	rx->held = 0;
	while (count < PVR_NETBACK_RX_DRAIN &&
		pvr_netback_inbox_take(&queue->inbox, &rx->parcel, rx->bounce))
		count++;
	while (count < PVR_NETBACK_RX_DRAIN && read_outside(queue, iov, 2) >= 0)
		count++;
	pvr_netback_count(queue, &queue->counts.rx_dropped[PVR_NETBACK_DROP_NO_BUFFER], count);
}

static void set_stalled(struct pvr_netback_queue *queue, int stalled)
{
	struct pvr_netback_vif *vif = queue->vif;
	unsigned before;

	if (queue->rx.stalled == stalled)
		return;
	queue->rx.stalled = stalled;
	if (stalled) {
		before = atomic_fetch_add_explicit(&vif->stalled, 1, memory_order_relaxed);
		pvr_netback_count(queue, &queue->counts.stalls, 1);
	} else {
		before = atomic_fetch_sub_explicit(&vif->stalled, 1, memory_order_relaxed) - 1;
	}
	/* The first of the queues, or the last. */
	if (before == 0) {
		queue->carrier_changed = 1;
		atomic_store_explicit(&vif->stats->carrier, !stalled, memory_order_relaxed);
	}
}

static uint64_t patience(const struct pvr_netback_queue *queue)
{
	return queue->vif->facts.rx_notify ? PVR_NETBACK_DRAIN_NS : PVR_NETBACK_DRAIN_SILENT_NS;
}

/* A frontend that sends no events for buffers is not judged by them. */
static void look_at_time(struct pvr_netback_queue *queue, uint64_t now)
{
	struct pvr_netback_rx *rx = &queue->rx;

	if (pvr_netback_rx_open(queue)) {
		rx->starved = 0;
		set_stalled(queue, 0);
		return;
	}
	if (!rx->starved) {
		rx->starved = now;
		rx->drain_due = now + patience(queue);
	}
	if (now >= rx->drain_due) {
		drain(queue);
		rx->drain_due = now + patience(queue);
	}
	if (queue->vif->facts.rx_notify && now - rx->starved >= PVR_NETBACK_STALL_NS)
		set_stalled(queue, 1);
}

uint64_t pvr_netback_rx_due(const struct pvr_netback_queue *queue)
{
	return queue->rx.starved ? queue->rx.drain_due : UINT64_MAX;
}

/* ---- the turn ---- */

int pvr_netback_rx_open(const struct pvr_netback_queue *queue)
{
	return !queue->rx.held && pvr_netback_rx_have(&queue->rx) > 0;
}

int pvr_netback_rx_wants_buffers(const struct pvr_netback_queue *queue)
{
	return pvr_netback_rx_have(&queue->rx) < queue->rx.full;
}

int pvr_netback_rx_turn(struct pvr_netback_queue *queue, uint64_t now_ns)
{
	int work = 0;

	for (unsigned i = 0; i < PVR_NETBACK_RX_BATCH; i++) {
		int bad = pvr_netback_rx_fill(queue);

		if (bad < 0)
			return bad;
		work += bad;
		if (!receive(queue))
			break;
		work++;
	}
	pvr_netback_rx_flush(queue);
	look_at_time(queue, now_ns);
	return work;
}
