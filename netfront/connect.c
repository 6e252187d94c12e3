/* SPDX-License-Identifier: MIT */
/* An interface opened and closed. Nodes and states: Xen's public io/netif.h. */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

#define NET_PAGES pvr_front_pages_for(sizeof(struct pvr_netfront))

/* Between two looks at what is still to be sent when the interface closes. */
#define DRAIN_NS 100000ull

/* ---- a backend that is Connected ---- */

static int end_static(struct pvr_netfront *net)
{
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;
	int r = 0;

	for (unsigned i = 0; i < net->queues && !r; i++)
		r = netfront_static_end(net->queue[i], deadline);
	return r;
}

/* References may be too few, or the backend keep too few mappings: then a grant is given for each slot. */
static int begin_static(struct pvr_netfront *net)
{
	int r = 0;

	if (!net->info.control || net->want.without & PVR_NETFRONT_NO_STATIC)
		return 0;
	for (unsigned i = 0; i < net->queues && !r; i++)
		r = netfront_static_begin(net->queue[i]);
	if (!r)
		r = netfront_ctrl_static(net);
	if (r && end_static(net)) {
		pvr_front_fail(&net->front, "backend keeps pages it was not to keep",
			", queues: ", net->queues);
		return -EPROTO;
	}
	if (r)
		return 0;
	net->info.static_pages = NETFRONT_STATIC_PAGES;
	return 0;
}

static int first_time(struct pvr_netfront *net)
{
	int r = begin_static(net);

	for (unsigned i = 0; i < net->queues && !r; i++) {
		struct pvr_netfront_queue *queue = net->queue[i];

		queue->live = queue->next;
		queue->next = (struct netfront_rings){0};
		queue->facts = net->info;
	}
	return r;
}

static int settle(struct pvr_front *front, int again)
{
	struct pvr_netfront *net = netfront_of(front);
	int r = 0;

	netfront_ctrl_free(&net->ctrl, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
	net->ctrl = net->ctrl_next;
	net->ctrl_next = (struct netfront_ctrl){0};
	netfront_carrier_read(net);
	if (!again)
		r = first_time(net);
	else if (net->info.static_pages && netfront_ctrl_static(net))
		net->info.static_pages = 0;
	/* A backend without hashes is a backend all the same. */
	if (net->hash.map_count && netfront_ctrl_hash(net))
		pvr_port_log("netfront: the new backend does not hash as the last one did");
	return r;
}

static int nothing_changed(struct pvr_front *front)
{
	(void)front;
	return 0;
}

/* A backend that closes is not waited for: the network may lose packets. */
static int always_idle(struct pvr_front *front)
{
	(void)front;
	return 1;
}

static const struct pvr_front_ops ops = {
	.offered = XenbusStateConnected,
	.make = netfront_offer_make,
	.write = netfront_offer_write,
	.drop = netfront_offer_drop,
	.facts = settle,
	.changed = nothing_changed,
	.idle = always_idle,
};

/* ---- open ---- */

struct opening {
	const char *path;
	const struct pvr_netfront_options *options;
	const struct pvr_netfront_calls *calls;
	struct pvr_netfront **net;
};

static void fill_in(struct pvr_netfront *net, const struct opening *opening)
{
	if (opening->options)
		net->want = *opening->options;
	if (!net->want.queues)
		net->want.queues = 1;
	if (net->want.queues > PVR_NETFRONT_QUEUES_MAX)
		net->want.queues = PVR_NETFRONT_QUEUES_MAX;
	net->calls = *opening->calls;
	net->front.ops = &ops;
	net->front.reconnect_ns =
		net->want.reconnect_ns ? net->want.reconnect_ns : PVR_FRONT_RECONNECT_NS;
}

static int watch_carrier(struct pvr_netfront *net)
{
	char path[sizeof(net->carrier.path)];
	int r = pvr_text_path(net->front.bus.backend, "carrier", path, sizeof(path));

	return r ? r : pvr_store_watch(&net->carrier, path);
}

static void disconnect(struct pvr_netfront *net, uint64_t deadline_ns)
{
	int error = pvr_front_life(&net->front) == PVR_FRONT_FAILED ? EIO : ENODEV;
	uint64_t patience = pvr_front_disconnect(&net->front, deadline_ns);

	for (unsigned i = 0; i < net->queues; i++) {
		netfront_tx_end(net->queue[i], error, patience);
		netfront_queue_free(net->queue[i], patience);
	}
	netfront_ctrl_free(&net->ctrl, patience);
	netfront_ctrl_free(&net->ctrl_next, patience);
	pvr_store_unwatch(&net->carrier);
	pvr_xenbus_close(&net->front.bus);
	pvr_port_pages_free(net, NET_PAGES);
}

static int open_once(void *request, uint64_t deadline_ns)
{
	const struct opening *opening = request;
	struct pvr_netfront *net = pvr_port_pages_alloc(NET_PAGES);
	int r;

	if (!net)
		return -ENOMEM;
	fill_in(net, opening);
	r = pvr_xenbus_open(&net->front.bus, opening->path);
	if (!r) {
		r = watch_carrier(net);
		if (r)
			pvr_xenbus_close(&net->front.bus);
	}
	if (r) {
		pvr_port_pages_free(net, NET_PAGES);
		return r;
	}
	r = pvr_front_connect(&net->front, deadline_ns);
	if (r) {
		disconnect(net, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
		return r;
	}
	net->info.carrier = net->carrier_node;
	for (unsigned i = 0; i < net->queues; i++)
		netfront_rx_post(net->queue[i]);
	*opening->net = net;
	return 0;
}

int pvr_netfront_open(const char *path, const struct pvr_netfront_options *options,
	const struct pvr_netfront_calls *calls, uint64_t deadline_ns, struct pvr_netfront **net)
{
	struct opening opening = {path, options, calls, net};

	return pvr_front_open(open_once, &opening, deadline_ns);
}

/* ---- close ---- */

/* What was sent may still leave, while there is somebody who takes it. */
static void drain(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	const struct pvr_front *front = &queue->net->front;

	pvr_netfront_kick(queue);
	while (!netfront_tx_is_idle(queue) && pvr_front_is_current(front, queue->version) &&
		pvr_port_now_ns() < deadline_ns)
		if (!netfront_tx_take(queue))
			pvr_pause(DRAIN_NS);
}

void pvr_netfront_close(struct pvr_netfront *net)
{
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;

	for (unsigned i = 0; i < net->queues; i++)
		drain(net->queue[i], deadline);
	pvr_front_become(&net->front, PVR_FRONT_GONE);
	disconnect(net, pvr_port_now_ns() + PVR_FRONT_CLOSE_NS);
}

/* ---- what is known ---- */

const struct pvr_netfront_info *pvr_netfront_info(const struct pvr_netfront *net)
{
	return &net->info;
}

static void add_stats(struct pvr_netfront_stats *sum, const struct pvr_netfront_stats *one)
{
	sum->tx_packets += one->tx_packets;
	sum->tx_bytes += one->tx_bytes;
	sum->tx_errors += one->tx_errors;
	sum->rx_packets += one->rx_packets;
	sum->rx_bytes += one->rx_bytes;
	sum->rx_dropped += one->rx_dropped;
	sum->tx_gso += one->tx_gso;
	sum->rx_gso += one->rx_gso;
	sum->notifies += one->notifies;
	sum->events += one->events;
	sum->grants += one->grants;
	sum->grants_static += one->grants_static;
	sum->grants_leaked += one->grants_leaked;
}

void pvr_netfront_stats(const struct pvr_netfront *net, struct pvr_netfront_stats *stats)
{
	*stats = (struct pvr_netfront_stats){.reconnects = net->front.reconnects};
	for (unsigned i = 0; i < net->queues; i++)
		add_stats(stats, &net->queue[i]->stats);
}

struct pvr_netfront_queue *pvr_netfront_queue(struct pvr_netfront *net, unsigned index)
{
	return index < net->queues ? net->queue[index] : NULL;
}

unsigned pvr_netfront_queue_index(const struct pvr_netfront_queue *queue)
{
	return queue->index;
}
