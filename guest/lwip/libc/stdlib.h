/* SPDX-License-Identifier: MIT */
/* For lwIP in a kernel: all it wants of this header. */
#ifndef PVR_LWIP_STDLIB_H
#define PVR_LWIP_STDLIB_H

int atoi(const char *text);

#endif
