/* SPDX-License-Identifier: MIT */
/* Says yes to everything and touches nothing: a read leaves the guest's page as it is. For
 * benchmarks. */
#include <errno.h>
#include <stdlib.h>

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
	pvr_blkback_io_done(engine, io, 0);
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_null = {
	.name = "null",
	.create = create,
	.destroy = destroy,
	.queue = queue,
};
