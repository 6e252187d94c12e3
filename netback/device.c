/* SPDX-License-Identifier: MIT */
/* What is an interface's own in the life of a device. */
#include "device.h"

#include <errno.h>
#include <stdio.h>

#include "../backend/stats.h"
#include "configure.h"
#include "features.h"
#include "offer.h"
#include "serve.h"

_Static_assert(PVR_NETBACK_QUEUES_MAX <= PVR_BACK_RINGS, "each queue has a ring");
_Static_assert(PVR_NETBACK_LINE <= PVR_BACK_LINE, "one line");

static struct pvr_netback_device *device_of(struct pvr_back_device *base)
{
	return (struct pvr_netback_device *)base;
}

/* No worker has a queue of it. */
static void disconnect(struct pvr_netback_device *device)
{
	if (!device->vif)
		return;
	for (unsigned i = 0; i < PVR_NETBACK_QUEUES_MAX; i++)
		if (device->vif->queue[i])
			pvr_netback_queue_destroy(device->vif->queue[i]);
	pvr_netback_vif_destroy(device->vif);
	device->vif = NULL;
	pvr_netback_outside_disconnect(device->outside);
}

static void close_outside(struct pvr_netback_device *device)
{
	disconnect(device);
	pvr_netback_outside_close(device->outside);
	device->outside = NULL;
}

static void choose(const struct pvr_netback_device *device, struct pvr_netback_features *features)
{
	unsigned queues = device->spec.queues;

	if (queues > device->outside->queues_max)
		queues = device->outside->queues_max;
	pvr_netback_features_choose(features, device->without, device->outside->takes, queues);
}

static int wants_multicast(const struct pvr_netback_device *device)
{
	return !(device->without & PVR_NETBACK_NO_MULTICAST) &&
	       pvr_netback_offer_multicast(device->base.home->host, device->base.frontend);
}

static int open_stats(struct pvr_netback_device *device)
{
	struct pvr_back_stats head = {PVR_NETBACK_STATS_MAGIC, sizeof(struct pvr_netback_stats),
		device->base.domid, device->base.devid};

	if (!device->stats)
		device->stats = pvr_back_stats_open(device->base.home->dir, "vif", &head);
	return device->stats ? 0 : -ENOMEM;
}

static int prepare(
	struct pvr_back_device *base, struct pvr_back_nodes *nodes, char error[PVR_BACK_LINE])
{
	struct pvr_netback_device *device = device_of(base);
	struct pvr_netback_features features;
	int result = 0;

	disconnect(device);
	if (open_stats(device)) {
		snprintf(error, PVR_BACK_LINE, "no memory");
		return -ENOMEM;
	}
	/* Once it is open, what the nodes say is what it was made from. */
	if (!device->outside)
		result = pvr_netback_configure(device, error);
	if (!result && !device->outside)
		result = pvr_netback_outside_open(&device->spec, &device->outside, error);
	if (result)
		return result;
	choose(device, &features);
	pvr_netback_features_add(&features, nodes);
	pvr_back_nodes_add(nodes, "carrier", "1");
	device->carrier = 1;
	return 0;
}

/* All queues are there before a worker has the first. */
static const char *make_queues(
	struct pvr_netback_device *device, const struct pvr_netback_offer *offers)
{
	struct pvr_back_ring *rings[PVR_NETBACK_QUEUES_MAX];
	unsigned count = device->vif->facts.queues, made = 0;

	for (; made < count; made++) {
		struct pvr_netback_queue *queue =
			pvr_netback_queue_create(device->vif, made, &offers[made]);

		rings[made] = queue ? pvr_netback_ring_create(queue) : NULL;
		if (!rings[made])
			break;
	}
	for (unsigned i = 0; i < made; i++)
		if (made == count)
			pvr_back_device_lend(&device->base, i, rings[i], i);
		else
			rings[i]->ops->destroy(rings[i]);
	if (made == count)
		return NULL;
	return device->base.taking_over ? "there is no journal" : "no memory for its rings";
}

static const char *offer(struct pvr_back_device *base)
{
	struct pvr_netback_device *device = device_of(base);
	struct pvr_netback_offer offers[PVR_NETBACK_QUEUES_MAX];
	struct pvr_netback_features features;
	struct pvr_netback_facts facts;
	const char *error;

	disconnect(device); /* it may be another offer of the same rings */
	choose(device, &features);
	if (base->taking_over) /* what was agreed upon holds, however many workers we are */
		features.queues = device->outside->queues_max;
	error = pvr_netback_offer_read(base->home->host, base->frontend, &features, &facts, offers);
	if (!error && base->taking_over && (facts.control || wants_multicast(device)))
		error = "what it has asked for by its control ring, or of groups, is forgotten";
	if (error)
		return error;
	if (pvr_netback_outside_connect(device->outside, &facts))
		return "its outside does not connect";
	device->vif = pvr_netback_vif_create(&device->spec, &facts, device->outside, device->stats);
	if (!device->vif) {
		pvr_netback_outside_disconnect(device->outside);
		return "no memory for its queues";
	}
	device->vif->journal = (struct pvr_netback_journal_of){
		base->home->dir, base->serving, base->taking_over};
	if (base->taking_over)
		device->carrier = -1; /* what the last backend wrote is not known */
	atomic_store_explicit(
		&device->vif->multicast_control, wants_multicast(device), memory_order_relaxed);
	return make_queues(device, offers);
}

/* The carrier is gone while a queue's buffers are. Other frontends do not know the node. */
static void tell_carrier(struct pvr_netback_device *device)
{
	int carrier = !atomic_load_explicit(&device->vif->stalled, memory_order_relaxed);
	char path[96];

	if (carrier == device->carrier)
		return;
	snprintf(path, sizeof(path), "%s/carrier", device->base.path);
	if (pvr_host_store_write(device->base.home->host, 0, path, carrier ? "1" : "0"))
		return;
	device->carrier = carrier;
	atomic_store_explicit(&device->stats->carrier, (uint64_t)carrier, memory_order_relaxed);
}

static enum pvr_back_change look(struct pvr_back_device *base)
{
	struct pvr_netback_device *device = device_of(base);

	if (!device->vif)
		return PVR_BACK_SAME;
	tell_carrier(device);
	atomic_store_explicit(
		&device->vif->multicast_control, wants_multicast(device), memory_order_relaxed);
	return PVR_BACK_SAME;
}

/* The TAP stays for a frontend that comes back. */
static void closed(struct pvr_back_device *base, int anew)
{
	if (anew)
		close_outside(device_of(base));
	else
		disconnect(device_of(base));
}

static void destroy(struct pvr_back_device *base)
{
	struct pvr_netback_device *device = device_of(base);

	close_outside(device);
	pvr_back_stats_close(device->stats, base->home->dir, "vif");
}

static const char *const front_watched[] = {"request-multicast-control", NULL};

const struct pvr_back_kind pvr_netback_kind = {
	.program = "netback",
	.type = "vif",
	.front_watched = front_watched,
	.size = sizeof(struct pvr_netback_device),
	.turn = &pvr_netback_turn_ops,
	.front_jumps = 1,
	.prepare = prepare,
	.offer = offer,
	.look = look,
	.closed = closed,
	.destroy = destroy,
};
