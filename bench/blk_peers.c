/* SPDX-License-Identifier: MIT */
/* The same block I/O on the same file without pvring: pread and pwrite, and io_uring. */
#include "blk_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

uint64_t blk_next(struct blk_cursor *cursor, const struct blk_job *job)
{
	uint64_t places = job->span / job->size;

	if (job->sequential)
		return cursor->at++ % places * job->size;
	cursor->state = cursor->state * 6364136223846793005u + 1442695040888963407u;
	return (cursor->state >> 33) % places * job->size;
}

static int file_open(const char *path, const struct blk_job *job)
{
	int fd = open(path, (job->write ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void blk_run_psync(const char *path, const struct blk_job *job, struct blk_result *result)
{
	struct blk_cursor cursor = {.state = 1};
	int fd = file_open(path, job);
	void *buffer = aligned_alloc(4096, (job->size + 4095) & ~4095u);
	uint64_t begin = bench_now_ns(), now = begin;

	*result = (struct blk_result){.error = fd < 0 ? fd : buffer ? 0 : -ENOMEM};
	while (!result->error && now < begin + job->ns) {
		bench_think(job->think);

		uint64_t at = bench_now_ns();
		off_t where = (off_t)blk_next(&cursor, job);
		ssize_t n = job->write ? pwrite(fd, buffer, job->size, where)
				       : pread(fd, buffer, job->size, where);

		now = bench_now_ns();
		if (n != (ssize_t)job->size)
			result->error = n < 0 ? -errno : -EIO;
		hist_add(&result->latency, now - at);
		result->requests++;
	}
	result->ns = bench_now_ns() - begin;
	free(buffer);
	if (fd >= 0)
		close(fd);
}

struct uring_slot {
	uint64_t begin;
	uint8_t *buffer;
};

static void uring_start(struct io_uring *ring, int fd, struct uring_slot *slot,
	struct blk_cursor *cursor, const struct blk_job *job)
{
	struct io_uring_sqe *sqe =
		io_uring_get_sqe(ring); /* never NULL: as many entries as slots */
	uint64_t where = blk_next(cursor, job);

	if (job->write)
		io_uring_prep_write(sqe, fd, slot->buffer, job->size, where);
	else
		io_uring_prep_read(sqe, fd, slot->buffer, job->size, where);
	io_uring_sqe_set_data(sqe, slot);
	slot->begin = bench_now_ns();
}

/* Take what has completed; start it again unless the time is over. Returns how many were taken. */
static unsigned uring_reap(struct io_uring *ring, int fd, struct blk_cursor *cursor,
	const struct blk_job *job, uint64_t end, struct blk_result *result)
{
	struct io_uring_cqe *cqe;
	unsigned taken = 0;

	while (!io_uring_peek_cqe(ring, &cqe)) {
		struct uring_slot *slot = io_uring_cqe_get_data(cqe);
		uint64_t now = bench_now_ns();

		if (cqe->res != (int)job->size && !result->error)
			result->error = cqe->res < 0 ? cqe->res : -EIO;
		io_uring_cqe_seen(ring, cqe);
		hist_add(&result->latency, now - slot->begin);
		result->requests++;
		taken++;
		if (now < end && !result->error) {
			bench_think(job->think);
			uring_start(ring, fd, slot, cursor, job);
			taken--;
		}
	}
	return taken;
}

static void uring_drive(struct io_uring *ring, int fd, struct uring_slot *slots,
	const struct blk_job *job, struct blk_result *result)
{
	struct blk_cursor cursor = {.state = 1};
	uint64_t end = bench_now_ns() + job->ns;
	unsigned inflight = job->depth;

	for (unsigned i = 0; i < job->depth; i++)
		uring_start(ring, fd, &slots[i], &cursor, job);
	while (inflight) {
		int rc = io_uring_submit_and_wait(ring, 1);

		if (rc < 0 && rc != -EINTR) {
			result->error = rc;
			return;
		}
		inflight -= uring_reap(ring, fd, &cursor, job, end, result);
	}
}

void blk_run_uring(const char *path, const struct blk_job *job, struct blk_result *result)
{
	struct uring_slot *slots = calloc(job->depth, sizeof(*slots));
	size_t stride = (job->size + 4095) & ~4095u;
	uint8_t *buffers = aligned_alloc(4096, stride * job->depth);
	struct io_uring ring;
	int fd = file_open(path, job), rc;
	uint64_t begin;

	*result = (struct blk_result){.error = fd < 0 ? fd : slots && buffers ? 0 : -ENOMEM};
	rc = result->error ? result->error : io_uring_queue_init(job->depth, &ring, 0);
	if (!result->error)
		result->error = rc;
	for (unsigned i = 0; !result->error && i < job->depth; i++)
		slots[i].buffer = buffers + stride * i;
	begin = bench_now_ns();
	if (!result->error)
		uring_drive(&ring, fd, slots, job, result);
	result->ns = bench_now_ns() - begin;
	if (!rc)
		io_uring_queue_exit(&ring);
	if (fd >= 0)
		close(fd);
	free(buffers);
	free(slots);
}
