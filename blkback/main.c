/* SPDX-License-Identifier: MIT */
/* The block backend as a process. */
#include <pvring/blkback.h>

#include "../backend/main.h"
#include "device.h"
#include "needs.h"

int pvr_blkback_run(const struct pvr_back_config *config)
{
	return pvr_back_run(&pvr_blkback_kind, &pvr_blkback_needs, config);
}
