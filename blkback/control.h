/* SPDX-License-Identifier: MIT */
/*
 * The control thread: finds devices in xenstore, runs their handshakes, owns the workers. One
 * instance a process in production; tests make many.
 */
#ifndef PVR_BLKBACK_CONTROL_H
#define PVR_BLKBACK_CONTROL_H

#include <pvring/blkback.h>
#include <pvring/host.h>

struct pvr_blkback_control;

/*
 * Connect to the hypervisor at config->dir, start the workers, watch for devices. 0, or a negative
 * errno and everything undone. config->dir must outlive it.
 */
int pvr_blkback_control_create(
	const struct pvr_blkback_config *config, struct pvr_blkback_control **control);

/*
 * Serve until stop_fd is readable, then drain and close every device. 0, or -ECONNRESET when the
 * hypervisor is gone: then everything is drained too.
 */
int pvr_blkback_control_run(struct pvr_blkback_control *control, int stop_fd);

void pvr_blkback_control_destroy(struct pvr_blkback_control *control);

#endif
