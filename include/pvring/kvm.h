/* SPDX-License-Identifier: MIT */
/*
 * The kvm machine: a process that is a domain, as the process machine's are, and runs the domain's code on
 * virtual CPUs of Linux's KVM. It boots a PVH kernel (ELF, or a bzImage that holds one) and turns the
 * guest's hypercalls into the calls that a process domain makes: backends see no difference.
 *
 * The guest's memory is the domain's memory file, guest frame f at byte f * 4096, so a frame in a grant entry
 * means to a backend what it means to the guest. The file's first frames, which belong to the hypervisor
 * (pvring/hypervisor.h), are reserved in the guest's memory map; shared_info and the grant table appear a
 * second time where the guest places them. From 3 GiB to 4 GiB the guest has no RAM: a domain that is to have
 * more than 3 GiB is created with pvr_kvm_memory_bytes().
 */
#ifndef PVR_KVM_H
#define PVR_KVM_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/machine.h>

/* The size of the memory file of a guest that is to have `ram` bytes of memory. */
uint64_t pvr_kvm_memory_bytes(uint64_t ram);

/*
 * Attach to the domain, boot the kernel, run until the guest shuts down. The calling process should have
 * nothing else to do: signals of its vCPU threads are SIGUSR1, and it confines itself by seccomp before the
 * guest's first instruction. Returns SHUTDOWN_* or PVR_MACHINE_LEFT; or a negative errno, with one line in
 * why[size] that says what failed and the way out:
 *   -ENOENT    kernel or initrd is not there, no /dev/kvm, or no such domain
 *   -EACCES    no permission for one of them
 *   -ENOEXEC   not a kernel, or one without a PVH entry
 *   -ENOMEM    the guest's memory is too little for kernel and initrd
 *   -ENOTSUP   this KVM lacks something
 *   -EBUSY     somebody is attached to the domain
 * others as the calls that failed have them. Sleeps as long as the guest lives.
 */
int pvr_kvm_run(const struct pvr_machine_config *config, char *why, size_t size);

#endif
