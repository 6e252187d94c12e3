/* SPDX-License-Identifier: MIT */
/*
 * Files and block devices by io_uring: a batch is one system call, data goes straight between the
 * image and the guest's pages. What can be had without waiting is done here instead, within a
 * budget a batch so that one ring's hits do not keep the others waiting.
 *
 * Files are registered with the ring, and of direct I/O the memory too (uring_fixed.h). At 32 random
 * reads of 4 KiB in flight a registered file made no difference beyond the noise (cached, direct,
 * tmpfs; Linux 6.18); registered buffers saved a tenth to a fifth of the CPU time of direct reads,
 * and nothing of cached ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cached.h"
#include "disk.h"
#include "engine.h"
#include "uring_fixed.h"

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define DEPTH 128u /* in flight at the same time; more waits in `later` */
#define RECENT        16u           /* disks told apart, by descriptor */
#define INLINE_BUDGET (256u * 1024) /* bytes done here between two submits */

struct uring {
	struct pvr_blkback_engine base;
	struct io_uring ring;
	unsigned inflight;
	uint32_t budget;
	struct pvr_blkback_io *later, **later_end;
	struct pvr_blkback_cached recent[RECENT];
	struct pvr_blkback_fixed fixed;
};

static struct uring *of(struct pvr_blkback_engine *engine)
{
	return (struct uring *)engine;
}

/*
 * The ring may do these things and no more. seccomp does not see what is asked through a ring, so
 * without this a confined process could still open files by it.
 */
static int restrict_ring(struct io_uring *ring)
{
	static const struct io_uring_restriction allowed[] = {
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ_FIXED},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE_FIXED},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FALLOCATE},
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE},
		{.opcode = IORING_RESTRICTION_REGISTER_OP,
			.register_op = IORING_REGISTER_FILES_UPDATE},
		{.opcode = IORING_RESTRICTION_REGISTER_OP,
			.register_op = IORING_REGISTER_BUFFERS_UPDATE},
	};
	unsigned fd = (unsigned)ring->ring_fd;
	int result;

	/* liburing 2.3 declares functions for these two, and does not export them. */
	result = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, allowed,
		sizeof(allowed) / sizeof(allowed[0]));
	return result ? result : io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/*
 * The newest way the kernel knows first: completions do not interrupt this thread. IORING_SETUP_DEFER_TASKRUN
 * would go further, but with it a sleeping ppoll(2) on the ring missed completions (seen on Linux 6.18
 * with buffered writes, which complete in a kernel thread).
 */
static int open_ring(struct io_uring *ring, struct pvr_blkback_fixed *fixed)
{
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	int result = -EINVAL;

	for (unsigned i = 0; result == -EINVAL && i < sizeof(flags) / sizeof(flags[0]); i++)
		result = io_uring_queue_init(DEPTH, ring, flags[i] | IORING_SETUP_R_DISABLED);
	if (result)
		return result;
	pvr_blkback_fixed_init(fixed, ring);
	result = restrict_ring(ring);
	if (result)
		io_uring_queue_exit(ring);
	return result;
}

static int create(struct pvr_blkback_engine **engine)
{
	struct uring *u = calloc(1, sizeof(*u));
	int result;

	if (!u)
		return -ENOMEM;
	result = open_ring(&u->ring, &u->fixed);
	if (result) {
		free(u);
		return result;
	}
	u->budget = INLINE_BUDGET;
	u->later_end = &u->later;
	*engine = &u->base;
	return 0;
}

static void destroy(struct pvr_blkback_engine *engine)
{
	io_uring_queue_exit(&of(engine)->ring);
	free(engine);
}

static long try_cached(struct uring *u, struct pvr_blkback_io *io)
{
	struct pvr_blkback_cached *cached = &u->recent[(unsigned)io->disk->fd % RECENT];
	long result;

	if (io->op != PVR_BLKBACK_READ || !pvr_blkback_cached_worth(cached))
		return -EAGAIN;
	result = pvr_blkback_io_call(io, RWF_NOWAIT);
	pvr_blkback_cached_learn(cached, result != -EAGAIN);
	return result;
}

/* The io is done or a part of it is; 1: done. */
static int try_inline(struct uring *u, struct pvr_blkback_io *io)
{
	enum pvr_blkback_inline mode = io->disk->inline_io;
	uint32_t bytes = io->left;
	long result;

	if (mode == PVR_BLKBACK_SUBMIT || io->left > u->budget)
		return 0;
	result = mode == PVR_BLKBACK_INLINE_CACHED ? try_cached(u, io) : pvr_blkback_io_call(io, 0);
	if (result == -EAGAIN)
		return 0;
	u->budget -= bytes;
	if (!pvr_blkback_io_result(&u->base, io, result))
		return 0;
	u->base.inlined++;
	return 1;
}

static void prepare_vectored(
	struct io_uring_sqe *sqe, const struct pvr_blkback_io *io, const struct iovec *iov)
{
	unsigned count = io->iov_count - io->iov_first;

	if (io->op == PVR_BLKBACK_READ)
		io_uring_prep_readv(sqe, io->disk->fd, iov, count, io->offset);
	else
		io_uring_prep_writev(sqe, io->disk->fd, iov, count, io->offset);
}

static void prepare_fixed(struct io_uring_sqe *sqe, const struct pvr_blkback_io *io,
	const struct iovec *iov, int buffer)
{
	if (io->op == PVR_BLKBACK_READ)
		io_uring_prep_read_fixed(
			sqe, io->disk->fd, iov->iov_base, io->left, io->offset, buffer);
	else
		io_uring_prep_write_fixed(
			sqe, io->disk->fd, iov->iov_base, io->left, io->offset, buffer);
}

/* What is in one piece, and in memory that is registered, goes without pinning pages. */
static void prepare_transfer(struct uring *u, struct io_uring_sqe *sqe, struct pvr_blkback_io *io)
{
	const struct iovec *iov = io->iov + io->iov_first;
	int buffer = -1;

	if (io->disk->fixed && io->iov_count - io->iov_first == 1) {
		buffer = pvr_blkback_fixed_buffer(&u->fixed, iov);
		if (u->fixed.error)
			u->base.unfixed = u->fixed.error;
	}
	io->fixed = buffer >= 0;
	if (buffer >= 0)
		prepare_fixed(sqe, io, iov, buffer);
	else
		prepare_vectored(sqe, io, iov);
	if (io->fua)
		sqe->rw_flags = RWF_DSYNC;
}

static void prepare(struct uring *u, struct pvr_blkback_io *io)
{
	struct io_uring_sqe *sqe =
		io_uring_get_sqe(&u->ring); /* DEPTH bounds what is in flight: never NULL */

	if (io->op == PVR_BLKBACK_FLUSH)
		io_uring_prep_fsync(sqe, io->disk->fd, IORING_FSYNC_DATASYNC);
	else if (io->op == PVR_BLKBACK_DISCARD)
		io_uring_prep_fallocate(sqe, io->disk->fd, PUNCH, (off_t)io->offset, io->left);
	else
		prepare_transfer(u, sqe, io);
	pvr_blkback_fixed_use_file(&u->fixed, io->disk, sqe);
	io_uring_sqe_set_data(sqe, io);
	u->inflight++;
	u->base.unsent++;
}

static void start(struct uring *u, struct pvr_blkback_io *io)
{
	if (u->inflight < DEPTH && !u->later) {
		prepare(u, io);
		return;
	}
	io->next = NULL;
	*u->later_end = io;
	u->later_end = &io->next;
}

static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	if (!try_inline(of(engine), io))
		start(of(engine), io);
}

static void start_later(struct uring *u)
{
	while (u->later && u->inflight < DEPTH) {
		struct pvr_blkback_io *io = u->later;

		u->later = io->next;
		prepare(u, io);
	}
	if (!u->later)
		u->later_end = &u->later;
}

static void submit(struct pvr_blkback_engine *engine)
{
	struct uring *u = of(engine);

	u->budget = INLINE_BUDGET;
	start_later(u);
	if (!engine->unsent)
		return;
	/* What the kernel does not take now (it is short of memory) stays in the queue for the next
	 * turn. */
	if (io_uring_submit(&u->ring) >= 0)
		engine->unsent = io_uring_sq_ready(&u->ring);
}

static void poll(struct pvr_blkback_engine *engine)
{
	struct uring *u = of(engine);
	struct io_uring_cqe *cqe;

	if (!u->inflight)
		return;
	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct pvr_blkback_io *io = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		u->inflight--;
		if (!pvr_blkback_io_result(engine, io, result))
			start(u, io);
	}
	if (engine->unsent || u->later)
		submit(engine);
}

static int fd(struct pvr_blkback_engine *engine)
{
	return of(engine)->ring.ring_fd;
}

static void forget(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk)
{
	pvr_blkback_fixed_forget_file(&of(engine)->fixed, disk);
}

static void add_memory(struct pvr_blkback_engine *engine, void *base, size_t bytes)
{
	pvr_blkback_fixed_add(&of(engine)->fixed, base, bytes);
}

static void drop_memory(struct pvr_blkback_engine *engine, void *base)
{
	pvr_blkback_fixed_drop(&of(engine)->fixed, base);
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_uring = {
	.name = "uring",
	.create = create,
	.destroy = destroy,
	.queue = queue,
	.submit = submit,
	.poll = poll,
	.fd = fd,
	.forget = forget,
	.add_memory = add_memory,
	.drop_memory = drop_memory,
};
