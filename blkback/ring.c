/* SPDX-License-Identifier: MIT */
/*
 * The way of a request through the backend: copied once out of the ring, checked, its pages mapped
 * with all the others of the batch, queued, and when done unmapped with all the others and
 * answered.
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

PVR_RING_TYPE(x86_64, struct blkif_x86_64_request, struct blkif_x86_64_response);
PVR_RING_TYPE(x86_32, struct blkif_x86_32_request, struct blkif_x86_32_response);

#define PAGE 4096u

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- a ring comes and goes ---- */

static uint32_t ring_entries(const struct pvr_blkback_offer *offer)
{
	size_t bytes = (size_t)offer->pages * PAGE;

	return offer->abi == PVR_BLKBACK_ABI_X86_32 ? x86_32_entries(bytes) : x86_64_entries(bytes);
}

struct pvr_blkback_ring *pvr_blkback_ring_create(const struct pvr_blkback_offer *offer,
	const struct pvr_blkback_disk *disk, struct pvr_blkback_stats *stats)
{
	struct pvr_blkback_ring *ring = calloc(1, sizeof(*ring));
	uint32_t entries = ring_entries(offer);

	if (!ring)
		return NULL;
	ring->jobs = calloc(entries, sizeof(*ring->jobs));
	if (!ring->jobs) {
		free(ring);
		return NULL;
	}
	for (uint32_t i = 0; i < entries; i++) {
		ring->jobs[i].ring = ring;
		ring->jobs[i].next = ring->free;
		ring->free = &ring->jobs[i];
	}
	ring->offer = *offer;
	ring->disk = disk;
	ring->stats = stats;
	return ring;
}

void pvr_blkback_ring_destroy(struct pvr_blkback_ring *ring)
{
	if (!ring)
		return;
	free(ring->jobs);
	free(ring);
}

int pvr_blkback_ring_connect(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	const struct pvr_blkback_offer *offer = &ring->offer;
	int16_t status;
	int result = pvr_host_map_area(
		host, offer->domid, offer->refs, offer->pages, &ring->area, &status);

	if (result) {
		ring->error = "cannot map the ring: ring-ref is not granted to this domain";
		return result;
	}
	result = pvr_ring_back_attach(&ring->ring, ring->area.address, ring_entries(offer));
	if (result) {
		ring->error = "the ring's indices are impossible";
		goto unmap;
	}
	result = pvr_host_evtchn_bind(host, offer->domid, offer->port);
	if (result < 0) {
		ring->error = "cannot bind event-channel";
		goto unmap;
	}
	ring->port = (evtchn_port_t)result;
	return 0;

unmap:
	pvr_host_unmap_area(host, &ring->area);
	return result;
}

void pvr_blkback_ring_disconnect(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	assert(ring->inflight == 0);
	pvr_blkback_ring_publish(ring, host);
	pvr_host_evtchn_unbind(host, ring->port);
	pvr_host_unmap_area(host, &ring->area);
}

/* ---- taking ---- */

static struct pvr_blkback_job *job_get(struct pvr_blkback_ring *ring)
{
	struct pvr_blkback_job *job = ring->free;

	/*
	 * There are as many jobs as slots, and pvr_ring_pending never lets more than those be open.
	 */
	assert(job);
	ring->free = job->next;
	ring->inflight++;
	job->mapped = 0;
	job->status = BLKIF_RSP_OKAY;
	return job;
}

static void job_put(struct pvr_blkback_job *job)
{
	struct pvr_blkback_ring *ring = job->ring;

	job->next = ring->free;
	ring->free = job;
	ring->inflight--;
}

static void turn_done(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job, int16_t status)
{
	job->status = status;
	job->next = NULL;
	*turn->done_end = job;
	turn->done_end = &job->next;
}

/* The one copy of a slot, and its check. */
static enum pvr_blkback_verdict take_slot(
	struct pvr_blkback_ring *ring, struct pvr_blkback_request *request)
{
	union pvr_blkback_slot slot;

	if (ring->offer.abi == PVR_BLKBACK_ABI_X86_32)
		x86_32_request_take(&ring->ring, &slot.x86_32);
	else
		x86_64_request_take(&ring->ring, &slot.x86_64);
	return pvr_blkback_request_parse(&slot, ring->offer.abi, &ring->disk->facts, request);
}

static void count_request(
	struct pvr_blkback_stats *stats, const struct pvr_blkback_request *request)
{
	uint64_t sectors = request->bytes / PVR_BLKBACK_SECTOR;

	if (request->op == PVR_BLKBACK_READ) {
		pvr_blkback_count(&stats->reads, 1);
		pvr_blkback_count(&stats->sectors_read, sectors);
		return;
	}
	pvr_blkback_count(request->op == PVR_BLKBACK_WRITE ? &stats->writes : &stats->flushes, 1);
	pvr_blkback_count(&stats->sectors_written, sectors);
}

/* Ask for the job's pages behind those already asked for; how many. The guest's page is only read
 * for a write. */
static unsigned ask_pages(
	const struct pvr_blkback_job *job, domid_t domid, struct pvr_host_map *map)
{
	const struct pvr_blkback_request *request = &job->request;

	for (unsigned i = 0; i < request->segments; i++)
		map[i] = (struct pvr_host_map){
			.domid = domid,
			.readonly = request->op != PVR_BLKBACK_READ,
			.ref = request->segment[i].ref,
		};
	return request->segments;
}

/* Keep the answers that are okay; -EFAULT when not all are. What is kept is unmapped with the
 * answer. */
static int keep_pages(struct pvr_blkback_job *job, const struct pvr_host_map *map)
{
	for (unsigned i = 0; i < job->request.segments; i++)
		if (map[i].status == GNTST_okay)
			job->map[job->mapped++] = map[i];
	return job->mapped == job->request.segments ? 0 : -EFAULT;
}

/* Pieces that follow each other in this process's memory become one; that the guest's frames do
 * means nothing. */
static void fill_io(struct pvr_blkback_job *job)
{
	const struct pvr_blkback_request *request = &job->request;
	struct pvr_blkback_io *io = &job->io;

	io->iov = job->iov;
	io->iov_count = 0;
	for (unsigned i = 0; i < request->segments; i++) {
		char *base = (char *)job->map[i].address + request->segment[i].offset;
		struct iovec *last = &io->iov[io->iov_count ? io->iov_count - 1 : 0];

		if (io->iov_count && (char *)last->iov_base + last->iov_len == base)
			last->iov_len += request->segment[i].length;
		else
			io->iov[io->iov_count++] = (struct iovec){base, request->segment[i].length};
	}
	io->offset = request->offset;
	io->left = request->bytes;
}

static void start(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job)
{
	const struct pvr_blkback_disk *disk = job->ring->disk;

	job->io.disk = disk;
	job->io.op = job->request.op;
	fill_io(job);
	pvr_blkback_engine_queue(turn->engine[disk->kind], &job->io);
}

/* What the frontend did to the protocol: this ring is over, nothing else is. */
static int ring_break(struct pvr_blkback_ring *ring, const char *error)
{
	ring->error = error;
	atomic_store_explicit(&ring->state, PVR_BLKBACK_BROKEN, memory_order_release);
	return -EPROTO;
}

/*
 * Copies and checks up to a batch; the good ones into jobs[], their pages asked for in turn->map.
 */
static unsigned take_batch(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn,
	unsigned pending, struct pvr_blkback_job *jobs[], unsigned *pages)
{
	unsigned count = 0;
	uint64_t now = now_ns();

	*pages = 0;
	for (unsigned i = 0; i < pending; i++) {
		struct pvr_blkback_job *job = job_get(ring);
		enum pvr_blkback_verdict verdict = take_slot(ring, &job->request);

		job->taken_ns = now;
		if (verdict == PVR_BLKBACK_GOOD) {
			count_request(ring->stats, &job->request);
			*pages += ask_pages(job, ring->offer.domid, turn->map + *pages);
			jobs[count++] = job;
			continue;
		}
		if (verdict == PVR_BLKBACK_UNKNOWN_OP)
			pvr_blkback_count(&ring->stats->others, 1);
		pvr_blkback_count(&ring->stats->invalid, 1);
		turn_done(turn, job, pvr_blkback_verdict_status(verdict));
	}
	return count;
}

/* Starts every job whose pages are all there. */
static void start_batch(
	struct pvr_blkback_turn *turn, struct pvr_blkback_job *jobs[], unsigned count)
{
	const struct pvr_host_map *map = turn->map;

	for (unsigned i = 0; i < count; i++) {
		unsigned segments = jobs[i]->request.segments;

		if (keep_pages(jobs[i], map) == 0) {
			start(turn, jobs[i]);
		} else {
			pvr_blkback_count(&jobs[i]->ring->stats->invalid, 1);
			turn_done(turn, jobs[i], BLKIF_RSP_ERROR);
		}
		map += segments;
	}
}

int pvr_blkback_ring_take(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn)
{
	struct pvr_blkback_job *jobs[PVR_BLKBACK_BATCH];
	struct pvr_blkback_stats *stats = ring->stats;
	int pending = pvr_ring_pending(&ring->ring);
	unsigned count, pages;

	if (pending == 0)
		return 0;
	if (pending < 0)
		return ring_break(ring, "req_prod claims more requests than the ring has slots");
	if (pending > (int)PVR_BLKBACK_BATCH)
		pending = (int)PVR_BLKBACK_BATCH;
	count = take_batch(ring, turn, (unsigned)pending, jobs, &pages);
	atomic_store_explicit(&stats->inflight, ring->inflight, memory_order_relaxed);
	if (count == 0)
		return pending;
	if (pages)
		pvr_blkback_count(
			&stats->grants_mapped, pvr_host_map(turn->host, turn->map, pages));
	start_batch(turn, jobs, count);
	pvr_blkback_count(&stats->submits, 1);
	return pending;
}

/* ---- answering ---- */

/* The next step of a request whose last step is done; 1 when there is none. */
static int step_over(struct pvr_blkback_turn *turn, struct pvr_blkback_job *job)
{
	struct pvr_blkback_engine *engine = turn->engine[job->ring->disk->kind];

	if (job->io.op != PVR_BLKBACK_FLUSH || job->io.error || job->request.segments == 0)
		return 1;
	job->io.op = PVR_BLKBACK_WRITE;
	pvr_blkback_engine_queue(engine, &job->io);
	return 0;
}

static void reap(struct pvr_blkback_turn *turn, struct pvr_blkback_engine *engine)
{
	struct pvr_blkback_io *io;

	pvr_blkback_engine_submit(engine);
	while ((io = pvr_blkback_engine_reap(engine))) {
		struct pvr_blkback_job *job = (struct pvr_blkback_job *)io;

		if (step_over(turn, job))
			turn_done(turn, job, io->error ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
	}
	/* Second steps that were queued meanwhile. */
	pvr_blkback_engine_submit(engine);
}

/* Everything of the finished requests is unmapped before any of them is answered. */
static void unmap_done(struct pvr_blkback_turn *turn)
{
	unsigned count = 0;

	for (struct pvr_blkback_job *job = turn->done; job; job = job->next) {
		if (count + job->mapped > PVR_BLKBACK_BATCH_SEGMENTS) {
			pvr_host_unmap(turn->host, turn->map, count);
			count = 0;
		}
		memcpy(turn->map + count, job->map, job->mapped * sizeof(job->map[0]));
		count += job->mapped;
	}
	if (count)
		pvr_host_unmap(turn->host, turn->map, count);
}

/* Zeroed whole first: the padding of a response goes to the frontend too (XSA-216). */
static void put_response(const struct pvr_blkback_job *job)
{
	struct pvr_blkback_ring *ring = job->ring;

	if (ring->offer.abi == PVR_BLKBACK_ABI_X86_32) {
		struct blkif_x86_32_response response;

		memset(&response, 0, sizeof(response));
		response.id = job->request.id;
		response.operation = job->request.operation;
		response.status = job->status;
		x86_32_response_put(&ring->ring, &response);
	} else {
		struct blkif_x86_64_response response;

		memset(&response, 0, sizeof(response));
		response.id = job->request.id;
		response.operation = job->request.operation;
		response.status = job->status;
		x86_64_response_put(&ring->ring, &response);
	}
}

static void answer(struct pvr_blkback_job *job, uint64_t now)
{
	struct pvr_blkback_ring *ring = job->ring;
	struct pvr_blkback_stats *stats = ring->stats;

	if (job->status != BLKIF_RSP_OKAY)
		pvr_blkback_count(&stats->errors, 1);
	pvr_blkback_count(&stats->latency[pvr_blkback_stats_bucket(now - job->taken_ns)], 1);
	if (atomic_load_explicit(&ring->state, memory_order_relaxed) != PVR_BLKBACK_BROKEN)
		put_response(job);
	job_put(job);
	atomic_store_explicit(&stats->inflight, ring->inflight, memory_order_relaxed);
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
	now = now_ns();
	while ((job = turn->done)) {
		turn->done = job->next;
		answer(job, now);
		count++;
	}
	turn->done_end = &turn->done;
	return count;
}

void pvr_blkback_ring_publish(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	if (!pvr_ring_publish_notify(&ring->ring))
		return;
	pvr_blkback_count(&ring->stats->events_out, 1);
	pvr_host_evtchn_notify(host, ring->port);
}
