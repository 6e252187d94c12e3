/* SPDX-License-Identifier: MIT */
#ifndef PVR_GUEST_MACHINE_H
#define PVR_GUEST_MACHINE_H

/* Attached as a domain, without devices open: nonzero, with a line on stderr, when something is wrong. */
int machine_check(void);

#endif
