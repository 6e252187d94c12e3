/* SPDX-License-Identifier: MIT */
/*
 * What a backend is offered: rings and event channels, what we can receive, and the nodes that tell of
 * them. Names of the nodes: Xen's public io/netif.h.
 */
#include "internal.h"

#include <errno.h>

/* ---- rings ---- */

static int rings_make(struct pvr_netfront *net, struct netfront_rings *rings)
{
	struct pvr_front *front = &net->front;
	int r = pvr_front_pages_make(front, &rings->tx_page, 1);

	if (!r)
		r = pvr_front_pages_make(front, &rings->rx_page, 1);
	if (!r)
		r = pvr_front_channel_make(front, &rings->tx_port);
	if (!r && net->info.split)
		r = pvr_front_channel_make(front, &rings->rx_port);
	if (r)
		return r;
	if (!net->info.split)
		rings->rx_port = rings->tx_port;
	pvr_ring_front_init(&rings->tx, rings->tx_page.at, NETFRONT_ENTRIES, 0);
	pvr_ring_front_init(&rings->rx, rings->rx_page.at, NETFRONT_ENTRIES, 0);
	return 0;
}

unsigned netfront_rings_free(struct netfront_rings *rings, uint64_t deadline_ns)
{
	unsigned kept;

	if (rings->tx_port)
		pvr_evtchn_close(rings->tx_port);
	if (rings->rx_port && rings->rx_port != rings->tx_port)
		pvr_evtchn_close(rings->rx_port);
	kept = pvr_front_pages_free(&rings->tx_page, deadline_ns);
	kept += pvr_front_pages_free(&rings->rx_page, deadline_ns);
	*rings = (struct netfront_rings){0};
	return kept;
}

/* Nobody has used it, so a backend that has mapped it does not deserve patience. */
void netfront_offer_drop(struct pvr_front *front)
{
	struct pvr_netfront *net = netfront_of(front);

	for (unsigned i = 0; i < net->queues; i++)
		if (net->queue[i])
			netfront_rings_free(&net->queue[i]->next, 0);
	netfront_ctrl_free(&net->ctrl_next, 0);
}

/* ---- nodes ---- */

static int write_features(struct pvr_netfront *net, pvr_store_tx tx)
{
	const uint32_t without = net->want.without;
	/* A large packet takes several buffers, and its checksum is blank. */
	const int gso = !(without &
			  (PVR_NETFRONT_NO_GSO | PVR_NETFRONT_NO_SG | PVR_NETFRONT_NO_CSUM));
	const struct {
		const char *name;
		int value;
	} feature[] = {
		{"request-rx-copy", 1},
		{"feature-rx-notify", 1},
		{"feature-sg", !(without & PVR_NETFRONT_NO_SG)},
		{"feature-gso-tcpv4", gso},
		{"feature-gso-tcpv6", gso},
		{"feature-no-csum-offload", (without & PVR_NETFRONT_NO_CSUM) != 0},
		{"feature-ipv6-csum-offload", !(without & PVR_NETFRONT_NO_CSUM)},
		{"request-multicast-control", net->info.multicast != 0},
	};
	int r = 0;

	for (unsigned i = 0; i < sizeof(feature) / sizeof(feature[0]) && !r; i++)
		r = pvr_xenbus_write_u64(
			&net->front.bus, tx, feature[i].name, (uint64_t)feature[i].value);
	return r;
}

static int write_rings(struct pvr_netfront *net, pvr_store_tx tx, unsigned index)
{
	const struct netfront_rings *rings = &net->queue[index]->next;
	const struct {
		const char *name;
		uint32_t value;
	} node[] = {
		{"tx-ring-ref", rings->tx_page.ref[0]},
		{"rx-ring-ref", rings->rx_page.ref[0]},
		{net->info.split ? "event-channel-tx" : "event-channel", rings->tx_port},
		{"event-channel-rx", rings->rx_port},
	};
	unsigned count = net->info.split ? 4 : 3;
	int r = 0;

	for (unsigned i = 0; i < count && !r; i++)
		r = pvr_front_write_queue(
			&net->front, tx, net->queues, index, node[i].name, -1, node[i].value);
	return r;
}

int netfront_offer_write(struct pvr_front *front, pvr_store_tx tx)
{
	struct pvr_netfront *net = netfront_of(front);
	const struct netfront_ctrl *ctrl = &net->ctrl_next;
	int r = pvr_front_write_optional(
		front, tx, "multi-queue-num-queues", net->queues, net->queues > 1);

	if (!r)
		r = pvr_front_write_optional(
			front, tx, "ctrl-ring-ref", ctrl->page.ref[0], net->info.control != 0);
	if (!r)
		r = pvr_front_write_optional(
			front, tx, "event-channel-ctrl", ctrl->port, net->info.control != 0);
	if (!r)
		r = write_features(net, tx);
	for (unsigned i = 0; i < net->queues && !r; i++)
		r = write_rings(net, tx, i);
	return r;
}

/* ---- what both sides can ---- */

static int make_queues(struct pvr_netfront *net)
{
	uint64_t most = pvr_xenbus_backend_u64(&net->front.bus, "multi-queue-max-queues", 1);
	unsigned wanted = most < net->want.queues ? (unsigned)most : net->want.queues;

	net->info.entries = NETFRONT_ENTRIES;
	net->info.queues = wanted ? wanted : 1;
	for (net->queues = 0; net->queues < net->info.queues; net->queues++) {
		int r = netfront_queue_make(net, net->queues, &net->queue[net->queues]);

		if (r)
			return r;
	}
	return 0;
}

static int settle_queues(struct pvr_netfront *net, int again)
{
	if (!again)
		return make_queues(net);
	if (net->queues > 1 &&
		pvr_xenbus_backend_u64(&net->front.bus, "multi-queue-max-queues", 1) < net->queues)
		return -ENODEV;
	return 0;
}

int netfront_offer_make(struct pvr_front *front, int again)
{
	struct pvr_netfront *net = netfront_of(front);
	int r = netfront_facts_read(net);

	if (!r)
		r = settle_queues(net, again);
	for (unsigned i = 0; i < net->queues && !r; i++)
		r = rings_make(net, &net->queue[i]->next);
	if (!r && net->info.control)
		r = netfront_ctrl_make(front, &net->ctrl_next);
	return r;
}
