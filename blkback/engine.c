/* SPDX-License-Identifier: MIT */
/* What the engines have in common: the table, the list of what is done, partial results. */
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk.h"

static const struct pvr_blkback_engine_ops *const engines[PVR_BLKBACK_KINDS] = {
	[PVR_BLKBACK_URING] = &pvr_blkback_engine_uring,
	[PVR_BLKBACK_AIO] = &pvr_blkback_engine_aio,
	[PVR_BLKBACK_SYNC] = &pvr_blkback_engine_sync,
	[PVR_BLKBACK_NBD] = &pvr_blkback_engine_nbd,
	[PVR_BLKBACK_MEM] = &pvr_blkback_engine_mem,
	[PVR_BLKBACK_NULL] = &pvr_blkback_engine_null,
};

int pvr_blkback_engine_create(enum pvr_blkback_kind kind, struct pvr_blkback_engine **engine)
{
	int result = engines[kind]->create(engine), refused = result;

	/* Seccomp, a sysctl (io_uring_disabled, fs.aio-max-nr), an old kernel. */
	while (result && kind < PVR_BLKBACK_SYNC)
		result = engines[++kind]->create(engine);
	if (result)
		return result;
	(*engine)->ops = engines[kind];
	(*engine)->done = NULL;
	(*engine)->done_end = &(*engine)->done;
	(*engine)->unsent = 0;
	(*engine)->refused = refused;
	(*engine)->unfixed = 0;
	(*engine)->inlined = 0;
	return 0;
}

void pvr_blkback_engine_destroy(struct pvr_blkback_engine *engine)
{
	if (engine)
		engine->ops->destroy(engine);
}

void pvr_blkback_engine_queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	io->error = 0;
	io->fixed = 0;
	io->iov_first = 0;
	engine->ops->queue(engine, io);
}

void pvr_blkback_engine_submit(struct pvr_blkback_engine *engine)
{
	if (engine->ops->submit)
		engine->ops->submit(engine);
}

struct pvr_blkback_io *pvr_blkback_engine_reap(struct pvr_blkback_engine *engine)
{
	struct pvr_blkback_io *io;

	if (!engine->done && engine->ops->poll)
		engine->ops->poll(engine);
	io = engine->done;
	if (!io)
		return NULL;
	engine->done = io->next;
	if (!engine->done)
		engine->done_end = &engine->done;
	return io;
}

int pvr_blkback_engine_fd(struct pvr_blkback_engine *engine)
{
	return engine->ops->fd ? engine->ops->fd(engine) : -1;
}

void pvr_blkback_engine_forget(
	struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk)
{
	if (engine->ops->forget)
		engine->ops->forget(engine, disk);
}

void pvr_blkback_engine_add_memory(struct pvr_blkback_engine *engine, void *base, size_t bytes)
{
	if (engine->ops->add_memory)
		engine->ops->add_memory(engine, base, bytes);
}

void pvr_blkback_engine_drop_memory(struct pvr_blkback_engine *engine, void *base)
{
	if (engine->ops->drop_memory)
		engine->ops->drop_memory(engine, base);
}

void pvr_blkback_io_done(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io, int error)
{
	io->error = error;
	io->next = NULL;
	*engine->done_end = io;
	engine->done_end = &io->next;
}

static void advance(struct pvr_blkback_io *io, uint32_t bytes)
{
	io->offset += bytes;
	io->left -= bytes;
	while (bytes > 0) {
		struct iovec *iov = &io->iov[io->iov_first];

		if (bytes < iov->iov_len) {
			iov->iov_base = (char *)iov->iov_base + bytes;
			iov->iov_len -= bytes;
			return;
		}
		bytes -= (uint32_t)iov->iov_len;
		io->iov_first++;
	}
}

int pvr_blkback_io_result(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io, long result)
{
	if (result == -EINTR || result == -EAGAIN)
		return 0;
	if (result < 0 || (io->op != PVR_BLKBACK_READ && io->op != PVR_BLKBACK_WRITE)) {
		pvr_blkback_io_done(engine, io, (int)result);
		return 1;
	}
	if (result == 0) {
		pvr_blkback_io_done(engine, io, -EIO);
		return 1;
	}
	assert(result <= io->left);
	advance(io, (uint32_t)result);
	if (io->left)
		return 0;
	pvr_blkback_io_done(engine, io, 0);
	return 1;
}

long pvr_blkback_io_call(struct pvr_blkback_io *io, int flags)
{
	const struct iovec *iov = io->iov + io->iov_first;
	int count = (int)(io->iov_count - io->iov_first), fd = io->disk->fd;
	off_t offset = (off_t)io->offset;
	long result;

	if (io->fua)
		flags |= RWF_DSYNC;
	if (io->op == PVR_BLKBACK_FLUSH)
		result = fdatasync(fd);
	else if (io->op == PVR_BLKBACK_DISCARD)
		result =
			fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, io->left);
	else if (io->op == PVR_BLKBACK_READ)
		result = preadv2(fd, iov, count, offset, flags);
	else
		result = pwritev2(fd, iov, count, offset, flags);
	return result < 0 ? -errno : result;
}
