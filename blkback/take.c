/* SPDX-License-Identifier: MIT */
/*
 * Takes requests: a batch is copied and checked, the lists of its indirect requests are read, the
 * pages of all of it are mapped by one call, and each is handed to the engine.
 */
#include <assert.h>
#include <stdlib.h>

#include "ring.h"

#define LIST_BYTES(count) ((count) * sizeof(struct blkif_request_segment))

struct batch {
	uint64_t now; /* ns */
	unsigned count;
	struct pvr_blkback_job *job[PVR_BLKBACK_BATCH];
};

static struct pvr_blkback_job *job_get(struct pvr_blkback_ring *ring)
{
	struct pvr_blkback_job *job = ring->free;

	/*
	 * There are as many jobs as slots, and pvr_ring_pending never lets more than those be open.
	 */
	assert(job);
	ring->free = job->next;
	ring->inflight++;
	job->pages = 0;
	job->large = NULL;
	job->segment = job->request.segment;
	job->page = job->small_page;
	job->io.iov = job->small_iov;
	return job;
}

static void refuse(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job, int16_t status)
{
	struct pvr_blkback_stats *stats = &job->ring->counts;

	if (status == BLKIF_RSP_EOPNOTSUPP)
		pvr_back_count(&stats->others, 1);
	pvr_back_count(&stats->invalid, 1);
	pvr_blkback_job_done(turn, job, status);
}

static void count_request(
	struct pvr_blkback_stats *stats, const struct pvr_blkback_request *request)
{
	uint64_t sectors = request->bytes / PVR_BLKBACK_SECTOR;

	switch (request->op) {
	case PVR_BLKBACK_READ:
		pvr_back_count(&stats->reads, 1);
		pvr_back_count(&stats->sectors_read, sectors);
		break;
	case PVR_BLKBACK_WRITE:
		pvr_back_count(&stats->writes, 1);
		pvr_back_count(&stats->sectors_written, sectors);
		break;
	case PVR_BLKBACK_FLUSH:
		pvr_back_count(&stats->flushes, 1);
		pvr_back_count(&stats->barriers, request->barrier);
		pvr_back_count(&stats->sectors_written, sectors);
		break;
	default:
		pvr_back_count(&stats->discards, 1);
	}
	pvr_back_count(&stats->indirect, request->indirect);
}

/* Maps what was asked for. */
static void map_pages(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn)
{
	pvr_back_count(&ring->counts.grants_reused, turn->pages.reused);
	pvr_back_count(&ring->counts.grants_mapped,
		pvr_blkback_pages_map(&turn->pages, turn->base.host, ring->grants));
}

/* ---- indirect requests ---- */

/* Room for its segments, and the page that lists them is asked for. 0, or -ENOMEM. */
static int ask_list(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job)
{
	struct pvr_blkback_large *large = malloc(sizeof(*large));

	if (!large)
		return -ENOMEM;
	job->large = large;
	job->segment = large->segment;
	job->page = large->page;
	job->io.iov = large->iov;
	pvr_blkback_page_ask(&turn->pages, &job->list, job->ring->grants, job->ring->offer.domid,
		job->request.list, 1);
	return 0;
}

/* The list is the guest's to rewrite at any time: it is copied once, and the copy is checked. */
static enum pvr_blkback_verdict read_list(struct pvr_blkback_job *job)
{
	struct blkif_request_segment list[PVR_BLKBACK_SEGMENTS_MAX];

	if (job->list.map.status != GNTST_okay)
		return PVR_BLKBACK_BAD_INDIRECT;
	pvr_copy_once(list, job->list.map.address, LIST_BYTES(job->request.segments));
	return pvr_blkback_request_segments(
		list, &job->ring->facts, &job->request, job->large->segment);
}

/* Reads the lists of all indirect requests; those that are wrong leave the batch. */
static void read_lists(
	struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn, struct batch *batch)
{
	unsigned kept = 0;

	map_pages(ring, turn);
	for (unsigned i = 0; i < batch->count; i++) {
		struct pvr_blkback_job *job = batch->job[i];
		enum pvr_blkback_verdict verdict = PVR_BLKBACK_GOOD;

		if (job->large) {
			verdict = read_list(job);
			pvr_blkback_page_put(
				&turn->pages, turn->base.host, ring->grants, &job->list, job->taken_ns);
		}
		if (verdict == PVR_BLKBACK_GOOD)
			batch->job[kept++] = job;
		else
			refuse(turn, job, pvr_blkback_verdict_status(verdict));
	}
	batch->count = kept;
}

/* ---- the batch ---- */

/* Copies and checks one slot; 1 when it has joined the batch. */
static int take_slot(
	struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn, struct pvr_blkback_job *job)
{
	const union pvr_blkback_slot *slot = pvr_blkback_ring_copy_slot(job);
	enum pvr_blkback_verdict verdict =
		pvr_blkback_request_parse(slot, ring->offer.abi, &ring->facts, &job->request);

	if (verdict != PVR_BLKBACK_GOOD) {
		refuse(turn, job, pvr_blkback_verdict_status(verdict));
		return 0;
	}
	if (job->request.indirect && ask_list(turn, job)) {
		refuse(turn, job, BLKIF_RSP_ERROR);
		return 0;
	}
	return 1;
}

/* 1 when a limit lets nothing more through for now; wait_until says for how long. */
static int limited(struct pvr_blkback_ring *ring, uint64_t now)
{
	uint64_t wait = ring->limits ? pvr_blkback_limits_wait(ring->limits, now) : 0;

	if (!wait)
		return 0;
	ring->wait_until = now + wait;
	pvr_back_count(&ring->counts.limited, 1);
	return 1;
}

/*
 * Takes until one of these: `pending` are taken, the next might not find room for its pages, a
 * barrier was taken, a limit is reached. How many were taken; those that are good stand in the batch.
 */
static unsigned take_slots(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn,
	unsigned pending, struct batch *batch)
{
	unsigned pages = 0, taken = 0;

	batch->count = 0;
	while (taken < pending && pages + PVR_BLKBACK_SEGMENTS_MAX <= PVR_BLKBACK_BATCH_PAGES &&
		!ring->barrier && !limited(ring, batch->now)) {
		struct pvr_blkback_job *job = job_get(ring);

		taken++;
		job->taken_ns = batch->now;
		if (ring->limits)
			pvr_blkback_limits_charge(ring->limits, batch->now, 1, 0);
		if (!take_slot(ring, turn, job))
			continue;
		batch->job[batch->count++] = job;
		pages += job->request.segments;
		if (job->request.barrier) {
			ring->barrier = job;
			ring->barrier_started = 0;
		}
	}
	return taken;
}

/* Asks for the pages of every request and maps them. A guest's page is only read for a write. */
static void map_batch(
	struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct pvr_blkback_job *job = batch->job[i];
		int readonly = job->request.op != PVR_BLKBACK_READ;

		count_request(&ring->counts, &job->request);
		if (ring->limits && job->request.segments)
			pvr_blkback_limits_charge(ring->limits, batch->now, 0, job->request.bytes);
		job->pages = job->request.segments;
		pvr_blkback_pages_ask(&turn->pages, job->page, job->segment, job->pages,
			ring->grants, ring->offer.domid, readonly);
	}
	map_pages(ring, turn);
}

/* ---- starting ---- */

static int all_mapped(const struct pvr_blkback_job *job)
{
	for (unsigned i = 0; i < job->pages; i++)
		if (job->page[i].map.status != GNTST_okay)
			return 0;
	return 1;
}

/*
 * Pieces that follow each other in this process's memory become one; that the guest's frames do
 * means nothing (XSA-229).
 */
static void fill_iov(struct pvr_blkback_job *job)
{
	struct pvr_blkback_io *io = &job->io;

	io->iov_count = 0;
	for (unsigned i = 0; i < job->request.segments; i++) {
		const struct pvr_blkback_segment *segment = &job->segment[i];
		char *base = (char *)job->page[i].map.address + segment->offset;
		struct iovec *last = &io->iov[io->iov_count ? io->iov_count - 1 : 0];

		if (io->iov_count && (char *)last->iov_base + last->iov_len == base)
			last->iov_len += segment->length;
		else
			io->iov[io->iov_count++] = (struct iovec){base, segment->length};
	}
	pvr_back_count(&job->ring->counts.merges, job->request.segments - io->iov_count);
}

static void start(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job)
{
	const struct pvr_blkback_disk *disk = job->ring->disk;
	const struct pvr_blkback_request *request = &job->request;
	struct pvr_blkback_engine *engine = turn->engine[disk->kind];
	uint64_t inlined = engine->inlined;

	job->io.disk = disk;
	job->io.op = request->op;
	job->io.fua = 0;
	job->io.offset = request->offset;
	job->io.left = request->bytes < PVR_BLKBACK_DISCARD_MAX ? (uint32_t)request->bytes
								: PVR_BLKBACK_DISCARD_MAX;
	job->asked = job->io.left;
	job->write_due = request->op == PVR_BLKBACK_FLUSH && request->segments > 0;
	fill_iov(job);
	pvr_blkback_engine_queue(engine, &job->io);
	pvr_back_count(&job->ring->counts.inlined, engine->inlined - inlined);
}

int pvr_blkback_ring_barrier(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn)
{
	if (!ring->barrier || ring->barrier_started || ring->inflight > 1)
		return 0;
	ring->barrier_started = 1;
	start(turn, ring->barrier);
	return 1;
}

/* Starts every job whose pages are all there; a barrier, the last one, when its time comes. */
static void start_batch(struct pvr_blkback_turn *turn, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct pvr_blkback_job *job = batch->job[i];

		if (!all_mapped(job))
			refuse(turn, job, BLKIF_RSP_ERROR);
		else if (!job->request.barrier)
			start(turn, job);
	}
}

int pvr_blkback_ring_take(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn)
{
	struct batch batch;
	int pending = pvr_ring_pending(&ring->ring);
	uint64_t inlined;
	unsigned taken;

	if (pending == 0 || ring->barrier)
		return 0;
	if (pending < 0)
		return pvr_back_ring_break(
			&ring->base, "req_prod claims more requests than the ring has slots");
	if (pending > (int)ring->batch)
		pending = (int)ring->batch;
	pvr_blkback_ring_publish(ring, turn->base.host); /* before their entries are used again */
	batch.now = pvr_back_now_ns();
	ring->wait_until = 0;
	ring->facts.sectors = atomic_load_explicit(&ring->sectors, memory_order_relaxed);
	if (ring->grants)
		pvr_blkback_grants_prune(ring->grants, turn->base.host, batch.now);
	taken = take_slots(ring, turn, (unsigned)pending, &batch);
	ring->counted = 1;
	pvr_back_count(&ring->counts.inflight, taken);
	if (batch.count == 0)
		return (int)taken;
	if (turn->pages.asked || turn->pages.reused)
		read_lists(ring, turn, &batch);
	map_batch(ring, turn, &batch);
	inlined = ring->counts.inlined;
	start_batch(turn, &batch);
	ring->batch = ring->counts.inlined - inlined == batch.count ? PVR_BLKBACK_BATCH_INLINE
								    : PVR_BLKBACK_BATCH;
	pvr_blkback_ring_barrier(ring, turn);
	pvr_back_count(&ring->counts.submits, 1);
	return (int)taken;
}
