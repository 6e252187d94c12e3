/* SPDX-License-Identifier: MIT */
/* Files and block devices by system calls that sleep: simple, everywhere, one I/O at a time. */
#include <errno.h>
#include <stdlib.h>

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

/* Ends: every call moves at least a byte, fails, or was interrupted by a signal. */
static void queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io)
{
	while (!pvr_blkback_io_result(engine, io, pvr_blkback_io_call(io, 0)))
		;
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_sync = {
	.name = "sync",
	.create = create,
	.destroy = destroy,
	.queue = queue,
};
