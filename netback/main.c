/* SPDX-License-Identifier: MIT */
/* The network backend as a process. */
#include <pvring/netback.h>

#include "../backend/main.h"
#include "device.h"
#include "needs.h"

int pvr_netback_run(const struct pvr_netback_config *config)
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

	return pvr_back_run(&pvr_netback_kind, &pvr_netback_needs, &back);
}
