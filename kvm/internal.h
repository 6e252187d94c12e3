/* SPDX-License-Identifier: MIT */
/* What the files of the kvm machine share, beside what both machines do (machine/internal.h). */
#ifndef KVM_INTERNAL_H
#define KVM_INTERNAL_H

#include <linux/kvm.h>

#include <pvring/kvm.h>

#include "../machine/internal.h"
#include "patch.h"
#include "slots.h"
#include "start_info.h"

#define KVM_HYPERCALL_PORT 0xe4
#define KVM_HYPERCALL_MSR  0x40000000u

struct kvm_cpu {
	int fd;
	struct kvm_run *run;
};

struct kvm {
	int dev, fd;  /* /dev/kvm, the machine */
	uint32_t xen; /* KVM_XEN_HVM_CONFIG_*, as in use */
	struct kvm_layout layout;
	struct kvm_cpu cpu[PVR_MACHINE_VCPUS_MAX];
	/* Under vm->lock. */
	struct kvm_slots slots;
	struct kvm_slot slot[KVM_SLOTS_MAX]; /* as KVM has them */
};

/* boot.c: put the kernel, the tables and start_info into guest memory. */
int kvm_boot_load(struct vm *vm, struct vm_files *files, struct why *why);

/* memory.c. Under vm->lock where it says so. */
int kvm_memory_update(struct vm *vm, struct vcpu *self); /* slots to KVM; lock held */
/* Our mapping of guest address gpa, good to the end of its page; NULL: the guest has nothing there. Lock held. */
uint8_t *kvm_memory_at(struct vm *vm, uint64_t gpa);
uint8_t *kvm_linear(struct vcpu *v, uint64_t address, int write); /* takes the lock, until */
void kvm_linear_done(struct vcpu *v);

/* cpuid.c, vcpu.c */
int kvm_cpuid_set(struct vcpu *v);
int kvm_vcpu_create(struct vcpu *v, struct why *why);
void *kvm_vcpu_thread(void *vcpu);
/* Keep a vCPU out of the guest until _go; when the caller is its own thread that is it already. */
void kvm_vcpu_hold(struct vcpu *v);
void kvm_vcpu_go(struct vcpu *v);
/* Make its thread look at vm->reason. */
void kvm_vcpu_kick(struct vcpu *v);

/* physmap.c */
long kvm_call(struct vcpu *v, const struct hypercall *call, int *done);

/* clock.c */
uint64_t kvm_now(struct vm *vm);
/* Let the clock page of the vCPU be in its vcpu_info at guest address gpa. Lock held. */
int kvm_clock_place(struct vcpu *v, uint64_t vcpu_info_gpa);

/* xen.c: what Linux's KVM does itself when it was built with CONFIG_KVM_XEN; all may be called without. */
extern const struct machine_events kvm_xen_machine_events;
int kvm_xen_start(struct vm *vm);
int kvm_xen_events(const struct vm *vm); /* KVM delivers events, sends and timers */
int kvm_xen_shared_info(struct vm *vm, uint64_t gfn);
int kvm_xen_vcpu_id(struct vcpu *v);
int kvm_xen_vcpu_info(struct vcpu *v, uint64_t gpa);
int kvm_xen_runstate(struct vcpu *v, uint64_t gpa);

/* io.c: a guest's access to a port; `data` is `size` bytes to write or to fill in. */
void kvm_io(struct vcpu *v, int out, uint16_t port, uint8_t *data, unsigned size);

/* confine.c */
int kvm_confine(struct vm *vm);

#endif
