/* SPDX-License-Identifier: MIT */
/*
 * What a backend is offered: rings and event channels, and the nodes that tell of them. Names of the
 * nodes: Xen's public io/blkif.h ("Multiple hardware queues/rings", ring-page-order).
 */
#include "internal.h"

#include <errno.h>

/* ---- a ring ---- */

static int ring_make(struct pvr_front *front, struct blkfront_ring *ring, uint32_t order)
{
	int r = pvr_front_pages_make(front, &ring->pages, 1u << order);

	if (r)
		return r;
	pvr_ring_front_init(&ring->ring, ring->pages.at, blkif_entries(PVR_PAGE_SIZE << order), 0);
	return pvr_front_channel_make(front, &ring->port);
}

unsigned blkfront_ring_free(struct blkfront_ring *ring, uint64_t deadline_ns)
{
	unsigned kept;

	if (ring->port)
		pvr_evtchn_close(ring->port);
	kept = pvr_front_pages_free(&ring->pages, deadline_ns);
	*ring = (struct blkfront_ring){0};
	return kept;
}

void blkfront_offer_drop(struct pvr_front *front)
{
	struct pvr_blkfront *disk = blkfront_disk(front);

	/* Nobody has used it, so a backend that has mapped it does not deserve patience. A queue's own
	 * counters are its owner's, who may be at work now. */
	for (unsigned i = 0; i < disk->queues; i++)
		disk->offers_leaked += blkfront_ring_free(&disk->queue[i].next, 0);
}

/* ---- nodes ---- */

static int write_ring(struct pvr_blkfront *disk, pvr_store_tx tx, unsigned index)
{
	const struct blkfront_ring *ring = &disk->queue[index].next;
	unsigned count = ring->pages.count;
	int r = 0;

	for (unsigned i = 0; i < count && !r; i++)
		r = pvr_front_write_queue(&disk->front, tx, disk->queues, index, "ring-ref",
			count > 1 ? (int)i : -1, ring->pages.ref[i]);
	return r ? r
		 : pvr_front_write_queue(
			   &disk->front, tx, disk->queues, index, "event-channel", -1, ring->port);
}

int blkfront_offer_write(struct pvr_front *front, pvr_store_tx tx)
{
	struct pvr_blkfront *disk = blkfront_disk(front);
	int r = pvr_xenbus_write(&front->bus, tx, "protocol", XEN_IO_PROTO_ABI_NATIVE);

	if (!r)
		r = pvr_front_write_optional(
			front, tx, "multi-queue-num-queues", disk->queues, disk->queues > 1);
	if (!r)
		r = pvr_front_write_optional(front, tx, "ring-page-order", disk->info.ring_order,
			disk->info.ring_order > 0);
	if (!r)
		r = pvr_front_write_optional(
			front, tx, "feature-persistent", 1, disk->want.persistent != 0);
	for (unsigned i = 0; i < disk->queues && !r; i++)
		r = write_ring(disk, tx, i);
	return r;
}

/* ---- what both sides can ---- */

static int settle(struct pvr_blkfront *disk, int again)
{
	struct pvr_xenbus_dev *bus = &disk->front.bus;
	uint64_t order = pvr_xenbus_backend_u64(bus, "max-ring-page-order", 0);
	uint64_t queues = pvr_xenbus_backend_u64(bus, "multi-queue-max-queues", 1);

	disk->info.ring_order =
		order < disk->want.ring_order ? (uint32_t)order : disk->want.ring_order;
	disk->info.entries = blkif_entries(PVR_PAGE_SIZE << disk->info.ring_order);
	if (again)
		return queues < disk->queues && disk->queues > 1 ? -ENODEV : 0;
	disk->queues = queues < disk->want.queues ? (unsigned)queues : disk->want.queues;
	if (!disk->queues)
		disk->queues = 1;
	disk->info.queues = disk->queues;
	disk->slots = disk->info.entries;
	return 0;
}

int blkfront_offer_make(struct pvr_front *front, int again)
{
	struct pvr_blkfront *disk = blkfront_disk(front);
	int r = settle(disk, again);

	for (unsigned i = 0; i < disk->queues && !r; i++)
		r = ring_make(front, &disk->queue[i].next, disk->info.ring_order);
	return r;
}
