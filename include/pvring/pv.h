/* SPDX-License-Identifier: MIT */
/*
 * The process machine with a kernel in it: a PV guest, in a process without any privilege, without KVM and without
 * root. The kernel's own code runs in the process, in ring 3; its hypercalls are function calls, its privileged
 * instructions fault and are emulated, and the page tables it asks for become the process's mappings. 32-bit and
 * 64-bit kernels run in the same 64-bit process.
 *
 * Frame f of the guest is byte f * 4096 of the domain's memory file, and pseudo-physical and machine frames are the
 * same. Linear addresses from 64 KiB to PVR_PV_WINDOW are the guest's.
 */
#ifndef PVR_PV_H
#define PVR_PV_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/machine.h>

#define PVR_PV_WINDOW 0x70000000u

/* The most memory a guest may have: all of it and the hypervisor's frames are mapped at boot. */
#define PVR_PV_MEMORY_MAX 0x6f000000u

/*
 * Attach to the domain, boot the kernel by its ELF notes ENTRY and HYPERCALL_PAGE, run until the guest shuts down.
 * The calling process should have nothing else to do: it loses its signals' handlers and confines itself by
 * seccomp before the guest's first instruction; the file of statistics is left to the caller to remove. Returns and
 * errors are those of pvr_kvm_run; -ENOTSUP is more than one vCPU.
 */
int pvr_pv_run(const struct pvr_machine_config *config, char *why, size_t size);

#endif
