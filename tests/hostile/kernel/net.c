/* SPDX-License-Identifier: MIT */
/* The network's part of device.h: packets, buffers and control requests of random fields on three rings. */
#include <string.h>

#include <pvring/xen/netif.h>

#include "device.h"
#include "hostile.h"

enum { TX, RX, CTRL, RINGS };

static void offer(struct device *d)
{
	static const char *const features[] = {"request-rx-copy", "feature-rx-notify", "feature-sg",
		"feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload"};

	for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		device_node(d, features[i], !random_once(100));
	device_node(d, "tx-ring-ref", d->ref[TX]);
	device_node(d, "rx-ring-ref", d->ref[RX]);
	device_node(d, "ctrl-ring-ref", d->ref[CTRL]);
	device_node(d, "event-channel-tx", d->port[TX]);
	device_node(d, "event-channel-rx", d->port[RX]);
	device_node(d, "event-channel-ctrl", d->port[CTRL]);
	if (random_once(20))
		device_node(d, "multi-queue-num-queues", random_below(3));
	if (random_once(8))
		device_node(d, "xdp-headroom", random_below(300));
}

static void put_tx(struct device *d, void *at)
{
	struct netif_tx_request *request = at;

	if (random_once(20)) {
		random_words(at, sizeof(struct netif_extra_info));
		if (random_once(2))
			memcpy(at, (uint8_t[]){XEN_NETIF_EXTRA_TYPE_GSO, 0, 0xe8, 3, 1}, 5);
		return;
	}
	request->gref = device_ref(d);
	request->offset = (uint16_t)(random_once(200) ? random_bits() : random_below(2000));
	request->size = (uint16_t)(random_once(200) ? random_bits() : random_below(2090));
	request->flags = (uint16_t)(random_once(4) ? random_below(16) : random_below(2));
	request->id = (uint16_t)random_bits();
}

static void put(struct device *d, unsigned ring, uint32_t number)
{
	uint8_t *slots = d->page[ring] + sizeof(struct pvr_sring);
	struct xen_netif_ctrl_request *ctrl;
	struct netif_rx_request *rx;

	switch (ring) {
	case TX:
		put_tx(d, slots + number % 256 * sizeof(struct netif_tx_request));
		break;
	case RX:
		rx = (void *)(slots + number % 256 * sizeof(*rx));
		rx->id = (uint16_t)(random_once(16) ? random_bits() : number % 256);
		rx->gref = device_ref(d);
		break;
	default:
		ctrl = (void *)(slots + number % 128 * sizeof(*ctrl));
		random_words(ctrl, sizeof(*ctrl));
		ctrl->type = (uint16_t)random_below(12);
		ctrl->data[random_below(3)] = random_once(2) ? device_ref(d) : random_below(140);
		break;
	}
}

void net_part(unsigned rounds)
{
	static const char *const optional[] = {"multi-queue-num-queues", "xdp-headroom", NULL};
	static struct device net = {.path = "device/vif/0",
		.rings = RINGS,
		.optional = optional,
		.offer = offer,
		.put = put};

	device_part(&net, rounds);
}
