/* SPDX-License-Identifier: MIT */
/*
 * Reads a frontend's nodes. One queue's stand in the frontend's directory itself, those of several
 * in queue-0 and so on below it; everything else is common to all (io/netif.h). The old ways, page
 * flipping and a slot ahead of GSO packets, are not spoken: who asks for the second only gets none.
 */
#include "offer.h"

#include <errno.h>
#include <stdio.h>

#define PORT_MAX   131071u
#define PATH_BYTES 160

/* What it says wrongly it has not said. */
static uint8_t flag(struct pvr_host *host, const char *frontend, const char *name)
{
	uint32_t value = 0;

	return !pvr_back_node_number(host, frontend, name, 1, &value) && value;
}

int pvr_netback_offer_multicast(struct pvr_host *host, const char *frontend)
{
	return flag(host, frontend, "request-multicast-control");
}

static int read_port(
	struct pvr_host *host, const char *directory, const char *name, evtchn_port_t *port)
{
	int result = pvr_back_node_number(host, directory, name, PORT_MAX, port);

	return !result && !*port ? -EINVAL : result;
}

/* Two event channels, or one for both directions. */
static int read_ports(
	struct pvr_host *host, const char *directory, int split, struct pvr_netback_offer *offer)
{
	int result = -ENOENT;

	if (split)
		result = read_port(host, directory, "event-channel-tx", &offer->tx_port);
	if (result != -ENOENT)
		return result ? result
			      : read_port(host, directory, "event-channel-rx", &offer->rx_port);
	result = read_port(host, directory, "event-channel", &offer->tx_port);
	offer->rx_port = offer->tx_port;
	return result;
}

static const char *read_queue(
	struct pvr_host *host, const char *directory, int split, struct pvr_netback_offer *offer)
{
	if (pvr_back_node_number(host, directory, "tx-ring-ref", UINT32_MAX, &offer->tx_ref))
		return "tx-ring-ref: missing or not a number";
	if (pvr_back_node_number(host, directory, "rx-ring-ref", UINT32_MAX, &offer->rx_ref))
		return "rx-ring-ref: missing or not a number";
	if (read_ports(host, directory, split, offer))
		return "event-channel, or event-channel-tx and -rx: missing or not a port";
	return NULL;
}

static const char *read_control(
	struct pvr_host *host, const char *frontend, struct pvr_netback_facts *facts)
{
	int result = pvr_back_node_number(
		host, frontend, "ctrl-ring-ref", UINT32_MAX, &facts->control_ref);

	if (result == -ENOENT)
		return NULL;
	if (result)
		return "ctrl-ring-ref: not a number";
	if (read_port(host, frontend, "event-channel-ctrl", &facts->control_port))
		return "event-channel-ctrl: missing or not a port";
	facts->control = 1;
	return NULL;
}

static const char *read_facts(struct pvr_host *host, const char *frontend,
	const struct pvr_netback_features *offered, struct pvr_netback_facts *facts)
{
	uint32_t headroom = 0, queues = 1;
	int result;

	if (!flag(host, frontend, "request-rx-copy"))
		return "request-rx-copy: not 1; pages are not flipped";
	result = pvr_back_node_number(
		host, frontend, "xdp-headroom", PVR_NETBACK_HEADROOM_MAX, &headroom);
	if (result && result != -ENOENT)
		return "xdp-headroom: over its maximum or not a number";
	result = pvr_back_node_number(
		host, frontend, "multi-queue-num-queues", offered->queues, &queues);
	if ((result && result != -ENOENT) || queues == 0)
		return "multi-queue-num-queues: none, or more queues than were offered";
	*facts = (struct pvr_netback_facts){
		.queues = queues,
		.sg = flag(host, frontend, "feature-sg"),
		.csum4 = !flag(host, frontend, "feature-no-csum-offload"),
		.csum6 = flag(host, frontend, "feature-ipv6-csum-offload"),
		.rx_notify = flag(host, frontend, "feature-rx-notify"),
		.tx_gso = offered->gso4 || offered->gso6,
		.headroom = (uint16_t)headroom,
	};
	/* A large packet needs slots, and each of its segments a checksum. */
	facts->gso4 = facts->sg && facts->csum4 && flag(host, frontend, "feature-gso-tcpv4");
	facts->gso6 = facts->sg && facts->csum6 && flag(host, frontend, "feature-gso-tcpv6");
	return offered->control ? read_control(host, frontend, facts) : NULL;
}

const char *pvr_netback_offer_read(struct pvr_host *host, const char *frontend,
	const struct pvr_netback_features *offered, struct pvr_netback_facts *facts,
	struct pvr_netback_offer offers[PVR_NETBACK_QUEUES_MAX])
{
	const char *error = read_facts(host, frontend, offered, facts);

	for (unsigned i = 0; !error && i < facts->queues; i++) {
		char path[PATH_BYTES];

		snprintf(path, sizeof(path), facts->queues > 1 ? "%s/queue-%u" : "%s", frontend, i);
		error = read_queue(host, path, offered->split, &offers[i]);
	}
	return error;
}
