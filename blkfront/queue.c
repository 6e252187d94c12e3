/* SPDX-License-Identifier: MIT */
/*
 * A queue of a disk: its ring pages, event channel, shadows and grant references, made and taken
 * down.
 */
#include "internal.h"

#include <errno.h>

#define RETRY_NS 1000000ull

int blkfront_grant_end(grant_ref_t ref, uint64_t deadline_ns)
{
	while (pvr_grant_end(ref)) {
		if (pvr_port_now_ns() >= deadline_ns)
			return -EBUSY;
		pvr_pause(RETRY_NS);
	}
	return 0;
}

/* Shadows first, then max_segments references for each. */
static int make_shadows(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	uint32_t entries = disk->info.entries, segments = disk->info.max_segments;
	size_t bytes = entries * (sizeof(*queue->shadow) + segments * sizeof(grant_ref_t));
	grant_ref_t *grants;
	int r;

	queue->shadow_pages = (unsigned)((bytes + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE);
	queue->shadow = pvr_port_pages_alloc(queue->shadow_pages);
	if (!queue->shadow)
		return -ENOMEM;
	grants = (grant_ref_t *)(queue->shadow + entries);
	r = pvr_grant_alloc(grants, entries * segments);
	if (r)
		return r;
	queue->grants_count = entries * segments;
	for (uint32_t i = 0; i < entries; i++) {
		queue->shadow[i].grants = grants + i * segments;
		queue->shadow[i].next = (uint16_t)(i + 1);
	}
	return 0;
}

static int make_ring(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	int r;

	queue->pages = pvr_port_pages_alloc(1u << disk->info.ring_order);
	if (!queue->pages)
		return -ENOMEM;
	r = pvr_grant_alloc(queue->page_grants, 1u << disk->info.ring_order);
	if (r)
		return r;
	queue->pages_count = 1u << disk->info.ring_order;
	pvr_ring_front_init(&queue->ring, queue->pages, disk->info.entries, 0);
	for (unsigned i = 0; i < queue->pages_count; i++)
		pvr_grant_access(queue->page_grants[i], disk->bus.backend_id,
			pvr_port_gfn((char *)queue->pages + i * PVR_PAGE_SIZE), 0);
	return 0;
}

int blkfront_queue_make(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	int r;

	queue->disk = disk;
	r = make_shadows(disk, queue);

	if (!r)
		r = make_ring(disk, queue);
	if (!r) {
		r = pvr_evtchn_alloc_unbound(disk->bus.backend_id);
		if (r > 0)
			queue->port = (evtchn_port_t)r;
	}
	if (r > 0)
		return 0;
	blkfront_queue_free(disk, queue, 0);
	return r ? r : -ENOSPC;
}

/* Also for one that is half made. Pages the backend keeps mapped are lost, with the references. */
void blkfront_queue_free(
	struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	unsigned kept = 0;

	if (queue->port)
		pvr_evtchn_close(queue->port);
	for (unsigned i = 0; i < queue->pages_count; i++) {
		if (blkfront_grant_end(queue->page_grants[i], deadline_ns) == 0) {
			pvr_grant_free(&queue->page_grants[i], 1);
			continue;
		}
		pvr_grant_leak(queue->page_grants[i]);
		disk->stats.grants_leaked++;
		kept++;
	}
	/* The pages were allocated together, so they are lost together. */
	if (queue->pages && !kept)
		pvr_port_pages_free(queue->pages, 1u << disk->info.ring_order);
	for (uint32_t i = 0; i < queue->grants_count; i++) {
		grant_ref_t ref = queue->shadow[0].grants[i];

		if (ref != PVR_GRANT_NONE)
			pvr_grant_free(&ref, 1);
	}
	if (queue->shadow)
		pvr_port_pages_free(queue->shadow, queue->shadow_pages);
	*queue = (struct pvr_blkfront_queue){0};
}
