/* SPDX-License-Identifier: MIT */
/*
 * Disks of NBD servers. Each worker has a connection of its own to each server, many requests in
 * flight on it, and waits for all of them in one epoll descriptor.
 *
 * When a connection breaks, what was sent by it fails with EIO, and what follows makes a new one; a
 * server that is not there is asked again once a second, and meanwhile requests fail at once. A
 * server that dies may have lost what it had answered and not made durable: the next flush after
 * that fails, once, so that the guest hears of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "engine.h"
#include "nbd.h"
#include "nbd_calls.h"

#define DEPTH    64u /* commands in flight on a connection; more waits */
#define RETRY_NS 1000000000u

struct conn {
	struct nbd_engine *engine;
	const struct pvr_blkback_disk *disk;
	const struct pvr_blkback_nbd_calls *call;
	struct nbd_handle *handle; /* NULL: none */
	int watched;               /* its descriptor that epoll knows, or -1 */
	uint32_t events;           /* for which */
	unsigned inflight;
	int dirty; /* answered writes that no flush has covered */
	int lost;  /* and the server is gone since */
	uint64_t retry_ns;
	struct pvr_blkback_io *waiting, **waiting_end;
	struct conn *next;
};

/* A command in flight. */
struct command {
	struct conn *conn;
	struct pvr_blkback_io *io;
	struct command *next;
	int error; /* positive, libnbd's */
	uint32_t bytes;
	int bounced;
	char bounce[];
};

struct nbd_engine {
	struct pvr_blkback_engine base;
	int epoll;
	struct conn *conns;
	struct command *completed; /* libnbd may not be called where it says so */
};

static struct nbd_engine *of(struct pvr_blkback_engine *engine)
{
	return (struct nbd_engine *)engine;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int create(struct pvr_blkback_engine **engine)
{
	struct nbd_engine *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (n->epoll < 0) {
		free(n);
		return -errno;
	}
	*engine = &n->base;
	return 0;
}

/* ---- a connection ---- */

static void wait_push(struct conn *c, struct pvr_blkback_io *io)
{
	io->next = NULL;
	*c->waiting_end = io;
	c->waiting_end = &io->next;
}

static struct pvr_blkback_io *wait_pop(struct conn *c)
{
	struct pvr_blkback_io *io = c->waiting;

	c->waiting = io->next;
	if (!c->waiting)
		c->waiting_end = &c->waiting;
	return io;
}

static struct conn *conn_find(struct nbd_engine *n, const struct pvr_blkback_disk *disk)
{
	struct conn *c = n->conns;

	while (c && c->disk != disk)
		c = c->next;
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->engine = n;
	c->disk = disk;
	c->call = disk->nbd->call;
	c->handle = atomic_exchange_explicit(&disk->nbd->first, NULL, memory_order_relaxed);
	c->watched = -1;
	c->waiting_end = &c->waiting;
	c->next = n->conns;
	n->conns = c;
	return c;
}

/* It has shaken hands, and takes commands. */
static int is_open(struct conn *c)
{
	return c->call->aio_is_ready(c->handle) || c->call->aio_is_processing(c->handle);
}

/* libnbd closes descriptors and opens others of the same number while it connects; epoll then has
 * forgotten. */
static void watch(struct conn *c)
{
	unsigned direction = c->call->aio_get_direction(c->handle);
	int fd = c->call->aio_get_fd(c->handle);
	struct epoll_event event = {.data.ptr = c};

	if (direction & LIBNBD_AIO_DIRECTION_READ)
		event.events |= EPOLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		event.events |= EPOLLOUT;
	if (fd < 0)
		return;
	if (fd == c->watched && event.events == c->events && is_open(c))
		return;
	if (epoll_ctl(c->engine->epoll, EPOLL_CTL_MOD, fd, &event) && errno == ENOENT)
		epoll_ctl(c->engine->epoll, EPOLL_CTL_ADD, fd, &event);
	c->watched = fd;
	c->events = event.events;
}

/* Closing takes the descriptor out of epoll, too. */
static void hang_up(struct conn *c)
{
	c->call->close(c->handle);
	c->handle = NULL;
	c->watched = -1;
	c->lost |= c->dirty;
	c->dirty = 0;
}

static void fail_waiting(struct conn *c)
{
	while (c->waiting)
		pvr_blkback_io_done(&c->engine->base, wait_pop(c), -EIO);
}

static void dial(struct conn *c)
{
	uint64_t now = now_ns();

	if (now >= c->retry_ns) {
		c->retry_ns = now + RETRY_NS;
		c->handle = pvr_blkback_nbd_connect(c->call, c->disk->nbd->uri);
	}
	if (!c->handle)
		fail_waiting(c);
}

/* ---- commands ---- */

/* By libnbd, within one of its calls. Returns 1: libnbd need not remember it. */
static int completed(void *opaque, int *error)
{
	struct command *command = opaque;
	struct nbd_engine *n = command->conn->engine;

	command->error = *error;
	command->next = n->completed;
	n->completed = command;
	return 1;
}

/* The protocol wants one piece of memory; the guest's pages are many. */
static struct command *command_new(struct conn *c, struct pvr_blkback_io *io)
{
	int data = io->op == PVR_BLKBACK_READ || io->op == PVR_BLKBACK_WRITE;
	uint32_t max = c->disk->nbd->max, bytes = data && io->left > max ? max : io->left;
	int bounced = data && io->iov[io->iov_first].iov_len < bytes;
	struct command *command = malloc(sizeof(*command) + (bounced ? bytes : 0));

	if (!command)
		return NULL;
	command->conn = c;
	command->io = io;
	command->bytes = bytes;
	command->bounced = bounced;
	return command;
}

static void copy_bounce(struct command *command)
{
	struct pvr_blkback_io *io = command->io;
	uint32_t at = 0;

	for (unsigned i = io->iov_first; at < command->bytes; i++) {
		uint32_t length = (uint32_t)io->iov[i].iov_len;

		if (length > command->bytes - at)
			length = command->bytes - at;
		if (io->op == PVR_BLKBACK_WRITE)
			memcpy(command->bounce + at, io->iov[i].iov_base, length);
		else
			memcpy(io->iov[i].iov_base, command->bounce + at, length);
		at += length;
	}
}

static int64_t send_command(struct conn *c, struct command *command)
{
	const struct pvr_blkback_nbd_calls *call = c->call;
	struct pvr_blkback_io *io = command->io;
	nbd_completion_callback then = {.callback = completed, .user_data = command};
	char *data = command->bounce;

	if (io->op == PVR_BLKBACK_FLUSH)
		return call->aio_flush(c->handle, then, 0);
	if (io->op == PVR_BLKBACK_DISCARD)
		return call->aio_trim(c->handle, command->bytes, io->offset, then, 0);
	if (!command->bounced)
		data = io->iov[io->iov_first].iov_base;
	if (io->op == PVR_BLKBACK_READ)
		return call->aio_pread(c->handle, data, command->bytes, io->offset, then, 0);
	if (command->bounced)
		copy_bounce(command);
	return call->aio_pwrite(c->handle, data, command->bytes, io->offset, then,
		io->fua ? LIBNBD_CMD_FLAG_FUA : 0);
}

/* What need not go to the server; 1: it is done. */
static int short_cut(struct conn *c, struct pvr_blkback_io *io)
{
	const struct pvr_blkback_nbd *nbd = c->disk->nbd;
	struct pvr_blkback_engine *engine = &c->engine->base;

	if (c->lost && (io->op == PVR_BLKBACK_FLUSH || io->fua)) {
		c->lost = 0;
		pvr_blkback_io_done(engine, io, -EIO);
	} else if (io->op == PVR_BLKBACK_FLUSH && !nbd->can_flush) {
		pvr_blkback_io_done(engine, io, 0); /* the server keeps nothing back */
	} else if (io->fua && !nbd->can_fua) {
		pvr_blkback_io_done(engine, io, -EOPNOTSUPP);
	} else {
		return 0;
	}
	return 1;
}

static void start(struct conn *c, struct pvr_blkback_io *io)
{
	struct command *command;

	if (short_cut(c, io))
		return;
	command = command_new(c, io);
	if (!command) {
		pvr_blkback_io_done(&c->engine->base, io, -ENOMEM);
		return;
	}
	if (io->op == PVR_BLKBACK_FLUSH)
		c->dirty = 0;
	if (send_command(c, command) < 0) {
		free(command);
		pvr_blkback_io_done(&c->engine->base, io, -EIO);
		return;
	}
	c->inflight++;
}

static void finish(struct nbd_engine *n, struct command *command)
{
	struct pvr_blkback_io *io = command->io;
	struct conn *c = command->conn;
	int moves = io->op == PVR_BLKBACK_READ || io->op == PVR_BLKBACK_WRITE;
	long result = moves ? (long)command->bytes : 0;

	c->inflight--;
	if (command->error)
		result = command->error == ENOSPC ? -ENOSPC : -EIO;
	else if (io->op == PVR_BLKBACK_READ && command->bounced)
		copy_bounce(command);
	if (io->op == PVR_BLKBACK_WRITE && !io->fua && !command->error)
		c->dirty = 1;
	free(command);
	if (!pvr_blkback_io_result(&n->base, io, result))
		wait_push(c, io);
}

static void finish_completed(struct nbd_engine *n)
{
	while (n->completed) {
		struct command *command = n->completed;

		n->completed = command->next;
		finish(n, command);
	}
}

static int is_dead(struct conn *c)
{
	return c->call->aio_is_dead(c->handle) || c->call->aio_is_closed(c->handle);
}

/*
 * Brings a connection as far as it gets now. Commands of a dead one have been completed with an
 * error by libnbd. Ends: dial makes one connection a second and fails what waits otherwise.
 */
static void pump(struct conn *c)
{
	struct nbd_engine *n = c->engine;

	do {
		finish_completed(n);
		if (c->handle && is_dead(c))
			hang_up(c);
		if (!c->handle && c->waiting)
			dial(c);
		while (c->handle && c->waiting && c->inflight < DEPTH && is_open(c))
			start(c, wait_pop(c));
	} while (n->completed || (c->handle && is_dead(c)));
	if (c->handle)
		watch(c);
}

/* ---- the table ---- */

static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	struct conn *c = conn_find(of(engine), io->disk);

	if (c)
		wait_push(c, io);
	else
		pvr_blkback_io_done(engine, io, -ENOMEM);
}

static void submit(struct pvr_blkback_engine *engine)
{
	for (struct conn *c = of(engine)->conns; c; c = c->next)
		if (c->waiting)
			pump(c);
}

static void poll(struct pvr_blkback_engine *engine)
{
	struct nbd_engine *n = of(engine);
	struct epoll_event event[16];
	int count = n->conns ? epoll_wait(n->epoll, event, 16, 0) : 0;

	for (int i = 0; i < count; i++) {
		struct conn *c = event[i].data.ptr;
		unsigned direction = c->call->aio_get_direction(c->handle);

		if (direction & LIBNBD_AIO_DIRECTION_READ &&
			event[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			c->call->aio_notify_read(c->handle);
		else if (event[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			c->call->aio_notify_write(c->handle);
		pump(c);
	}
}

static int fd(struct pvr_blkback_engine *engine)
{
	return of(engine)->epoll;
}

static void forget(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk)
{
	struct conn **at = &of(engine)->conns, *c;

	while (*at && (*at)->disk != disk)
		at = &(*at)->next;
	c = *at;
	if (!c || c->inflight || c->waiting)
		return;
	*at = c->next;
	if (c->handle)
		c->call->close(c->handle);
	free(c);
}

static void destroy(struct pvr_blkback_engine *engine)
{
	struct nbd_engine *n = of(engine);

	while (n->conns)
		forget(engine, n->conns->disk);
	close(n->epoll);
	free(n);
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_nbd = {
	.name = "nbd",
	.create = create,
	.destroy = destroy,
	.queue = queue,
	.submit = submit,
	.poll = poll,
	.fd = fd,
	.forget = forget,
};
