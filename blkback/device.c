/* SPDX-License-Identifier: MIT */
/* What is a disk's own in the life of a device. */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "configure.h"
#include "features.h"
#include "ring.h"

_Static_assert(PVR_BLKBACK_QUEUES_MAX <= PVR_BACK_RINGS, "each queue has a ring");
_Static_assert(PVR_BLKBACK_LINE <= PVR_BACK_LINE, "one line");

static struct pvr_blkback_device *device_of(struct pvr_back_device *base)
{
	return (struct pvr_blkback_device *)base;
}

static int prepare(
	struct pvr_back_device *base, struct pvr_back_nodes *nodes, char error[PVR_BACK_LINE])
{
	struct pvr_blkback_device *device = device_of(base);
	int result = pvr_blkback_device_configure(device, error);

	if (result)
		return result;
	if (!device->stats)
		device->stats = pvr_blkback_stats_open(base->home->dir, base->domid, base->devid);
	if (!device->stats) {
		snprintf(error, PVR_BACK_LINE, "no memory");
		return -ENOMEM;
	}
	pvr_back_nodes_add(nodes, "max-ring-page-order", "%u", PVR_BLKBACK_ORDER_MAX);
	/* The same, as others spell it. */
	pvr_back_nodes_add(nodes, "max-ring-pages", "%u", PVR_BLKBACK_PAGES_MAX);
	pvr_back_nodes_add(nodes, "multi-queue-max-queues", "%u", device->queues);
	return 0;
}

static const char *offer(struct pvr_back_device *base)
{
	struct pvr_blkback_device *device = device_of(base);
	struct pvr_blkback_limits *limits = &device->limits;
	int limited = limits->requests.per_second || limits->bytes.per_second;
	struct pvr_blkback_offer offers[PVR_BLKBACK_QUEUES_MAX];
	struct pvr_blkback_ring *rings[PVR_BLKBACK_QUEUES_MAX] = {NULL};
	struct pvr_blkback_journal_of of = {
		base->home->dir, base->serving, base->devid, base->taking_over};
	unsigned count = 0;
	/* What was agreed upon with the last backend holds, however many workers we are. */
	const char *error = pvr_blkback_offer_read(base->home->host, base->frontend,
		(domid_t)base->domid, of.again ? PVR_BLKBACK_QUEUES_MAX : device->queues, offers,
		&count);

	for (unsigned i = 0; !error && i < count; i++) {
		rings[i] = pvr_blkback_ring_create(
			&offers[i], &of, device->disk, device->stats, limited ? limits : NULL);
		if (!rings[i])
			error = of.again ? "there is no journal" : "no memory for its rings";
	}
	for (unsigned i = 0; i < count; i++) {
		if (error)
			pvr_blkback_ring_destroy(rings[i]);
		else
			pvr_back_device_lend(
				base, i, &rings[i]->base, device->disk->single_worker ? 0 : i);
	}
	return error;
}

static void announce(struct pvr_back_device *base, struct pvr_back_nodes *nodes)
{
	pvr_blkback_features(device_of(base)->disk, nodes);
}

/*
 * The toolstack has written node `resize`: the image may have grown or shrunk. The rings learn it
 * before the frontend does, which looks again when it sees our state written anew. Only the control
 * thread looks at facts.sectors; a ring has its own.
 */
static enum pvr_back_change resize(struct pvr_blkback_device *device)
{
	struct pvr_back_device *base = &device->base;
	uint64_t sectors;

	if (!device->disk)
		return PVR_BACK_CHANGED; /* it is measured when it is opened */
	sectors = pvr_blkback_disk_measure(device->disk);
	if (!sectors) {
		pvr_back_device_complain(base, "resize: the image has no size now");
		return PVR_BACK_CHANGED;
	}
	if (sectors == device->disk->facts.sectors)
		return PVR_BACK_CHANGED;
	device->disk->facts.sectors = sectors;
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++) {
		struct pvr_blkback_ring *ring = (struct pvr_blkback_ring *)base->lent[i].ring;

		if (ring)
			atomic_store_explicit(&ring->sectors, sectors, memory_order_relaxed);
	}
	return PVR_BACK_ANNOUNCE;
}

static enum pvr_back_change look(struct pvr_back_device *base)
{
	struct pvr_host *host = base->home->host;
	char path[96], text[16];
	int result = pvr_back_node_text(host, base->path, "resize", text, sizeof(text));

	if (result < 0 && result != -E2BIG)
		return PVR_BACK_SAME;
	snprintf(path, sizeof(path), "%s/resize", base->path);
	if (pvr_host_store_rm(host, 0, path))
		return PVR_BACK_SAME;
	return resize(device_of(base));
}

/* What the frontend knows may be what the image was when the last backend looked. */
static int outdated(struct pvr_back_device *base)
{
	char text[24], now[24];
	int length = pvr_back_node_text(
		base->home->host, base->path, "sectors", text, sizeof(text));

	snprintf(now, sizeof(now), "%" PRIu64, device_of(base)->disk->facts.sectors);
	return length < 0 || strcmp(text, now) != 0;
}

/* A file may be another by the time the frontend comes back; memory must still be the same. */
static void closed(struct pvr_back_device *base, int anew)
{
	struct pvr_blkback_device *device = device_of(base);

	if (!anew && device->disk && device->disk->kind == PVR_BLKBACK_MEM)
		return;
	pvr_blkback_disk_close(device->disk);
	device->disk = NULL;
}

static void destroy(struct pvr_back_device *base)
{
	struct pvr_blkback_device *device = device_of(base);

	pvr_blkback_disk_close(device->disk);
	pvr_blkback_stats_close(device->stats, base->home->dir);
}

static const char *const watched[] = {"resize", NULL};

const struct pvr_back_kind pvr_blkback_kind = {
	.program = "blkback",
	.type = "vbd",
	.watched = watched,
	.size = sizeof(struct pvr_blkback_device),
	.turn = &pvr_blkback_turn_ops,
	.prepare = prepare,
	.offer = offer,
	.announce = announce,
	.look = look,
	.outdated = outdated,
	.closed = closed,
	.destroy = destroy,
};
