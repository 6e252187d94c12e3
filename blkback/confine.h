/* SPDX-License-Identifier: MIT */
/* What the process may still ask of the kernel once it is set up. */
#ifndef PVR_BLKBACK_CONFINE_H
#define PVR_BLKBACK_CONFINE_H

/* Confine every thread of the process for good. 0 or a negative errno. */
int pvr_blkback_confine(void);

#endif
