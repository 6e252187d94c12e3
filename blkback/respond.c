/* SPDX-License-Identifier: MIT */
/*
 * What follows when an I/O is done: the next step of a request that has several, then unmapping and
 * answering together with all that are finished.
 */
#include <errno.h>
#include <stdlib.h>

#include "ring.h"

void pvr_blkback_job_done(
	struct pvr_blkback_turn *turn, struct pvr_blkback_job *job, int16_t status)
{
	job->status = status;
	job->next = NULL;
	if (job->ring->barrier == job)
		job->ring->barrier = NULL;
	*turn->done_end = job;
	turn->done_end = &job->next;
}

/* ---- steps ---- */

/* The next part of a discard; 0 when it was the last. */
static int discard_more(struct pvr_blkback_job *job)
{
	const struct pvr_blkback_request *request = &job->request;
	struct pvr_blkback_io *io = &job->io;
	uint64_t done = io->offset + job->asked - request->offset;
	uint64_t left = request->bytes - done;

	if (left == 0)
		return 0;
	job->asked = left < PVR_BLKBACK_DISCARD_MAX ? (uint32_t)left : PVR_BLKBACK_DISCARD_MAX;
	io->offset = request->offset + done;
	io->left = job->asked;
	return 1;
}

/* Makes the io the next step of its request; 0 when there is none. */
static int next_step(struct pvr_blkback_job *job)
{
	struct pvr_blkback_io *io = &job->io;

	if (io->error)
		return 0;
	switch (io->op) {
	case PVR_BLKBACK_FLUSH:
		if (!job->write_due)
			return 0;
		io->op = PVR_BLKBACK_WRITE;
		io->fua = job->request.barrier;
		return 1;
	case PVR_BLKBACK_DISCARD:
	case PVR_BLKBACK_DISCARD_SECURE:
		return discard_more(job);
	default:
		return 0;
	}
}

static int16_t status_of(int error)
{
	if (error == -EOPNOTSUPP)
		return BLKIF_RSP_EOPNOTSUPP;
	return error ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

static void reap(struct pvr_blkback_turn *turn, struct pvr_blkback_engine *engine)
{
	struct pvr_blkback_io *io;

	pvr_blkback_engine_submit(engine);
	do {
		while ((io = pvr_blkback_engine_reap(engine))) {
			struct pvr_blkback_job *job = (struct pvr_blkback_job *)io;

			pvr_back_count(&job->ring->counts.fixed, io->fixed);
			if (next_step(job))
				pvr_blkback_engine_queue(engine, io);
			else
				pvr_blkback_job_done(turn, job, status_of(io->error));
		}
		/* Second steps that were queued meanwhile; one may be over with that, and no event tells. */
		pvr_blkback_engine_submit(engine);
	} while (engine->done);
}

/* ---- answers ---- */

/* Everything of the finished requests is unmapped, or kept, before any of them is answered. */
static void unmap_done(struct pvr_blkback_turn *turn)
{
	for (struct pvr_blkback_job *job = turn->done; job; job = job->next)
		for (unsigned i = 0; i < job->pages; i++)
			pvr_blkback_page_put(&turn->pages, turn->base.host, job->ring->grants,
				&job->page[i], job->taken_ns);
	pvr_blkback_pages_flush(&turn->pages, turn->base.host);
}

static void job_put(struct pvr_blkback_job *job)
{
	struct pvr_blkback_ring *ring = job->ring;

	free(job->large);
	job->next = ring->free;
	ring->free = job;
	ring->inflight--;
}

static void answer(struct pvr_blkback_job *job, uint64_t now)
{
	struct pvr_blkback_ring *ring = job->ring;
	struct pvr_blkback_stats *counts = &ring->counts;

	if (job->status != BLKIF_RSP_OKAY)
		pvr_back_count(&counts->errors, 1);
	pvr_back_count_shared(
		&ring->stats->latency[pvr_blkback_stats_bucket(now - job->taken_ns)], 1);
	if (pvr_back_ring_state(&ring->base) != PVR_BACK_BROKEN)
		pvr_blkback_ring_put_response(job);
	job_put(job);
	pvr_back_count(&counts->inflight, UINT64_MAX); /* one less */
	ring->counted = 1;
}

unsigned pvr_blkback_turn_finish(struct pvr_blkback_turn *turn)
{
	struct pvr_blkback_job *job;
	unsigned count = 0;
	uint64_t now;

	for (unsigned i = 0; i < PVR_BLKBACK_KINDS; i++)
		if (turn->engine[i])
			reap(turn, turn->engine[i]);
	if (!turn->done)
		return 0;
	unmap_done(turn);
	now = pvr_back_now_ns();
	while ((job = turn->done)) {
		turn->done = job->next;
		answer(job, now);
		count++;
	}
	turn->done_end = &turn->done;
	return count;
}
