/* SPDX-License-Identifier: MIT */
/* A list of CPUs as the operator writes it. */
#ifndef PVR_BACKEND_CPUS_H
#define PVR_BACKEND_CPUS_H

#define PVR_BACK_WORKERS_MAX 64u

/*
 * "0-3,6" into cpus[max], in that order: how many, or -EINVAL for what is no such list, names a CPU
 * beyond 1023, or more than max.
 */
int pvr_back_cpus_parse(const char *text, unsigned cpus[], unsigned max);

#endif
