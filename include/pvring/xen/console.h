/* SPDX-License-Identifier: MIT */
/*
 * The console page a domain shares with its console daemon: out is what the guest prints. The rings
 * differ in size; indices run freely and are masked. Source of everything here: io/console.h.
 */
#ifndef PVR_XEN_CONSOLE_H
#define PVR_XEN_CONSOLE_H

#include <stdint.h>

typedef uint32_t XENCONS_RING_IDX;

#define MASK_XENCONS_IDX(idx, ring) ((idx) & (sizeof(ring) - 1))

struct xencons_interface {
	char in[1024];
	char out[2048];
	XENCONS_RING_IDX in_cons, in_prod;
	XENCONS_RING_IDX out_cons, out_prod;
};

#endif
