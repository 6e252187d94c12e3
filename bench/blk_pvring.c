/* SPDX-License-Identifier: MIT */
/* Block I/O through the frontend: `depth` requests in flight, a batch submitted and kicked at a
 * time. */
#include "blk_bench.h"

#include <errno.h>
#include <stdlib.h>

#include <pvring/blkfront.h>
#include <pvring/port.h>

#include "bench.h"

struct slot {
	struct pvr_blk_request request;
	struct pvr_blk_segment *segments;
	struct runner *runner;
	uint8_t *buffer;
	uint64_t begin;
};

struct runner {
	struct slot *slots;
	struct slot **idle; /* a stack of those not in flight */
	unsigned idle_count;
	struct blk_result *result;
};

static void done(struct pvr_blk_request *request, int error)
{
	struct slot *slot = request->user;
	struct runner *r = slot->runner;

	if (error && !r->result->error)
		r->result->error = error;
	hist_add(&r->result->latency, bench_now_ns() - slot->begin);
	r->result->requests++;
	r->idle[r->idle_count++] = slot;
}

static int slot_make(struct slot *slot, struct runner *r, const struct blk_job *job)
{
	unsigned pages = (job->size + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE;

	slot->runner = r;
	slot->buffer = pvr_port_pages_alloc(pages);
	slot->segments = calloc(pages, sizeof(*slot->segments));
	if (!slot->buffer || !slot->segments)
		return -ENOMEM;
	for (unsigned i = 0; i < pages; i++) {
		uint32_t left = job->size - i * PVR_PAGE_SIZE;

		slot->segments[i].address = slot->buffer + i * PVR_PAGE_SIZE;
		slot->segments[i].length = left < PVR_PAGE_SIZE ? left : PVR_PAGE_SIZE;
	}
	slot->request = (struct pvr_blk_request){
		.op = job->write ? BLKIF_OP_WRITE : BLKIF_OP_READ,
		.segments = slot->segments,
		.segments_count = pages,
		.done = done,
		.user = slot,
	};
	r->idle[r->idle_count++] = slot;
	return 0;
}

static void slots_free(struct runner *r, const struct blk_job *job)
{
	for (unsigned i = 0; r->slots && i < job->depth; i++) {
		if (r->slots[i].buffer)
			pvr_port_pages_free(r->slots[i].buffer,
				(job->size + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE);
		free(r->slots[i].segments);
	}
	free(r->slots);
	free(r->idle);
}

static int slots_make(struct runner *r, const struct blk_job *job)
{
	int rc = 0;

	r->slots = calloc(job->depth, sizeof(*r->slots));
	r->idle = calloc(job->depth, sizeof(*r->idle));
	if (!r->slots || !r->idle)
		return -ENOMEM;
	for (unsigned i = 0; i < job->depth && !rc; i++)
		rc = slot_make(&r->slots[i], r, job);
	return rc;
}

/* Start every idle slot, with one publish and at most one event. */
static void start_idle(struct pvr_blkfront_queue *queue, struct runner *r, struct blk_cursor *cursor,
	const struct blk_job *job)
{
	uint64_t now = bench_now_ns();

	while (r->idle_count && pvr_blkfront_free(queue)) {
		struct slot *slot = r->idle[--r->idle_count];
		struct pvr_blk_request *request = &slot->request;

		slot->begin = now;
		request->sector = blk_next(cursor, job) / 512;
		if (!pvr_blkfront_submit(queue, &request, 1)) {
			r->idle[r->idle_count++] = slot;
			break;
		}
	}
	pvr_blkfront_kick(queue);
}

void blk_run_pvring(struct pvr_blkfront *disk, const struct blk_job *job, struct blk_result *result)
{
	struct runner r = {.result = result};
	struct blk_cursor cursor = {.state = 1};
	struct pvr_blkfront_queue *queue = pvr_blkfront_queue(disk, 0);
	struct pvr_blkfront_stats before, after;
	uint64_t begin, end;

	*result = (struct blk_result){0};
	result->error = slots_make(&r, job);
	pvr_blkfront_stats(disk, &before);
	begin = bench_now_ns();
	end = begin + job->ns;
	while (!result->error && bench_now_ns() < end) {
		bench_think(job->think);
		start_idle(queue, &r, &cursor, job);
		while (pvr_blkfront_inflight(queue) && pvr_blkfront_poll(queue) == 0)
			pvr_blkfront_wait(queue, UINT64_MAX);
	}
	/* A poll that took the last one leaves nothing to wait for. */
	while (pvr_blkfront_inflight(queue))
		if (pvr_blkfront_poll(queue) == 0)
			pvr_blkfront_wait(queue, UINT64_MAX);
	result->ns = bench_now_ns() - begin;
	pvr_blkfront_stats(disk, &after);
	result->notifies = after.notifies - before.notifies;
	result->events = after.events - before.events;
	slots_free(&r, job);
}
