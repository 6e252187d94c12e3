/* SPDX-License-Identifier: MIT */
/*
 * The control thread: finds devices in xenstore, runs their handshakes, owns the workers. One
 * instance a process in production; tests make many.
 */
#ifndef PVR_BACKEND_CONTROL_H
#define PVR_BACKEND_CONTROL_H

#include <pvring/backend.h>

#include "device.h"

struct pvr_back_control;

/*
 * Connect to the hypervisor, start the workers, watch for devices. 0, or a negative
 * errno and everything undone. config->dir and config->host must outlive it.
 */
int pvr_back_control_create(const struct pvr_back_kind *kind, const struct pvr_back_config *config,
	struct pvr_back_control **control);

/*
 * Serve until stop_fd is readable, then drain and close every device. 0, or -ECONNRESET when the
 * hypervisor is gone: then everything is drained too.
 */
int pvr_back_control_run(struct pvr_back_control *control, int stop_fd);

/* The handle it watches xenstore with. */
const struct pvr_host *pvr_back_control_host(const struct pvr_back_control *control);

void pvr_back_control_destroy(struct pvr_back_control *control);

#endif
