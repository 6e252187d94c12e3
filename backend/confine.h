/* SPDX-License-Identifier: MIT */
/* What the process may still ask of the kernel once it is set up. */
#ifndef PVR_BACKEND_CONFINE_H
#define PVR_BACKEND_CONFINE_H

#include <pvring/host.h>

/* What one kind of backend needs beyond what all do. Each array has its length behind it. */
struct pvr_back_needs {
	const int *calls; /* numbers of system calls, with any arguments */
	unsigned call_count;
	const unsigned long *ioctls;
	unsigned ioctl_count;
	const unsigned long *families; /* of socket, AF_* */
	unsigned family_count;
	const unsigned long *registers; /* of io_uring_register, IORING_REGISTER_* */
	unsigned register_count;
};

/*
 * Confine every thread of the process for good, to that and to what handles as `host` ask of the kernel.
 * `program` is for log lines. 0 or a negative errno.
 */
int pvr_back_confine(
	const char *program, const struct pvr_back_needs *needs, const struct pvr_host *host);

#endif
