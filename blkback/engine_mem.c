/* SPDX-License-Identifier: MIT */
/* A disk in this process's memory. It is as durable as the process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "disk.h"
#include "engine.h"

#define PAGE 4096u

static int create(struct pvr_blkback_engine **engine)
{
	*engine = malloc(sizeof(**engine));
	return *engine ? 0 : -ENOMEM;
}

static void destroy(struct pvr_blkback_engine *engine)
{
	free(engine);
}

/*
 * Whole pages go back to the kernel, which gives them out again as zeroes and to nobody with what
 * was in them: that is as secure as memory gets.
 */
static int discard(char *at, size_t length)
{
	size_t head = -(uintptr_t)at % PAGE, tail;

	if (head > length)
		head = length;
	tail = (length - head) % PAGE;
	memset(at, 0, head);
	memset(at + length - tail, 0, tail);
	length -= head + tail;
	return length && madvise(at + head, length, MADV_DONTNEED) ? -errno : 0;
}

static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	char *at = (char *)io->disk->memory + io->offset;

	if (io->op == PVR_BLKBACK_DISCARD || io->op == PVR_BLKBACK_DISCARD_SECURE) {
		pvr_blkback_io_done(engine, io, discard(at, io->left));
		return;
	}
	for (unsigned i = 0; io->op != PVR_BLKBACK_FLUSH && i < io->iov_count; i++) {
		const struct iovec *iov = &io->iov[i];

		if (io->op == PVR_BLKBACK_READ)
			memcpy(iov->iov_base, at, iov->iov_len);
		else
			memcpy(at, iov->iov_base, iov->iov_len);
		at += iov->iov_len;
	}
	pvr_blkback_io_done(engine, io, 0);
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_mem = {
	.name = "mem",
	.create = create,
	.destroy = destroy,
	.queue = queue,
};
