/* SPDX-License-Identifier: MIT */
/* pvring run --kernel: a kernel instead of a command, on either machine. */
#ifndef PVR_TOOLS_RUN_KVM_H
#define PVR_TOOLS_RUN_KVM_H

#include <argp.h>
#include <signal.h>
#include <stdint.h>

struct ephemeral;

struct run_kvm {
	int on; /* --machine kvm; otherwise the process machine */
	const char *kernel, *initrd, *append;
	uint32_t vcpus; /* 0: one */
};

/* The options, an argp child whose input is a struct run_kvm. */
extern const struct argp run_kvm_argp;

/* 0, or a sysexits status with the reason said: what was given does not go together. */
int run_kvm_check(const struct run_kvm *kvm, int has_command);

/*
 * Boot the kernel as the system's domain, again whenever it reboots, until it powers off: 0, or a status with the
 * reason said. *caught ends it.
 */
int run_kvm(
	struct ephemeral *system, const struct run_kvm *kvm, const volatile sig_atomic_t *caught);

/*
 * One life of the guest in a child process, console on these descriptors; what pvr_kvm_run returned as the status of
 * the child. The parts of it that other verbs use. -1 and errno from fork.
 */
struct kvm_guest {
	const char *dir;
	uint32_t domid;
	const struct run_kvm *kvm;
	int console_in, console_out; /* of 0, 1 and 2: all others are closed in the child */
	int quiet;
	int ready_fd; /* as pvr_machine_config has it */
};
pid_t kvm_guest_fork(const struct kvm_guest *guest);

/* What a child's exit status means: SHUTDOWN_*, PVR_MACHINE_LEFT, or -1 with *status a sysexits status. */
int kvm_guest_ended(int wait_status, int *status);

/* Before the next life: frontends begin anew, once their backends have let go of the last ones. */
int kvm_guest_devices_reset(const char *dir, uint32_t domid);

#endif
