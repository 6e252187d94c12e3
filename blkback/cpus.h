/* SPDX-License-Identifier: MIT */
/* A list of CPUs as the operator writes it. */
#ifndef PVR_BLKBACK_CPUS_H
#define PVR_BLKBACK_CPUS_H

/*
 * "0-3,6" into cpus[max], in that order: how many, or -EINVAL for what is no such list, names a CPU
 * beyond 1023, or more than max.
 */
int pvr_blkback_cpus_parse(const char *text, unsigned cpus[], unsigned max);

#endif
