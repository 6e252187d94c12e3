/* SPDX-License-Identifier: MIT */
/* The network backend as a process. */
#include <pvring/netback.h>

#include "../backend/main.h"
#include "device.h"
#include "needs.h"

int pvr_netback_run(const struct pvr_back_config *config)
{
	return pvr_back_run(&pvr_netback_kind, &pvr_netback_needs, config);
}
