/* SPDX-License-Identifier: MIT */
/*
 * Blocking I/O for any number of threads, on top of the asynchronous interface.
 *
 * The mutex owns the disk. Of the threads that wait, one leads: it polls for everybody, and sleeps
 * on the event channel with the mutex released. The others follow: each sleeps on a word of its own
 * call. When the leader's own call is over it hands over to the first in line.
 */
#include "internal.h"

#include <errno.h>

/* Requests one call has in flight, and segments each can have: what fits a kernel's stack. */
#define PIECES         4
#define PIECE_SEGMENTS 32

struct piece {
	struct pvr_blk_request request;
	struct pvr_blk_segment segments[PIECE_SEGMENTS];
	int busy;
};

struct sync_call {
	struct sync_call *next;
	_Atomic uint32_t word; /* goes up when the call is over, or to be the next leader */
	uint8_t op;
	int error;
	int started; /* a flush or discard is one request without data */
	uint8_t secure;
	uint64_t discard_sectors;
	unsigned inflight;
	uint64_t sector;
	uint8_t *buffer; /* what has not been submitted */
	size_t bytes;
	struct piece pieces[PIECES];
};

/* Change first, then wake: the word differs from the one its sleeper saw. */
static void nudge(struct sync_call *call)
{
	atomic_fetch_add_explicit(&call->word, 1, memory_order_release);
	pvr_port_wake(&call->word);
}

static int is_over(const struct sync_call *call)
{
	return call->started && !call->inflight && (!call->bytes || call->error);
}

static void piece_done(struct pvr_blk_request *request, int error)
{
	struct sync_call *call = request->user;
	struct piece *piece = (struct piece *)request;

	piece->busy = 0;
	call->inflight--;
	if (error && (!call->error || error == -EBUSY))
		call->error = error;
	if (is_over(call))
		nudge(call);
}

_Static_assert(offsetof(struct piece, request) == 0, "piece_done finds the piece by its request");

/* Cut the next request off the call's buffer: up to a page a segment. */
static void cut(struct pvr_blkfront *disk, struct sync_call *call, struct piece *piece)
{
	const struct pvr_blkfront_info *facts = &disk->queue[0].facts;
	uint32_t most = facts->max_segments < PIECE_SEGMENTS ? facts->max_segments : PIECE_SEGMENTS;
	uint8_t *at = call->buffer;
	size_t left = call->bytes;
	uint32_t n = 0, rest;

	for (; n < most && left; n++) {
		size_t room = PVR_PAGE_SIZE - ((uintptr_t)at & (PVR_PAGE_SIZE - 1));
		size_t length = left < room ? left : room;

		piece->segments[n] = (struct pvr_blk_segment){at, (uint32_t)length};
		at += length;
		left -= length;
	}
	/* Between two requests no sector may be torn; the buffer may start anywhere in its page. */
	rest = (uint32_t)((size_t)(at - call->buffer) & (facts->sector_size - 1));
	if (left && rest) {
		if (piece->segments[n - 1].length == rest)
			n--;
		else
			piece->segments[n - 1].length -= rest;
	}
	piece->request = (struct pvr_blk_request){.op = call->op,
		.segments_count = n,
		.sector = call->sector,
		.secure = call->secure,
		.discard_sectors = call->discard_sectors,
		.segments = piece->segments,
		.done = piece_done,
		.user = call};
}

static size_t piece_bytes(const struct piece *piece)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < piece->request.segments_count; i++)
		bytes += piece->segments[i].length;
	return bytes;
}

/* Submit what the call has and the ring takes. Nonzero when it went in. */
static int submit_one(struct pvr_blkfront *disk, struct sync_call *call, struct piece *piece)
{
	struct pvr_blk_request *request = &piece->request;
	size_t bytes;

	cut(disk, call, piece);
	bytes = piece_bytes(piece);
	piece->busy = 1;
	call->started = 1;
	call->inflight++;
	call->buffer += bytes;
	call->bytes -= bytes;
	call->sector += bytes / 512;
	if (pvr_blkfront_submit(&disk->queue[0], &request, 1))
		return 1;
	piece->busy = 0;
	call->started = call->op == BLKIF_OP_READ || call->op == BLKIF_OP_WRITE;
	call->inflight--;
	call->buffer -= bytes;
	call->bytes += bytes;
	call->sector -= bytes / 512;
	return 0;
}

static void fill(struct pvr_blkfront *disk, struct sync_call *call)
{
	for (int i = 0; i < PIECES; i++) {
		if (call->error || (call->started && !call->bytes))
			return;
		if (!call->pieces[i].busy && !submit_one(disk, call, &call->pieces[i]))
			return;
	}
}

static void fill_all(struct pvr_blkfront *disk)
{
	for (struct sync_call *call = disk->calls; call; call = call->next)
		fill(disk, call);
	pvr_blkfront_kick(&disk->queue[0]);
}

/*
 * Sleep for all; the disk is not ours meanwhile, so only what `arm` has left for us to look at is
 * looked at.
 */
static void lead_sleep(struct pvr_blkfront *disk)
{
	struct pvr_blkfront_queue *queue = &disk->queue[0];
	uint32_t cons = queue->live.ring.cons;
	uint64_t start = pvr_port_now_ns();
	int r = 0, slept = 0;

	pvr_mutex_unlock(&disk->mutex);
	if (!blkfront_spin(queue, cons, UINT64_MAX)) {
		pvr_mutex_lock(&disk->mutex);
		slept = !blkfront_arm(queue);
		pvr_mutex_unlock(&disk->mutex);
		if (slept)
			r = blkfront_sleep(queue, UINT64_MAX);
	}
	pvr_mutex_lock(&disk->mutex);
	if (slept && !r)
		queue->stats.events++;
	pvr_front_spin_learn(&queue->spin_ns, pvr_port_now_ns() - start);
}

static void lead(struct pvr_blkfront *disk, const struct sync_call *own)
{
	disk->led = 1;
	while (!is_over(own)) {
		int taken = pvr_blkfront_poll(&disk->queue[0]);

		fill_all(disk);
		if (!taken && !is_over(own))
			lead_sleep(disk);
	}
	disk->led = 0;
}

static void follow(struct pvr_blkfront *disk, struct sync_call *own)
{
	uint32_t seen = atomic_load_explicit(&own->word, memory_order_relaxed);

	pvr_mutex_unlock(&disk->mutex);
	pvr_port_wait(&own->word, seen, UINT64_MAX);
	pvr_mutex_lock(&disk->mutex);
}

static void enter(struct pvr_blkfront *disk, struct sync_call *call)
{
	struct sync_call **at = &disk->calls;

	while (*at)
		at = &(*at)->next;
	*at = call;
}

static void leave(struct pvr_blkfront *disk, struct sync_call *call)
{
	struct sync_call **at = &disk->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	if (!disk->led && disk->calls)
		nudge(disk->calls);
}

static int run(struct pvr_blkfront *disk, struct sync_call *call)
{
	pvr_mutex_lock(&disk->mutex);
	if (call->bytes & (disk->queue[0].facts.sector_size - 1)) {
		pvr_mutex_unlock(&disk->mutex);
		return -EINVAL;
	}
	enter(disk, call);
	fill(disk, call);
	pvr_blkfront_kick(&disk->queue[0]);
	while (!is_over(call)) {
		if (disk->led)
			follow(disk, call);
		else
			lead(disk, call);
	}
	leave(disk, call);
	pvr_mutex_unlock(&disk->mutex);
	return call->error;
}

/* Nothing to move is no request, but the disk must be there. */
static int run_data(
	struct pvr_blkfront *disk, uint8_t op, uint64_t sector, void *buffer, size_t bytes)
{
	struct sync_call call = {.op = op, .sector = sector, .buffer = buffer, .bytes = bytes};

	if (!bytes)
		return 0;
	if (((uintptr_t)buffer | bytes) & 511)
		return -EINVAL;
	return run(disk, &call);
}

int pvr_blkfront_read(struct pvr_blkfront *disk, uint64_t sector, void *buffer, size_t bytes)
{
	return run_data(disk, BLKIF_OP_READ, sector, buffer, bytes);
}

int pvr_blkfront_write(struct pvr_blkfront *disk, uint64_t sector, const void *buffer, size_t bytes)
{
	/* The grants of a write are read-only, so the const holds. */
	return run_data(disk, BLKIF_OP_WRITE, sector, (void *)(uintptr_t)buffer, bytes);
}

int pvr_blkfront_flush(struct pvr_blkfront *disk)
{
	struct sync_call call = {.op = BLKIF_OP_FLUSH_DISKCACHE};

	return run(disk, &call);
}

int pvr_blkfront_discard(struct pvr_blkfront *disk, uint64_t sector, uint64_t sectors, int secure)
{
	struct sync_call call = {.op = BLKIF_OP_DISCARD,
		.secure = secure != 0,
		.sector = sector,
		.discard_sectors = sectors};

	return run(disk, &call);
}

int pvr_blkfront_serve(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	uint32_t seen;
	int dead;

	pvr_mutex_lock(&disk->mutex);
	pvr_front_check_backend(&disk->front);
	dead = pvr_front_is_dead(&disk->front);
	if (dead)
		blkfront_queue_end(&disk->queue[0]);
	seen = atomic_load_explicit(&disk->front.watch_seen, memory_order_relaxed);
	pvr_mutex_unlock(&disk->mutex);
	if (dead)
		return -ENODEV;
	return pvr_store_wait(&disk->front.bus.watch, seen, deadline_ns);
}
