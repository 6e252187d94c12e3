/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread with its own host handle that serves the rings it was given. It sleeps when
 * there is nothing to do, after a short spin where spinning has paid.
 *
 * All functions are the control thread's. None waits for the worker except start and stop.
 */
#ifndef PVR_BACKEND_WORKER_H
#define PVR_BACKEND_WORKER_H

#include "ring.h"

struct pvr_back_worker;

/*
 * Start a thread on the hypervisor at `address` (pvr_host_open). `wake_fd`, an eventfd, is written whenever the state
 * of one of its rings has changed. `first`: of the process's workers. `cpu`: where it runs, -1:
 * anywhere. 0 or a negative errno.
 */
int pvr_back_worker_start(const struct pvr_back_turn_ops *ops, const char *address, int wake_fd,
	int first, int cpu, struct pvr_back_worker **worker);
/* It has no rings any more. NULL is allowed. */
void pvr_back_worker_stop(struct pvr_back_worker *worker);

/* Lend a ring (JOINING): it becomes LIVE or FAILED. */
void pvr_back_worker_add(struct pvr_back_worker *worker, struct pvr_back_ring *ring);
/* Ask for a LIVE or BROKEN one back: it becomes GONE when everything taken is answered. */
void pvr_back_worker_remove(struct pvr_back_worker *worker, struct pvr_back_ring *ring);

#endif
