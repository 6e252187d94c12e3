/* SPDX-License-Identifier: MIT */
/*
 * A queue of a disk: its shadows, indirect pages and pool of grants, made and taken down; and its move
 * from one ring to the next.
 */
#include "internal.h"

#include <errno.h>

/* ---- made ---- */

static int make_shadows(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	queue->shadow_pages = pvr_front_pages_for(disk->slots * sizeof(*queue->shadow));
	queue->shadow = pvr_port_pages_alloc(queue->shadow_pages);
	if (!queue->shadow)
		return -ENOMEM;
	for (uint32_t i = 0; i < disk->slots; i++) {
		queue->shadow[i].next = (uint16_t)(i + 1 < disk->slots ? i + 1 : BLKFRONT_NONE);
		queue->shadow[i].chain = BLKFRONT_NONE;
	}
	queue->free = 0;
	return 0;
}

/* A page a slot, which the backend may read whenever it likes: what it holds was written for it. */
static int make_indirect(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	if (disk->info.max_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return 0;
	queue->indirect = pvr_port_pages_alloc(disk->slots);
	if (!queue->indirect)
		return -ENOMEM;
	for (uint32_t i = 0; i < disk->slots; i++) {
		struct blkfront_shadow *shadow = &queue->shadow[i];
		void *page = (char *)queue->indirect + i * PVR_PAGE_SIZE;
		int r = pvr_grant_alloc(&shadow->indirect_ref, 1);

		if (r)
			return r;
		pvr_grant_access(
			shadow->indirect_ref, disk->front.bus.backend_id, pvr_port_gfn(page), 1);
		shadow->indirect = page;
		queue->indirect_count = i + 1;
	}
	return 0;
}

/* As many grants as a full ring can use, or what there are, but enough for the largest request. */
static int make_pool(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	uint32_t count = disk->slots * disk->info.max_segments;

	if (count > BLKFRONT_POOL_MAX)
		count = BLKFRONT_POOL_MAX;
	while (count > disk->info.max_segments && pvr_grant_available() < count)
		count /= 2;
	if (count < disk->info.max_segments)
		count = disk->info.max_segments;
	queue->pool_pages = pvr_front_pages_for(count * sizeof(*queue->pool));
	queue->pool = pvr_port_pages_alloc(queue->pool_pages);
	if (!queue->pool)
		return -ENOMEM;
	queue->free_grants = BLKFRONT_NONE;
	for (uint32_t i = 0; i < count; i++) {
		int r = pvr_grant_alloc(&queue->pool[i].ref, 1);

		if (r)
			return r;
		queue->pool_count = i + 1;
		queue->pool[i].next = queue->free_grants;
		queue->free_grants = (uint16_t)i;
	}
	return 0;
}

int blkfront_queue_make(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	int r = make_shadows(disk, queue);

	if (!r)
		r = make_indirect(disk, queue);
	if (!r)
		r = make_pool(disk, queue);
	return r;
}

/* ---- taken down ---- */

static void free_pool(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	for (unsigned i = 0; i < queue->pool_count; i++) {
		struct blkfront_grant *grant = &queue->pool[i];

		if (grant->ref == PVR_GRANT_NONE || pvr_front_grant_drop(grant->ref, deadline_ns))
			continue;
		if (grant->page)
			pvr_port_pages_free(grant->page, 1);
	}
	if (queue->pool)
		pvr_port_pages_free(queue->pool, queue->pool_pages);
}

/* The pages were allocated together, so they are lost together. */
static void free_indirect(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < queue->indirect_count; i++)
		kept += pvr_front_grant_drop(queue->shadow[i].indirect_ref, deadline_ns);
	if (queue->indirect && !kept)
		pvr_port_pages_free(queue->indirect, queue->disk->slots);
}

/* Also for one that is half made. Pages the backend keeps mapped are lost, with the references. */
void blkfront_queue_free(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	blkfront_ring_free(&queue->live, deadline_ns);
	free_pool(queue, deadline_ns);
	free_indirect(queue, deadline_ns);
	if (queue->shadow)
		pvr_port_pages_free(queue->shadow, queue->shadow_pages);
	*queue = (struct pvr_blkfront_queue){0};
}

/* ---- the next ring ---- */

/* What persistent grants the pool has are the last backend's: the next one maps them anew. */
static void end_persistent(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	for (unsigned i = 0; i < queue->pool_count; i++) {
		struct blkfront_grant *grant = &queue->pool[i];

		if (!grant->live)
			continue;
		grant->live = 0;
		if (pvr_front_grant_end(grant->ref, deadline_ns) == 0)
			continue;
		/* Without its page the element is of no use to copy through, but stays in its list. */
		pvr_grant_leak(grant->ref);
		queue->stats.grants_leaked++;
		grant->ref = PVR_GRANT_NONE;
	}
}

static void drop_lost_grants(struct pvr_blkfront_queue *queue)
{
	uint16_t *at = &queue->free_grants;

	while (*at != BLKFRONT_NONE)
		if (queue->pool[*at].ref == PVR_GRANT_NONE)
			*at = queue->pool[*at].next;
		else
			at = &queue->pool[*at].next;
}

/* Everything the old ring did not answer waits for the new one. */
static void move_requests(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	for (uint32_t i = 0; i < queue->disk->slots; i++) {
		struct blkfront_shadow *shadow = &queue->shadow[i];
		int busy;

		if (shadow->where != BLKFRONT_WIRED)
			continue;
		busy = blkfront_unwire(queue, shadow, deadline_ns);
		blkfront_chain_free(queue, shadow);
		if (busy) {
			blkfront_finish(queue, shadow, busy);
			continue;
		}
		shadow->where = BLKFRONT_WAITING;
		queue->waiting++;
		queue->stats.reissued++;
	}
}

static void move(struct pvr_blkfront_queue *queue, const struct blkfront_ring *next)
{
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;

	queue->stats.grants_leaked += blkfront_ring_free(&queue->live, deadline);
	queue->live = *next;
	move_requests(queue, deadline);
	end_persistent(queue, deadline);
	drop_lost_grants(queue);
}

void blkfront_queue_adopt(struct pvr_blkfront_queue *queue)
{
	struct pvr_blkfront *disk = queue->disk;
	struct blkfront_ring next;
	uint32_t version;

	/* What the last backend has answered is answered. `done` may submit: that waits. */
	blkfront_queue_take(queue);
	if (pvr_front_is_dead(&disk->front))
		return;
	pvr_mutex_lock(&disk->front.control);
	version = pvr_front_version(&disk->front);
	/* Another backend may have been lost while we looked: its rings are no good. */
	if (pvr_front_life(&disk->front) != PVR_FRONT_LIVE) {
		pvr_mutex_unlock(&disk->front.control);
		return;
	}
	next = queue->next;
	queue->next = (struct blkfront_ring){0};
	queue->facts = disk->info;
	pvr_mutex_unlock(&disk->front.control);
	if (next.pages.at)
		move(queue, &next);
	queue->version = version;
	blkfront_pump(queue);
	pvr_blkfront_kick(queue);
}
