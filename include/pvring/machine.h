/* SPDX-License-Identifier: MIT */
/*
 * A machine: a process that is a domain and runs a kernel in it. There are two, which a backend cannot tell
 * apart: pvring/kvm.h and pvring/pv.h. What a run is given and how it ends is the same for both.
 */
#ifndef PVR_MACHINE_H
#define PVR_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#define PVR_MACHINE_VCPUS_MAX 32u /* as many as shared_info has room for */

struct pvr_machine_config {
	const char *dir;     /* of the hypervisor's sockets, as pvr_hv_dir */
	uint32_t domid;      /* created before, with its vCPUs and its memory; nobody attached */
	const char *kernel;  /* path: ELF or bzImage */
	const char *initrd;  /* path, or NULL */
	const char *cmdline; /* or NULL */
	int console_in; /* what the guest's console reads, -1: nothing. Left to the caller to close */
	int console_out; /* what it prints to; a terminal is expected to be raw already */
	int quiet;       /* do not say which mode was chosen */
	int ready_fd;    /* one byte is written when the guest begins to run; -1: none */
};

/* Why a run came to its end, when it ran at all: Xen's SHUTDOWN_* (pvring/xen/sched.h), or this. */
#define PVR_MACHINE_LEFT 64 /* Ctrl-] was typed on the console */

#endif
