/* SPDX-License-Identifier: MIT */
/* Requests as they come in: checked, given a slot, published. */
#include "internal.h"

#include <errno.h>

/* Bytes of the request's segments, or -EINVAL. */
static int64_t segments_bytes(
	const struct pvr_blkfront_info *facts, const struct pvr_blk_request *request)
{
	int64_t bytes = 0;

	if (request->segments_count > facts->max_segments)
		return -EINVAL;
	for (uint32_t i = 0; i < request->segments_count; i++) {
		const struct pvr_blk_segment *segment = &request->segments[i];
		uint32_t offset = (uint32_t)((uintptr_t)segment->address & (PVR_PAGE_SIZE - 1));

		if (!segment->length || (segment->length | offset) % 512 ||
			segment->length > PVR_PAGE_SIZE - offset)
			return -EINVAL;
		bytes += segment->length;
	}
	return bytes;
}

static int check_range(const struct pvr_blkfront_info *facts, uint64_t sector, uint64_t sectors)
{
	uint32_t units = facts->sector_size / 512;

	/* A power of two. */
	if (!sectors || (uint32_t)(sectors | sector) & (units - 1))
		return -EINVAL;
	return sector > facts->sectors || sectors > facts->sectors - sector ? -EINVAL : 0;
}

/* Data, or none where that is a request too. */
static int check_data(const struct pvr_blkfront_info *facts, const struct pvr_blk_request *request,
	int may_be_empty)
{
	int64_t bytes = segments_bytes(facts, request);
	int r;

	if (bytes < 0)
		return (int)bytes;
	if (!bytes && may_be_empty)
		return 0;
	r = check_range(facts, request->sector, (uint32_t)bytes / 512);
	if (r)
		return r;
	return request->op != BLKIF_OP_READ && facts->readonly ? -EROFS : 0;
}

static int check_discard(
	const struct pvr_blkfront_info *facts, const struct pvr_blk_request *request)
{
	int r;

	if (!facts->discard || (request->secure && !facts->secure))
		return -EOPNOTSUPP;
	r = request->segments_count ? -EINVAL
				    : check_range(facts, request->sector, request->discard_sectors);
	return r ? r : facts->readonly ? -EROFS : 0;
}

int blkfront_check(const struct pvr_blkfront_info *facts, const struct pvr_blk_request *request)
{
	switch (request->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return check_data(facts, request, 0);
	case BLKIF_OP_WRITE_BARRIER:
		return facts->barrier ? check_data(facts, request, 1) : -EOPNOTSUPP;
	case BLKIF_OP_FLUSH_DISKCACHE:
		return facts->flush ? check_data(facts, request, 1) : -EOPNOTSUPP;
	case BLKIF_OP_DISCARD:
		return check_discard(facts, request);
	default:
		return -EOPNOTSUPP;
	}
}

static int check(const struct pvr_blkfront_queue *queue, const struct pvr_blk_request *request)
{
	enum pvr_front_life life = pvr_front_life(&queue->disk->front);

	if (life != PVR_FRONT_LIVE && life != PVR_FRONT_LOST)
		return -ENODEV;
	return blkfront_check(&queue->facts, request);
}

unsigned pvr_blkfront_submit(
	struct pvr_blkfront_queue *queue, struct pvr_blk_request *const *requests, unsigned count)
{
	unsigned taken = 0;

	for (; taken < count; taken++) {
		struct pvr_blk_request *request = requests[taken];
		struct blkfront_shadow *shadow;
		int error = check(queue, request);

		if (error) {
			queue->stats.errors++;
			request->done(request, error);
			continue;
		}
		if (queue->free == BLKFRONT_NONE)
			break;
		shadow = &queue->shadow[queue->free];
		queue->free = shadow->next;
		shadow->request = request;
		shadow->first = shadow->count = 0;
		shadow->age = queue->age++;
		shadow->where = BLKFRONT_WAITING;
		queue->waiting++;
		blkfront_inflight_add(queue, 1);
		queue->stats.requests++;
		blkfront_issue_new(queue, shadow);
	}
	return taken;
}

void pvr_blkfront_kick(struct pvr_blkfront_queue *queue)
{
	if (pvr_front_is_dead(&queue->disk->front) || !pvr_ring_publish_notify(&queue->live.ring))
		return;
	queue->stats.notifies++;
	pvr_evtchn_notify(queue->live.port);
}

unsigned pvr_blkfront_free(const struct pvr_blkfront_queue *queue)
{
	return queue->disk->slots - blkfront_inflight(queue);
}

unsigned pvr_blkfront_inflight(const struct pvr_blkfront_queue *queue)
{
	return blkfront_inflight(queue);
}
