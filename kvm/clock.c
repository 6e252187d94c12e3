/* SPDX-License-Identifier: MIT */
/*
 * The guest's clock. The page in each vcpu_info is written by KVM, which knows when the TSC's rate or offset changes: its
 * own paravirtual clock has the same layout and is told, through the MSR a KVM guest would write, that the page
 * is there.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include <pvring/xen/xen.h>

#include "internal.h"

#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u

uint64_t kvm_now(struct vm *vm)
{
	struct kvm_clock_data clock = {0};

	ioctl(vm->kvm->fd, KVM_GET_CLOCK, &clock);
	return clock.clock;
}

int kvm_clock_place(struct vcpu *v, uint64_t vcpu_info_gpa)
{
	/* Behind two bytes, a word and the architecture's part: the same in both word sizes. */
	_Static_assert(offsetof(struct vcpu_info, time) == 32, "where Xen has it");
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} msrs = {.head.nmsrs = 1,
		.entry = {{.index = MSR_KVM_SYSTEM_TIME_NEW, .data = (vcpu_info_gpa + 32) | 1}}};
	int err;

	kvm_vcpu_hold(v);
	err = ioctl(v->kvm->fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EINVAL;
	kvm_vcpu_go(v);
	return err;
}
