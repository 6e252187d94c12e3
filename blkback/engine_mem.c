/* SPDX-License-Identifier: MIT */
/* A disk in this process's memory. It is as durable as the process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "engine.h"

static int create(struct pvr_blkback_engine **engine)
{
	*engine = malloc(sizeof(**engine));
	return *engine ? 0 : -ENOMEM;
}

static void destroy(struct pvr_blkback_engine *engine)
{
	free(engine);
}

static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	char *at = (char *)io->disk->memory + io->offset;

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
