/* SPDX-License-Identifier: MIT */
/* In place of disk_nbd.c and engine_nbd.c where libnbd's header was not installed. */
#include <errno.h>
#include <stdlib.h>

#include "disk_open.h"
#include "nbd.h"

int pvr_blkback_disk_open_nbd(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	(void)disk;
	return pvr_blkback_refuse(error, -EOPNOTSUPP,
		"%s: built without NBD; install libnbd-dev and build again", spec->params);
}

void pvr_blkback_nbd_close(struct pvr_blkback_nbd *nbd)
{
	free(nbd);
}

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
	pvr_blkback_io_done(engine, io, -EOPNOTSUPP);
}

const struct pvr_blkback_engine_ops pvr_blkback_engine_nbd = {
	.name = "nbd",
	.create = create,
	.destroy = destroy,
	.queue = queue,
};
