/* SPDX-License-Identifier: MIT */
/* The block backend as a process. */
#include <pvring/blkback.h>

#include "../backend/cpus.h"
#include "../backend/main.h"
#include "device.h"
#include "needs.h"

int pvr_blkback_cpus_check(const char *cpus)
{
	return pvr_back_cpus_check(cpus);
}

int pvr_blkback_run(const struct pvr_blkback_config *config)
{
	struct pvr_back_config back = {
		.dir = config->dir,
		.host = config->host,
		.workers = config->workers,
		.cpus = config->cpus,
		.ready_fd = config->ready_fd,
		.parent_dies = config->parent_dies,
		.quiet = config->quiet,
	};

	return pvr_back_run(&pvr_blkback_kind, &pvr_blkback_needs, &back);
}
