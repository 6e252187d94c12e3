/* SPDX-License-Identifier: MIT */
/* The tables by which a worker serves rings of disks, and the engines that it brings along. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ring.h"

/* Work that the kernel did not take at once is offered again this soon. */
#define UNSENT_NS 200000u

static struct pvr_blkback_ring *ring_of(struct pvr_back_ring *base)
{
	return (struct pvr_blkback_ring *)base;
}

static struct pvr_blkback_turn *turn_of(struct pvr_back_turn *base)
{
	return (struct pvr_blkback_turn *)base;
}

/* ---- a ring ---- */

/*
 * A ring's area keeps its guest's memory mapped, through this worker's handle. A guest that is
 * attached anew has other memory, which comes with its new rings.
 */
static int ring_connect(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	struct pvr_blkback_ring *ring = ring_of(base);
	int result = pvr_blkback_ring_connect(ring, turn->host);

	if (!result && ring->disk->fixed && ring->area.memory)
		pvr_blkback_engine_add_memory(turn_of(turn)->engine[ring->disk->kind],
			ring->area.memory, ring->area.memory_bytes);
	return result;
}

static void ring_disconnect(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	struct pvr_blkback_ring *ring = ring_of(base);

	if (ring->disk->fixed && ring->area.memory)
		pvr_blkback_engine_drop_memory(
			turn_of(turn)->engine[ring->disk->kind], ring->area.memory);
	pvr_blkback_ring_disconnect(ring, turn->host);
}

/* Nothing is taken now: a barrier is open, or a limit reached. */
static int held(const struct pvr_blkback_ring *ring)
{
	return ring->barrier || ring->wait_until;
}

static int ring_take(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	struct pvr_blkback_ring *ring = ring_of(base);

	if (ring->wait_until && pvr_back_now_ns() >= ring->wait_until)
		ring->wait_until = 0;
	return held(ring) ? 0 : pvr_blkback_ring_take(ring, turn_of(turn));
}

/* A barrier that was taken is done even where nothing more is. */
static unsigned ring_go_on(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	return (unsigned)pvr_blkback_ring_barrier(ring_of(base), turn_of(turn));
}

static void ring_publish(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	pvr_blkback_ring_publish(ring_of(base), turn->host);
}

static int ring_pending(struct pvr_back_ring *base)
{
	struct pvr_blkback_ring *ring = ring_of(base);

	return !held(ring) && pvr_ring_pending(&ring->ring);
}

static int ring_arm(struct pvr_back_ring *base)
{
	struct pvr_blkback_ring *ring = ring_of(base);

	return !held(ring) && pvr_ring_final_check(&ring->ring);
}

/* Requests that a limit keeps waiting, and grants that persist, which are looked at when they may
 * have been unused for long enough. */
static uint64_t ring_due(struct pvr_back_ring *base, struct pvr_back_turn *turn, uint64_t now)
{
	struct pvr_blkback_ring *ring = ring_of(base);
	uint64_t due = ring->wait_until ? ring->wait_until : PVR_BACK_NEVER;

	if (!ring->grants || !ring->grants->count)
		return due;
	pvr_blkback_grants_prune(ring->grants, turn->host, now);
	return due < now + PVR_BLKBACK_GRANTS_IDLE_NS ? due : now + PVR_BLKBACK_GRANTS_IDLE_NS;
}

static int ring_drained(const struct pvr_back_ring *base)
{
	return ((const struct pvr_blkback_ring *)base)->inflight == 0;
}

static void ring_destroy(struct pvr_back_ring *base)
{
	pvr_blkback_ring_destroy(ring_of(base));
}

const struct pvr_back_ring_ops pvr_blkback_ring_ops = {
	.connect = ring_connect,
	.disconnect = ring_disconnect,
	.take = ring_take,
	.go_on = ring_go_on,
	.publish = ring_publish,
	.pending = ring_pending,
	.arm = ring_arm,
	.due = ring_due,
	.drained = ring_drained,
	.destroy = ring_destroy,
};

/* ---- a worker's engines ---- */

static int turn_open(struct pvr_back_turn *base, int first)
{
	struct pvr_blkback_turn *turn = turn_of(base);
	struct pvr_blkback_engine **engine = turn->engine;
	int result = 0;

	turn->done_end = &turn->done;
	for (unsigned kind = 0; !result && kind < PVR_BLKBACK_KINDS; kind++)
		result = pvr_blkback_engine_create(kind, &engine[kind]);
	if (!result && engine[PVR_BLKBACK_URING]->refused && first)
		fprintf(stderr,
			"pvring blkback: io_uring is refused (%s): files are served by %s, "
			"more slowly\n",
			strerror(-engine[PVR_BLKBACK_URING]->refused),
			engine[PVR_BLKBACK_URING]->ops->name);
	return result;
}

static void turn_close(struct pvr_back_turn *base)
{
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		pvr_blkback_engine_destroy(turn_of(base)->engine[kind]);
}

static unsigned turn_finish(struct pvr_back_turn *base)
{
	return pvr_blkback_turn_finish(turn_of(base));
}

static unsigned turn_fds(struct pvr_back_turn *base, int fds[PVR_BACK_FDS])
{
	_Static_assert(PVR_BLKBACK_KINDS <= PVR_BACK_FDS, "each engine has one");

	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		fds[kind] = pvr_blkback_engine_fd(turn_of(base)->engine[kind]);
	return PVR_BLKBACK_KINDS;
}

/* The limit is the user's, and whichever worker comes last finds it reached: one line for all. */
static void tell_unfixed(const struct pvr_blkback_turn *turn)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	int error = turn->engine[PVR_BLKBACK_URING]->unfixed;

	if (error && !atomic_flag_test_and_set_explicit(&told, memory_order_relaxed))
		fprintf(stderr,
			"pvring blkback: direct I/O goes on with fewer registered buffers or "
			"none (%s): raise RLIMIT_MEMLOCK (ulimit -l), or use fixed=off\n",
			strerror(-error));
}

/* Before each sleep. */
static uint64_t turn_due(struct pvr_back_turn *base, uint64_t now)
{
	tell_unfixed(turn_of(base));
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		if (turn_of(base)->engine[kind]->unsent)
			return now + UNSENT_NS;
	return PVR_BACK_NEVER;
}

static void turn_parted(struct pvr_back_turn *base, const struct pvr_back_ring *ring,
	const struct pvr_back_ring *rest)
{
	const struct pvr_blkback_disk *disk = ((const struct pvr_blkback_ring *)ring)->disk;

	for (; rest; rest = rest->next)
		if (((const struct pvr_blkback_ring *)rest)->disk == disk)
			return;
	pvr_blkback_engine_forget(turn_of(base)->engine[disk->kind], disk);
}

const struct pvr_back_turn_ops pvr_blkback_turn_ops = {
	.size = sizeof(struct pvr_blkback_turn),
	.open = turn_open,
	.close = turn_close,
	.finish = turn_finish,
	.fds = turn_fds,
	.due = turn_due,
	.parted = turn_parted,
};
