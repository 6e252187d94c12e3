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
static const char *wrong(const struct pvr_blkfront_queue *queue, const struct blkif_response *answer)
{
	const struct blkfront_shadow *shadow;

	if (answer->id >= queue->ring.entries)
		return "answer to an id out of range: ";
	shadow = &queue->shadow[answer->id];
	/*
	 * In flight is what the backend could have seen: a request queued but not published is not.
	 */
	if (!shadow->request || (int32_t)(queue->ring.published - shadow->at) <= 0)
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

static void count(struct pvr_blkfront *disk, const struct pvr_blk_request *request, int error)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < request->segments_count; i++)
		bytes += request->segments[i].length;
	if (error)
		disk->stats.errors++;
	else if (request->op == BLKIF_OP_READ)
		disk->stats.sectors_read += bytes / 512;
	else if (request->op == BLKIF_OP_WRITE)
		disk->stats.sectors_written += bytes / 512;
}

/*
 * The request is over: free its slot, then tell its owner, who may take the slot for the next one.
 */
static void finish(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue, uint32_t id, int error)
{
	struct blkfront_shadow *shadow = &queue->shadow[id];
	struct pvr_blk_request *request = shadow->request;

	shadow->request = NULL;
	shadow->granted = 0;
	shadow->next = queue->free;
	queue->free = (uint16_t)id;
	queue->inflight--;
	count(disk, request, error);
	request->done(request, error);
}

/*
 * Take back the request's pages; -EBUSY when the backend keeps one beyond the deadline (0: no
 * patience).
 */
static int end_grants(struct blkfront_shadow *shadow, uint64_t deadline_ns)
{
	int r = 0;

	for (uint32_t i = 0; i < shadow->granted; i++)
		if (deadline_ns ? blkfront_grant_end(shadow->grants[i], deadline_ns)
				: pvr_grant_end(shadow->grants[i]))
			r = -EBUSY;
	return r;
}

/*
 * Of a request whose pages could not be taken back: give up those references that are still in use.
 */
static void leak_grants(struct pvr_blkfront *disk, struct blkfront_shadow *shadow)
{
	for (uint32_t i = 0; i < shadow->granted; i++)
		if (pvr_grant_end(shadow->grants[i])) {
			pvr_grant_leak(shadow->grants[i]);
			shadow->grants[i] = PVR_GRANT_NONE;
			disk->stats.grants_leaked++;
		}
}

void blkfront_kill(struct pvr_blkfront *disk, int error)
{
	struct pvr_blkfront_queue *queue = &disk->queue[0];
	uint64_t deadline = pvr_port_now_ns() + BLKFRONT_PATIENCE_NS;

	/* Dead first: a `done` that submits again is refused. */
	disk->life = BLKFRONT_DEAD;
	for (uint32_t id = 0; id < queue->ring.entries; id++) {
		struct blkfront_shadow *shadow = &queue->shadow[id];
		int end = error;

		if (!shadow->request)
			continue;
		if (end_grants(shadow, deadline)) {
			leak_grants(disk, shadow);
			end = -EBUSY;
		}
		finish(disk, queue, id, end);
	}
}

static void fail(struct pvr_blkfront *disk, const char *what, const char *more, uint64_t number)
{
	log_wrong(disk, what, more, number);
	blkfront_kill(disk, -EIO);
}

int blkfront_queue_poll(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue)
{
	uint32_t taken = 0;

	/* At most one ring full: `done` may keep a fast backend busy for ever. */
	while (disk->life != BLKFRONT_DEAD && taken < queue->ring.entries) {
		int pending = pvr_ring_pending(&queue->ring);
		struct blkif_response answer;
		const char *what;

		if (pending < 0)
			fail(disk, "more answers than requests", ", beyond index ",
				queue->ring.cons);
		if (pending <= 0)
			break;
		blkif_response_take(&queue->ring, &answer);
		what = wrong(queue, &answer);
		if (what) {
			fail(disk, what, "", answer.id);
			break;
		}
		if (end_grants(&queue->shadow[answer.id], 0)) {
			fail(disk, "backend keeps pages of a request it answered", ", id ",
				answer.id);
			break;
		}
		disk->stats.responses++;
		taken++;
		finish(disk, queue, (uint32_t)answer.id, error_of(answer.status));
	}
	return (int)taken;
}

int pvr_blkfront_poll(struct pvr_blkfront_queue *queue)
{
	struct pvr_blkfront *disk = queue->disk;
	int taken = blkfront_queue_poll(disk, queue);

	blkfront_check_backend(disk);
	return !taken && disk->life == BLKFRONT_DEAD ? -ENODEV : taken;
}
