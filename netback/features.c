/* SPDX-License-Identifier: MIT */
/*
 * The nodes of an interface that waits for its frontend. Source of names and meanings: io/netif.h;
 * of which of them are written before the frontend connects: what Linux's netback does.
 */
#include "features.h"

#include <pvring/netback.h>

#include "outside.h"

void pvr_netback_features_choose(
	struct pvr_netback_features *features, uint32_t without, unsigned takes, unsigned queues)
{
	int gso;

	features->queues = queues;
	features->sg = !(without & PVR_NETBACK_NO_SG);
	features->csum = !(without & PVR_NETBACK_NO_CSUM);
	/* Its segments are large, and their checksums are not complete. */
	gso = features->sg && features->csum && !(without & PVR_NETBACK_NO_GSO);
	features->gso4 = gso && takes & PVR_NETBACK_GSO4;
	features->gso6 = gso && takes & PVR_NETBACK_GSO6;
	features->split = !(without & PVR_NETBACK_NO_SPLIT);
	features->control = !(without & PVR_NETBACK_NO_CONTROL);
	features->multicast = !(without & PVR_NETBACK_NO_MULTICAST);
}

static void add(struct pvr_back_nodes *nodes, const char *name, unsigned value)
{
	pvr_back_nodes_add(nodes, name, "%u", value);
}

void pvr_netback_features_add(
	const struct pvr_netback_features *features, struct pvr_back_nodes *nodes)
{
	add(nodes, "feature-sg", features->sg != 0);
	add(nodes, "feature-gso-tcpv4", features->gso4 != 0);
	add(nodes, "feature-gso-tcpv6", features->gso6 != 0);
	/* IPv4's is there unless it is denied, IPv6's the other way round. */
	add(nodes, "feature-no-csum-offload", !features->csum);
	add(nodes, "feature-ipv6-csum-offload", features->csum != 0);
	add(nodes, "feature-rx-copy", 1);
	add(nodes, "feature-rx-flip", 0);
	add(nodes, "feature-multicast-control", features->multicast != 0);
	add(nodes, "feature-dynamic-multicast-control", features->multicast != 0);
	add(nodes, "feature-split-event-channels", features->split != 0);
	add(nodes, "multi-queue-max-queues", features->queues);
	add(nodes, "feature-ctrl-ring", features->control != 0);
	add(nodes, "feature-xdp-headroom", 1);
}
