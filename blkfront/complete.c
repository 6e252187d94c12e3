/* SPDX-License-Identifier: MIT */
/*
 * Answers of the backend: each is copied once, and believed only as far as our own shadow of the
 * request bears it out. The first one that does not fit is the last one looked at.
 */
#include "internal.h"

#include <errno.h>

/* Decode: what is wrong with an answer, or NULL. */
static const char *wrong(
	const struct pvr_blkfront_queue *queue, const struct blkif_response *answer)
{
	const struct blkfront_shadow *shadow;

	if (answer->id >= queue->disk->slots)
		return "answer to an id out of range: ";
	shadow = &queue->shadow[answer->id];
	/*
	 * In flight is what the backend could have seen: a request queued but not published is not.
	 */
	if (shadow->where != BLKFRONT_WIRED ||
		(int32_t)(queue->live.ring.published - shadow->at) <= 0)
		return "answer to an id not in flight: ";
	if (answer->operation != shadow->op)
		return "answer to another operation, id ";
	return NULL;
}

static int error_of(int16_t status)
{
	switch (status) {
	case BLKIF_RSP_OKAY:
		return 0;
	case BLKIF_RSP_EOPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static void count(
	struct pvr_blkfront_queue *queue, const struct pvr_blk_request *request, int error)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < request->segments_count; i++)
		bytes += request->segments[i].length;
	if (error)
		queue->stats.errors++;
	else if (request->op == BLKIF_OP_READ)
		queue->stats.sectors_read += bytes / 512;
	else
		queue->stats.sectors_written += bytes / 512;
}

void blkfront_finish(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, int error)
{
	struct pvr_blk_request *request = shadow->request;

	shadow->request = NULL;
	shadow->where = BLKFRONT_FREE;
	shadow->next = queue->free;
	queue->free = (uint16_t)(shadow - queue->shadow);
	blkfront_inflight_add(queue, (uint32_t)-1);
	count(queue, request, error);
	request->done(request, error);
}

static void end_one(
	struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, uint64_t deadline_ns)
{
	int error = pvr_front_life(&queue->disk->front) == PVR_FRONT_FAILED ? -EIO : -ENODEV;

	if (shadow->where == BLKFRONT_WAITING)
		queue->waiting--;
	else if (blkfront_unwire(queue, shadow, deadline_ns))
		error = -EBUSY;
	blkfront_chain_free(queue, shadow);
	blkfront_finish(queue, shadow, error);
}

/*
 * An answer that fits its request: it is over, unless segments are left for another part. Zero when the
 * backend keeps the pages, which makes it the last answer.
 */
static int settle(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, int error)
{
	/* A backend that has died is allowed the time the hypervisor takes to unmap its pages. */
	uint64_t deadline = pvr_front_life(&queue->disk->front) == PVR_FRONT_LIVE
				    ? 0
				    : pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;

	if (blkfront_unwire(queue, shadow, deadline))
		return 0;
	if (!error)
		blkfront_copy_back(queue, shadow);
	blkfront_chain_free(queue, shadow);
	shadow->first = (uint16_t)(shadow->first + shadow->count);
	if (!error && shadow->first < shadow->request->segments_count) {
		shadow->where = BLKFRONT_WAITING;
		queue->waiting++;
	} else {
		blkfront_finish(queue, shadow, error);
	}
	return 1;
}

/* One answer: 1, 0 when there is none, -EPROTO when it or its backend is wrong. */
static int take_one(struct pvr_blkfront_queue *queue)
{
	struct pvr_ring *ring = &queue->live.ring;
	int pending = pvr_ring_pending(ring);
	struct blkif_response answer;
	const char *what;

	if (pending < 0)
		pvr_front_fail(&queue->disk->front, "more answers than requests", ", beyond index ",
			ring->cons);
	if (pending <= 0)
		return pending;
	blkif_response_take(ring, &answer);
	what = wrong(queue, &answer);
	if (what) {
		pvr_front_fail(&queue->disk->front, what, "", answer.id);
		return -EPROTO;
	}
	queue->stats.responses++;
	if (!settle(queue, &queue->shadow[answer.id], error_of(answer.status))) {
		pvr_front_fail(&queue->disk->front, "backend keeps pages of a request it answered",
			", id ", answer.id);
		return -EPROTO;
	}
	return 1;
}

int blkfront_queue_take(struct pvr_blkfront_queue *queue)
{
	uint32_t taken = 0;

	/* At most one ring full: `done` may keep a fast backend busy for ever. */
	while (pvr_front_life(&queue->disk->front) != PVR_FRONT_FAILED &&
		taken < queue->disk->slots && take_one(queue) > 0)
		taken++;
	return (int)taken;
}

int blkfront_queue_end(struct pvr_blkfront_queue *queue)
{
	int taken = blkfront_queue_take(queue);
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;

	for (uint32_t id = 0; id < queue->disk->slots && blkfront_inflight(queue); id++)
		if (queue->shadow[id].where != BLKFRONT_FREE)
			end_one(queue, &queue->shadow[id], deadline);
	return taken;
}

int pvr_blkfront_poll(struct pvr_blkfront_queue *queue)
{
	struct pvr_blkfront *disk = queue->disk;
	int taken = blkfront_queue_take(queue);

	pvr_front_check_backend(&disk->front);
	if (pvr_front_life(&disk->front) == PVR_FRONT_LIVE &&
		pvr_front_version(&disk->front) != queue->version)
		blkfront_queue_adopt(queue);
	if (!pvr_front_is_dead(&disk->front)) {
		if (queue->waiting) {
			blkfront_pump(queue);
			pvr_blkfront_kick(queue);
		}
		return taken;
	}
	taken += blkfront_queue_end(queue);
	return taken ? taken : -ENODEV;
}
