/* SPDX-License-Identifier: MIT */
/*
 * What a backend is offered: rings and event channels, and the nodes that tell of them. Names of the
 * nodes: Xen's public io/blkif.h ("Multiple hardware queues/rings", ring-page-order).
 */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

/* Transactions lose against other writers now and then, but not for ever. */
#define TX_TRIES 16

/* ---- a ring ---- */

int blkfront_ring_make(struct pvr_blkfront *disk, struct blkfront_ring *ring, uint32_t order)
{
	unsigned count = 1u << order;
	int r;

	ring->pages = pvr_port_pages_alloc(count);
	if (!ring->pages)
		return -ENOMEM;
	ring->pages_count = count;
	r = pvr_grant_alloc(ring->page_grants, count);
	if (r)
		return r;
	ring->granted = count;
	pvr_ring_front_init(&ring->ring, ring->pages, blkif_entries(PVR_PAGE_SIZE << order), 0);
	for (unsigned i = 0; i < count; i++)
		pvr_grant_access(ring->page_grants[i], disk->bus.backend_id,
			pvr_port_gfn((char *)ring->pages + i * PVR_PAGE_SIZE), 0);
	r = pvr_evtchn_alloc_unbound(disk->bus.backend_id);
	if (r <= 0)
		return r ? r : -ENOSPC;
	ring->port = (evtchn_port_t)r;
	return 0;
}

unsigned blkfront_ring_free(struct blkfront_ring *ring, uint64_t deadline_ns)
{
	unsigned kept = 0;

	if (ring->port)
		pvr_evtchn_close(ring->port);
	for (unsigned i = 0; i < ring->granted; i++) {
		if (blkfront_grant_end(ring->page_grants[i], deadline_ns) == 0) {
			pvr_grant_free(&ring->page_grants[i], 1);
			continue;
		}
		pvr_grant_leak(ring->page_grants[i]);
		kept++;
	}
	/* The pages were allocated together, so they are lost together. */
	if (ring->pages && !kept)
		pvr_port_pages_free(ring->pages, ring->pages_count);
	*ring = (struct blkfront_ring){0};
	return kept;
}

void blkfront_offer_drop(struct pvr_blkfront *disk)
{
	/* Nobody has used it, so a backend that has mapped it does not deserve patience. */
	for (unsigned i = 0; i < disk->queues; i++)
		disk->queue[i].stats.grants_leaked += blkfront_ring_free(&disk->queue[i].next, 0);
}

/* ---- nodes ---- */

static int remove_node(struct pvr_blkfront *disk, pvr_store_tx tx, const char *name)
{
	char path[96];
	int r = pvr_text_path(disk->bus.path, name, path, sizeof(path));

	if (!r)
		r = pvr_store_rm(tx, path);
	return r == -ENOENT ? 0 : r;
}

/* "queue-N/name", or the name alone where there is one queue; with a number behind it, if any. */
static int write_named(struct pvr_blkfront *disk, pvr_store_tx tx, unsigned queue, const char *name,
	int number, uint64_t value)
{
	char path[48];
	struct pvr_text text;

	pvr_text_init(&text, path, sizeof(path));
	if (disk->queues > 1) {
		pvr_text_add(&text, "queue-");
		pvr_text_add_u64(&text, queue);
		pvr_text_add(&text, "/");
	}
	pvr_text_add(&text, name);
	if (number >= 0)
		pvr_text_add_u64(&text, (uint64_t)number);
	return pvr_xenbus_write_u64(&disk->bus, tx, path, value);
}

static int write_ring(struct pvr_blkfront *disk, pvr_store_tx tx, unsigned index)
{
	const struct blkfront_ring *ring = &disk->queue[index].next;
	int r = 0;

	if (ring->pages_count == 1)
		r = write_named(disk, tx, index, "ring-ref", -1, ring->page_grants[0]);
	for (unsigned i = 0; ring->pages_count > 1 && i < ring->pages_count && !r; i++)
		r = write_named(disk, tx, index, "ring-ref", (int)i, ring->page_grants[i]);
	return r ? r : write_named(disk, tx, index, "event-channel", -1, ring->port);
}

/* An earlier owner of the device may have written those which are optional. */
static int write_optional(
	struct pvr_blkfront *disk, pvr_store_tx tx, const char *name, uint64_t value, int wanted)
{
	return wanted ? pvr_xenbus_write_u64(&disk->bus, tx, name, value)
		      : remove_node(disk, tx, name);
}

static int write_offer(struct pvr_blkfront *disk, pvr_store_tx tx)
{
	int r = pvr_xenbus_write(&disk->bus, tx, "protocol", XEN_IO_PROTO_ABI_NATIVE);

	if (!r)
		r = write_optional(
			disk, tx, "multi-queue-num-queues", disk->queues, disk->queues > 1);
	if (!r)
		r = write_optional(disk, tx, "ring-page-order", disk->info.ring_order,
			disk->info.ring_order > 0);
	if (!r)
		r = write_optional(disk, tx, "feature-persistent", 1, disk->want.persistent != 0);
	for (unsigned i = 0; i < disk->queues && !r; i++)
		r = write_ring(disk, tx, i);
	return r;
}

/* All nodes or none become visible. */
static int publish(struct pvr_blkfront *disk)
{
	int r = -EAGAIN;

	for (int i = 0; i < TX_TRIES && r == -EAGAIN; i++) {
		pvr_store_tx tx;

		r = pvr_store_tx_start(&tx);
		if (r)
			return r;
		r = write_offer(disk, tx);
		if (r)
			pvr_store_tx_end(tx, 0);
		else
			r = pvr_store_tx_end(tx, 1);
	}
	return r;
}

/* How many queues and pages, as both sides can. */
static int settle(struct pvr_blkfront *disk, int reconnect)
{
	uint64_t order = pvr_xenbus_backend_u64(&disk->bus, "max-ring-page-order", 0);
	uint64_t queues = pvr_xenbus_backend_u64(&disk->bus, "multi-queue-max-queues", 1);

	disk->info.ring_order =
		order < disk->want.ring_order ? (uint32_t)order : disk->want.ring_order;
	disk->info.entries = blkif_entries(PVR_PAGE_SIZE << disk->info.ring_order);
	if (reconnect)
		return queues < disk->queues && disk->queues > 1 ? -ENODEV : 0;
	disk->queues = queues < disk->want.queues ? (unsigned)queues : disk->want.queues;
	if (!disk->queues)
		disk->queues = 1;
	disk->info.queues = disk->queues;
	disk->slots = disk->info.entries;
	return 0;
}

int blkfront_offer(struct pvr_blkfront *disk, int reconnect)
{
	int r = settle(disk, reconnect);

	blkfront_offer_drop(disk);
	for (unsigned i = 0; i < disk->queues && !r; i++)
		r = blkfront_ring_make(disk, &disk->queue[i].next, disk->info.ring_order);
	if (!r)
		r = publish(disk);
	if (!r)
		r = pvr_xenbus_switch(&disk->bus, 0, XenbusStateInitialised);
	if (r)
		blkfront_offer_drop(disk);
	return r;
}
