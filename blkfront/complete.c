/* SPDX-License-Identifier: MIT */
/*
 * Answers of the backend: each is copied once, and believed only as far as our own shadow of the
 * request bears it out. The first one that does not fit is the last one looked at.
 */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

static void log_wrong(
	const struct pvr_blkfront *disk, const char *what, const char *more, uint64_t number)
{
	char line[160];
	struct pvr_text text;

	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add_foreign(&text, disk->bus.path);
	pvr_text_add(&text, ": ");
	pvr_text_add(&text, what);
	pvr_text_add(&text, more);
	pvr_text_add_u64(&text, number);
	pvr_text_add(&text, "; the disk is in error");
	pvr_port_log(line);
}

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
	int error = blkfront_life(queue->disk) == BLKFRONT_FAILED ? -EIO : -ENODEV;

	if (shadow->where == BLKFRONT_WAITING)
		queue->waiting--;
	else if (blkfront_unwire(queue, shadow, deadline_ns))
		error = -EBUSY;
	blkfront_chain_free(queue, shadow);
	blkfront_finish(queue, shadow, error);
}

static void fail(
	struct pvr_blkfront_queue *queue, const char *what, const char *more, uint64_t number)
{
	log_wrong(queue->disk, what, more, number);
	blkfront_become(queue->disk, BLKFRONT_FAILED);
}

/*
 * An answer that fits its request: it is over, unless segments are left for another part. Zero when the
 * backend keeps the pages, which makes it the last answer.
 */
static int settle(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, int error)
{
	/* A backend that has died is allowed the time the hypervisor takes to unmap its pages. */
	uint64_t deadline = blkfront_life(queue->disk) == BLKFRONT_LIVE
				    ? 0
				    : pvr_port_now_ns() + BLKFRONT_PATIENCE_NS;

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
		fail(queue, "more answers than requests", ", beyond index ", ring->cons);
	if (pending <= 0)
		return pending;
	blkif_response_take(ring, &answer);
	what = wrong(queue, &answer);
	if (what) {
		fail(queue, what, "", answer.id);
		return -EPROTO;
	}
	queue->stats.responses++;
	if (!settle(queue, &queue->shadow[answer.id], error_of(answer.status))) {
		fail(queue, "backend keeps pages of a request it answered", ", id ", answer.id);
		return -EPROTO;
	}
	return 1;
}

int blkfront_queue_take(struct pvr_blkfront_queue *queue)
{
	uint32_t taken = 0;

	/* At most one ring full: `done` may keep a fast backend busy for ever. */
	while (blkfront_life(queue->disk) != BLKFRONT_FAILED && taken < queue->disk->slots &&
		take_one(queue) > 0)
		taken++;
	return (int)taken;
}

int blkfront_queue_end(struct pvr_blkfront_queue *queue)
{
	int taken = blkfront_queue_take(queue);
	uint64_t deadline = pvr_port_now_ns() + BLKFRONT_PATIENCE_NS;

	for (uint32_t id = 0; id < queue->disk->slots && blkfront_inflight(queue); id++)
		if (queue->shadow[id].where != BLKFRONT_FREE)
			end_one(queue, &queue->shadow[id], deadline);
	return taken;
}

int pvr_blkfront_poll(struct pvr_blkfront_queue *queue)
{
	struct pvr_blkfront *disk = queue->disk;
	int taken = blkfront_queue_take(queue);

	blkfront_check_backend(disk);
	if (blkfront_life(disk) == BLKFRONT_LIVE && blkfront_version(disk) != queue->version)
		blkfront_queue_adopt(queue);
	if (!blkfront_is_dead(disk)) {
		if (queue->waiting) {
			blkfront_pump(queue);
			pvr_blkfront_kick(queue);
		}
		return taken;
	}
	taken += blkfront_queue_end(queue);
	return taken ? taken : -ENODEV;
}
