/* SPDX-License-Identifier: MIT */
/*
 * Files and block devices by the kernel's older asynchronous I/O, for where io_uring is refused.
 * It is asynchronous for direct I/O only: what goes through the page cache is done within
 * io_submit(2), and keeps this thread as long as that takes. Discards it does not know; they are
 * done here, a piece at a time.
 */
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "disk.h"
#include "engine.h"

#define DEPTH 128u /* in flight at the same time; more waits in `later` */

struct aio {
	struct pvr_blkback_engine base; /* .unsent counts `ready` */
	io_context_t context;
	int event_fd, slept;
	struct iocb block[DEPTH], *free[DEPTH], *ready[DEPTH];
	unsigned free_count;
	struct pvr_blkback_io *later, **later_end;
};

static struct aio *of(struct pvr_blkback_engine *engine)
{
	return (struct aio *)engine;
}

static int create(struct pvr_blkback_engine **engine)
{
	struct aio *a = calloc(1, sizeof(*a));
	int result;

	if (!a)
		return -ENOMEM;
	a->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	result = a->event_fd < 0 ? -errno : io_setup(DEPTH, &a->context);
	if (result) {
		if (a->event_fd >= 0)
			close(a->event_fd);
		free(a);
		return result;
	}
	for (unsigned i = 0; i < DEPTH; i++)
		a->free[i] = &a->block[i];
	a->free_count = DEPTH;
	a->later_end = &a->later;
	*engine = &a->base;
	return 0;
}

static void destroy(struct pvr_blkback_engine *engine)
{
	io_destroy(of(engine)->context);
	close(of(engine)->event_fd);
	free(engine);
}

static void prepare(struct aio *a, struct pvr_blkback_io *io)
{
	struct iocb *block = a->free[--a->free_count];
	const struct iovec *iov = io->iov + io->iov_first;
	int fd = io->disk->fd, count = (int)(io->iov_count - io->iov_first);

	if (io->op == PVR_BLKBACK_FLUSH)
		io_prep_fdsync(block, fd);
	else if (io->op == PVR_BLKBACK_READ)
		io_prep_preadv(block, fd, iov, count, (long long)io->offset);
	else
		io_prep_pwritev2(
			block, fd, iov, count, (long long)io->offset, io->fua ? RWF_DSYNC : 0);
	block->data = io;
	io_set_eventfd(block, a->event_fd);
	a->ready[a->base.unsent++] = block;
}

static void start(struct aio *a, struct pvr_blkback_io *io)
{
	if (a->free_count && !a->later) {
		prepare(a, io);
		return;
	}
	io->next = NULL;
	*a->later_end = io;
	a->later_end = &io->next;
}

/* What would be done within io_submit anyway, and what io_submit cannot do. */
static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	if (io->disk->inline_io != PVR_BLKBACK_INLINE_ALL && io->op != PVR_BLKBACK_DISCARD) {
		start(of(engine), io);
		return;
	}
	while (!pvr_blkback_io_result(engine, io, pvr_blkback_io_call(io, 0)))
		;
	engine->inlined++;
}

static void give_back(struct aio *a, struct iocb *block)
{
	a->free[a->free_count++] = block;
}

/* Gives the kernel what it takes; one that it refuses fails alone. */
static void submit(struct pvr_blkback_engine *engine)
{
	struct aio *a = of(engine);
	unsigned sent = 0;

	while (a->later && a->free_count) {
		struct pvr_blkback_io *io = a->later;

		a->later = io->next;
		prepare(a, io);
	}
	if (!a->later)
		a->later_end = &a->later;
	while (sent < engine->unsent) {
		int result = io_submit(a->context, (long)(engine->unsent - sent), a->ready + sent);

		if (result == -EAGAIN || result == -EINTR || result == 0)
			break;
		if (result < 0) {
			struct iocb *block = a->ready[sent];

			pvr_blkback_io_done(engine, block->data, result);
			give_back(a, block);
			result = 1;
		}
		sent += (unsigned)result;
	}
	engine->unsent -= sent;
	for (unsigned i = 0; i < engine->unsent; i++)
		a->ready[i] = a->ready[i + sent];
}

/* io_getevents looks at a ring in memory first, so asking often is cheap. */
static void poll(struct pvr_blkback_engine *engine)
{
	struct aio *a = of(engine);
	struct timespec now = {0};
	struct io_event event[32];
	uint64_t count;
	int got;

	if (a->slept && read(a->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	a->slept = 0;
	if (a->free_count + engine->unsent == DEPTH)
		return;
	while ((got = io_getevents(a->context, 0, 32, event, &now)) > 0)
		for (int i = 0; i < got; i++) {
			struct pvr_blkback_io *io = event[i].data;

			give_back(a, event[i].obj);
			if (!pvr_blkback_io_result(engine, io, (long)event[i].res))
				start(a, io);
		}
	if (engine->unsent || a->later)
		submit(engine);
}

/* Asked for before a sleep: the event is cleared after it. */
static int fd(struct pvr_blkback_engine *engine)
{
	of(engine)->slept = 1;
	return of(engine)->event_fd;
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_aio = {
	.name = "aio",
	.create = create,
	.destroy = destroy,
	.queue = queue,
	.submit = submit,
	.poll = poll,
	.fd = fd,
};
