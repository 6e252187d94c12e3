/* SPDX-License-Identifier: MIT */
/* A queue's owner polls, and waits until there is something to poll for. */
#include "internal.h"

#include <errno.h>

static uint32_t carrier_fired(const struct pvr_netfront *net)
{
	return atomic_load_explicit(&net->carrier.fired, memory_order_acquire) !=
	       atomic_load_explicit(&net->carrier_seen, memory_order_relaxed);
}

/* All owners come to the same answer. */
static void renew_carrier(struct pvr_netfront *net)
{
	uint32_t carrier;

	if (carrier_fired(net) && pvr_mutex_trylock(&net->front.control)) {
		if (!pvr_front_is_dead(&net->front))
			netfront_carrier_read(net);
		pvr_mutex_unlock(&net->front.control);
	}
	carrier = pvr_front_life(&net->front) == PVR_FRONT_LIVE &&
		  atomic_load_explicit(&net->carrier_node, memory_order_relaxed);
	/* Others copy the facts under the lock; who does not get it now does in the next poll. */
	if (__atomic_load_n(&net->info.carrier, __ATOMIC_RELAXED) != carrier &&
		pvr_mutex_trylock(&net->front.control)) {
		__atomic_store_n(&net->info.carrier, carrier, __ATOMIC_RELAXED);
		pvr_mutex_unlock(&net->front.control);
	}
}

/* No ring is looked at any more after what made the device fail. */
static int take(struct pvr_netfront_queue *queue, unsigned budget)
{
	const struct pvr_front *front = &queue->net->front;
	int taken = 0;

	if (queue->ended)
		return 0;
	if (pvr_front_life(front) != PVR_FRONT_FAILED)
		taken = netfront_tx_take(queue);
	if (pvr_front_life(front) != PVR_FRONT_FAILED)
		taken += netfront_rx_take(queue, budget);
	return taken;
}

static int end(struct pvr_netfront_queue *queue)
{
	int error = pvr_front_life(&queue->net->front) == PVR_FRONT_FAILED ? EIO : ENODEV;

	if (queue->ended)
		return 0;
	queue->ended = 1;
	return netfront_tx_end(queue, error, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
}

int pvr_netfront_poll(struct pvr_netfront_queue *queue, unsigned budget)
{
	struct pvr_netfront *net = queue->net;
	struct pvr_front *front = &net->front;
	int taken = take(queue, budget);

	pvr_front_check_backend(front);
	renew_carrier(net);
	if (pvr_front_life(front) == PVR_FRONT_LIVE && pvr_front_version(front) != queue->version)
		netfront_queue_adopt(queue);
	if (!pvr_front_is_dead(front)) {
		if (pvr_front_is_current(front, queue->version))
			netfront_rx_post(queue);
		return taken;
	}
	taken += end(queue);
	return taken ? taken : -ENODEV;
}

/* ---- waiting ---- */

int pvr_netfront_arm(struct pvr_netfront_queue *queue)
{
	struct netfront_rings *live = &queue->live;
	/* Nobody is in a hurry to hear that a packet was sent. */
	uint32_t owed = live->tx.published - live->tx.cons;

	return pvr_front_is_dead(&queue->net->front) || pvr_ring_final_check(&live->rx) ||
	       pvr_ring_final_check_at(&live->tx, owed / 2 + 1) ||
	       pvr_front_has_news(&queue->net->front, queue->version) || carrier_fired(queue->net);
}

void pvr_netfront_ports(const struct pvr_netfront_queue *queue, evtchn_port_t ports[2])
{
	ports[0] = queue->live.rx_port;
	ports[1] = queue->live.tx_port == ports[0] ? 0 : queue->live.tx_port;
}

static int sleep_armed(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	struct pvr_front *front = &queue->net->front;
	evtchn_port_t ports[2];

	pvr_netfront_ports(queue, ports);
	while (!pvr_netfront_arm(queue)) {
		int r = pvr_front_sleep(front, ports, ports[1] ? 2 : 1, 1, deadline_ns);

		if (!r)
			queue->stats.events++;
		if (r != -ETIMEDOUT)
			return r;
		if (pvr_port_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (pvr_front_life(front) != PVR_FRONT_LIVE)
			break;
	}
	return 0;
}

int pvr_netfront_wait(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	struct netfront_rings *live = &queue->live;
	const struct pvr_front_look looks[2] = {
		{&live->rx, live->rx.cons}, {&live->tx, live->tx.cons}};
	uint64_t start;
	int r = 0;

	if (pvr_front_is_dead(&queue->net->front) || pvr_ring_pending(&live->rx) ||
		pvr_ring_pending(&live->tx))
		return 0;
	start = pvr_port_now_ns();
	if (!pvr_front_spin(looks, 2, queue->spin_ns, deadline_ns))
		r = sleep_armed(queue, deadline_ns);
	pvr_front_spin_learn(&queue->spin_ns, pvr_port_now_ns() - start);
	return r;
}
