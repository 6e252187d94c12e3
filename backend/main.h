/* SPDX-License-Identifier: MIT */
/* A backend as a process of its own. */
#ifndef PVR_BACKEND_MAIN_H
#define PVR_BACKEND_MAIN_H

#include <pvring/backend.h>

#include "confine.h"
#include "device.h"

/*
 * Serve one kind of device until SIGTERM or SIGINT, or until the hypervisor is gone. 0 or a negative
 * errno, with one line on stderr.
 */
int pvr_back_run(const struct pvr_back_kind *kind, const struct pvr_back_needs *needs,
	const struct pvr_back_config *config);

#endif
