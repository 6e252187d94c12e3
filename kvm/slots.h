/* SPDX-License-Identifier: MIT */
/*
 * Which parts of the memory file a guest sees where: RAM, with pages of the hypervisor's laid over it where the
 * guest asked for them. Pure; memory.c makes memory slots of it.
 */
#ifndef KVM_SLOTS_H
#define KVM_SLOTS_H

#include <stdint.h>

#define KVM_ALIASES_MAX 72u /* shared_info, 64 grant frames, a few more */
#define KVM_SLOTS_MAX   (2 * KVM_ALIASES_MAX + 3)

struct kvm_slot {
	uint64_t gpa, size,
		file; /* guest address, bytes, place in the memory file; size 0: unused */
};

struct kvm_slots {
	uint64_t memory_bytes;
	unsigned aliases;
	struct kvm_slot alias[KVM_ALIASES_MAX]; /* a page each, ascending by gpa */
};

/*
 * Let the page at guest address gpa be the one at `file`, which is taken from wherever the guest had it placed
 * before; what was at gpa before is hidden. 0; -EINVAL: not a page, or beyond what a guest may have;
 * -ENOSPC.
 */
int kvm_slots_place(struct kvm_slots *slots, uint64_t gpa, uint64_t file);

/* Take away what lies over gpa; -ENOENT: nothing does. */
int kvm_slots_remove(struct kvm_slots *slots, uint64_t gpa);

/* The slots that say all of this, ascending, none overlapping; how many. */
unsigned kvm_slots_plan(const struct kvm_slots *slots, struct kvm_slot plan[KVM_SLOTS_MAX]);

/* Where gpa is in the memory file, within one page; -EFAULT: nowhere. */
int kvm_slots_find(const struct kvm_slots *slots, uint64_t gpa, uint64_t *file);

#endif
