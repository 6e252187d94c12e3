/* SPDX-License-Identifier: MIT */
/*
 * Requests onto the ring: grants, segments, slots.
 *
 * A request whose segments are more than the backend takes, or than there are pages for, goes in parts,
 * one after the other; that happens when a backend is replaced by one that takes fewer, and with
 * barriers and flushes, for which the protocol has no indirect segments. Each part of such a request is
 * itself drained and durable, so the whole is.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

static uint32_t offset_of(const struct pvr_blk_segment *segment)
{
	return (uint32_t)((uintptr_t)segment->address & (PVR_PAGE_SIZE - 1));
}

static const struct pvr_blk_segment *segments_of(const struct blkfront_shadow *shadow)
{
	return shadow->request->segments + shadow->first;
}

/* ---- the pool ---- */

/* A page to copy through; the most recently used one, so that those in excess grow old. */
static int take_page(struct pvr_blkfront_queue *queue, struct blkfront_grant *grant)
{
	if (queue->disk->bounce && !grant->page)
		grant->page = pvr_port_pages_alloc(1);
	return !queue->disk->bounce || grant->page;
}

/* Up to `count` grants into the shadow's chain; how many. */
static uint16_t chain_take(
	struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, uint32_t count)
{
	uint16_t *at = &shadow->chain, taken = 0;

	while (taken < count && queue->free_grants != BLKFRONT_NONE) {
		struct blkfront_grant *grant = &queue->pool[queue->free_grants];

		if (!take_page(queue, grant))
			break;
		*at = queue->free_grants;
		queue->free_grants = grant->next;
		at = &grant->next;
		taken++;
	}
	*at = BLKFRONT_NONE;
	return taken;
}

void blkfront_chain_free(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow)
{
	uint16_t at = shadow->chain;

	while (at != BLKFRONT_NONE) {
		struct blkfront_grant *grant = &queue->pool[at];
		uint16_t next = grant->next;

		if (grant->live && !queue->facts.persistent) {
			/* It could not be ended: the peer has the page, and we neither. */
			pvr_grant_leak(grant->ref);
			queue->stats.grants_leaked++;
			grant->ref = PVR_GRANT_NONE;
			grant->live = 0;
		} else {
			grant->next = queue->free_grants;
			queue->free_grants = at;
		}
		at = next;
	}
	shadow->chain = BLKFRONT_NONE;
}

int blkfront_unwire(
	struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, uint64_t deadline_ns)
{
	int r = 0;

	if (queue->facts.persistent)
		return 0;
	for (uint16_t at = shadow->chain; at != BLKFRONT_NONE; at = queue->pool[at].next) {
		struct blkfront_grant *grant = &queue->pool[at];

		if (deadline_ns ? pvr_front_grant_end(grant->ref, deadline_ns)
				: pvr_grant_end(grant->ref))
			r = -EBUSY;
		else
			grant->live = 0;
	}
	/* What was copied through a page of ours leaves the request's own pages free. */
	return queue->disk->bounce && deadline_ns ? 0 : r;
}

/* ---- data ---- */

/*
 * XSA-403: what else is in a page must not be for a backend to see that is not trusted, and in one of
 * our own it is what another request left there.
 */
static void copy_in(const struct pvr_blkfront_queue *queue, const struct blkfront_grant *grant,
	const struct pvr_blk_segment *segment, int reads)
{
	if (queue->disk->want.untrusting)
		memset(grant->page, 0, PVR_PAGE_SIZE);
	if (!reads)
		memcpy((char *)grant->page + offset_of(segment), segment->address, segment->length);
}

void blkfront_copy_back(struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow)
{
	const struct pvr_blk_segment *segment = segments_of(shadow);
	uint16_t at = shadow->chain;

	if (!queue->disk->bounce || shadow->request->op != BLKIF_OP_READ)
		return;
	for (; at != BLKFRONT_NONE; at = queue->pool[at].next, segment++)
		memcpy(segment->address, (char *)queue->pool[at].page + offset_of(segment),
			segment->length);
}

static void grant_segment(struct pvr_blkfront_queue *queue, struct blkfront_grant *grant,
	const struct pvr_blk_segment *segment, int reads)
{
	const void *page = segment->address;
	domid_t peer = queue->disk->front.bus.backend_id;

	if (queue->disk->bounce) {
		copy_in(queue, grant, segment, reads);
		page = grant->page;
	}
	if (grant->live) {
		queue->stats.grants_reused++;
		return;
	}
	/* A persistent grant serves reads and writes alike. */
	pvr_grant_access(grant->ref, peer, pvr_port_gfn(page), !reads && !queue->facts.persistent);
	grant->live = 1;
}

static void fill_segments(struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow,
	struct blkif_request_segment *wire)
{
	const struct pvr_blk_segment *segment = segments_of(shadow);
	int reads = shadow->request->op == BLKIF_OP_READ;
	uint16_t at = shadow->chain;

	for (; at != BLKFRONT_NONE; at = queue->pool[at].next, segment++, wire++) {
		uint32_t first = offset_of(segment) / 512;

		grant_segment(queue, &queue->pool[at], segment, reads);
		wire->gref = queue->pool[at].ref;
		wire->first_sect = (uint8_t)first;
		wire->last_sect = (uint8_t)(first + segment->length / 512 - 1);
	}
}

/* ---- slots ---- */

static uint64_t sector_of(const struct blkfront_shadow *shadow)
{
	uint64_t sector = shadow->request->sector;

	for (uint32_t i = 0; i < shadow->first; i++)
		sector += shadow->request->segments[i].length / 512;
	return sector;
}

union blkfront_wire {
	struct blkif_request request;
	struct blkif_request_discard discard;
	struct blkif_request_indirect indirect;
};

static void fill_discard(const struct pvr_blkfront_queue *queue,
	const struct pvr_blk_request *request, struct blkif_request_discard *wire)
{
	wire->operation = request->op;
	wire->flag = request->secure ? BLKIF_DISCARD_SECURE : 0;
	wire->handle = queue->disk->handle;
	wire->sector_number = request->sector;
	wire->nr_sectors = request->discard_sectors;
}

static void fill_indirect(struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow,
	struct blkif_request_indirect *wire)
{
	wire->operation = BLKIF_OP_INDIRECT;
	wire->indirect_op = shadow->op;
	wire->nr_segments = shadow->count;
	wire->handle = queue->disk->handle;
	wire->sector_number = sector_of(shadow);
	wire->indirect_grefs[0] = shadow->indirect_ref;
	fill_segments(queue, shadow, shadow->indirect);
	queue->stats.indirect++;
}

static void fill_plain(struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow,
	struct blkif_request *wire)
{
	wire->operation = shadow->op;
	wire->nr_segments = (uint8_t)shadow->count;
	wire->handle = queue->disk->handle;
	wire->sector_number = shadow->count ? sector_of(shadow) : 0;
	fill_segments(queue, shadow, wire->seg);
}

/* Nothing can fail any more. */
static void put(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow)
{
	uint64_t id = (uint64_t)(shadow - queue->shadow);
	union blkfront_wire wire;

	memset(&wire, 0, sizeof(wire));
	shadow->op = shadow->request->op;
	if (shadow->op == BLKIF_OP_DISCARD)
		fill_discard(queue, shadow->request, &wire.discard);
	else if (shadow->count > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		fill_indirect(queue, shadow, &wire.indirect);
	else
		fill_plain(queue, shadow, &wire.request);
	/* Where the id stands depends on the operation. */
	if (wire.request.operation == BLKIF_OP_INDIRECT)
		wire.indirect.id = id;
	else
		wire.request.id = id;
	shadow->where = BLKFRONT_WIRED;
	shadow->at = queue->live.ring.prod;
	blkif_request_put(&queue->live.ring, &wire.request);
}

_Static_assert(sizeof(union blkfront_wire) == sizeof(struct blkif_request),
	"a slot has room for every kind of request");
_Static_assert(offsetof(struct blkif_request, id) == offsetof(struct blkif_request_discard, id),
	"but the indirect ones, all have their id in one place");

/* ---- parts ---- */

static uint32_t part_limit(const struct pvr_blkfront_queue *queue, uint8_t op)
{
	uint32_t most = queue->facts.max_segments;

	if (op != BLKIF_OP_READ && op != BLKIF_OP_WRITE && most > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		most = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	return most;
}

/* Of the first `count` segments, as many as end at a whole sector of the disk. */
static uint32_t whole_sectors(const struct pvr_blkfront_queue *queue,
	const struct blkfront_shadow *shadow, uint32_t count)
{
	const struct pvr_blk_segment *segment = segments_of(shadow);
	uint32_t bytes = 0, whole = 0;

	for (uint32_t i = 0; i < count; i++) {
		bytes += segment[i].length;
		if (!(bytes & (queue->facts.sector_size - 1)))
			whole = i + 1;
	}
	return whole;
}

/*
 * The grants for the next part: 0, -EAGAIN while others hold what is needed, -EIO when it can never
 * be had.
 */
static int take_part(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow)
{
	uint32_t rest = shadow->request->segments_count - shadow->first;
	uint32_t most = part_limit(queue, shadow->request->op);
	uint32_t count = whole_sectors(queue, shadow, rest < most ? rest : most);
	uint16_t taken;

	shadow->count = 0;
	if (!rest)
		return 0;
	if (!count)
		return -EIO;
	taken = chain_take(queue, shadow, count);
	if (taken < count) {
		int alone = blkfront_inflight(queue) == queue->waiting;

		blkfront_chain_free(queue, shadow);
		if (!alone)
			return -EAGAIN;
		/* Nobody will bring more, so it goes with what there is. */
		count = whole_sectors(queue, shadow, taken);
		if (!count)
			return -EIO;
		taken = chain_take(queue, shadow, count);
	}
	shadow->count = taken;
	return 0;
}

/* Another backend's disk may be another. */
static int recheck(const struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow)
{
	struct pvr_blkfront_info facts = queue->facts;

	facts.max_segments = BLKFRONT_SEGMENTS_MAX; /* parts see to it */
	return blkfront_check(&facts, shadow->request);
}

static struct blkfront_shadow *oldest_waiting(struct pvr_blkfront_queue *queue)
{
	struct blkfront_shadow *oldest = NULL;

	for (uint32_t i = 0; i < queue->disk->slots; i++) {
		struct blkfront_shadow *shadow = &queue->shadow[i];

		if (shadow->where == BLKFRONT_WAITING &&
			(!oldest || (int32_t)(shadow->age - oldest->age) < 0))
			oldest = shadow;
	}
	return oldest;
}

/* Only on the ring of the backend that is there now. */
static int can_put(const struct pvr_blkfront_queue *queue)
{
	const struct pvr_blkfront *disk = queue->disk;

	return pvr_front_life(&disk->front) == PVR_FRONT_LIVE && pvr_front_version(&disk->front) == queue->version &&
	       pvr_ring_free(&queue->live.ring);
}

static int issue(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow)
{
	int r = take_part(queue, shadow);

	if (r == -EAGAIN)
		return r;
	queue->waiting--;
	if (r)
		blkfront_finish(queue, shadow, r);
	else
		put(queue, shadow);
	return 0;
}

void blkfront_issue_new(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow)
{
	/* Not before those that wait already. */
	if (queue->waiting == 1 && can_put(queue))
		issue(queue, shadow);
}

void blkfront_pump(struct pvr_blkfront_queue *queue)
{
	while (queue->waiting && can_put(queue)) {
		struct blkfront_shadow *shadow = oldest_waiting(queue);

		if (recheck(queue, shadow)) {
			queue->waiting--;
			blkfront_finish(queue, shadow, -EIO);
		} else if (issue(queue, shadow)) {
			return;
		}
	}
}
