/* SPDX-License-Identifier: MIT */
/* See slots.h. */
#include "slots.h"

#include <errno.h>
#include <string.h>

#include "start_info.h"

/* The low megabyte is a slot of its own: shared_info is placed there, and only this slot is cut up for it. */
static unsigned regions(const struct kvm_slots *s, struct kvm_slot region[3])
{
	uint64_t low = s->memory_bytes < KVM_GAP_START ? s->memory_bytes : KVM_GAP_START;
	unsigned n = 0;

	region[n++] = (struct kvm_slot){0, KVM_HIGH, 0};
	region[n++] = (struct kvm_slot){KVM_HIGH, low - KVM_HIGH, KVM_HIGH};
	if (s->memory_bytes > KVM_GAP_END)
		region[n++] =
			(struct kvm_slot){KVM_GAP_END, s->memory_bytes - KVM_GAP_END, KVM_GAP_END};
	return n;
}

static void drop(struct kvm_slots *s, unsigned i)
{
	s->aliases--;
	memmove(&s->alias[i], &s->alias[i + 1], (s->aliases - i) * sizeof(s->alias[0]));
}

int kvm_slots_place(struct kvm_slots *s, uint64_t gpa, uint64_t file)
{
	unsigned i;

	/* KVM's local APIC page is its own; 2^46 is within every CPU's reach that matters. */
	if (gpa % VM_PAGE || file % VM_PAGE || gpa >= 1ull << 46 || gpa == 0xfee00000)
		return -EINVAL;
	for (i = 0; i < s->aliases; i++)
		if (s->alias[i].gpa == gpa || s->alias[i].file == file)
			drop(s, i--);
	if (s->aliases == KVM_ALIASES_MAX)
		return -ENOSPC;
	for (i = 0; i < s->aliases && s->alias[i].gpa < gpa; i++)
		;
	memmove(&s->alias[i + 1], &s->alias[i], (s->aliases - i) * sizeof(s->alias[0]));
	s->alias[i] = (struct kvm_slot){gpa, VM_PAGE, file};
	s->aliases++;
	return 0;
}

int kvm_slots_remove(struct kvm_slots *s, uint64_t gpa)
{
	for (unsigned i = 0; i < s->aliases; i++)
		if (s->alias[i].gpa == gpa) {
			drop(s, i);
			return 0;
		}
	return -ENOENT;
}

unsigned kvm_slots_plan(const struct kvm_slots *s, struct kvm_slot plan[KVM_SLOTS_MAX])
{
	struct kvm_slot region[3];
	unsigned count = regions(s, region), n = 0, a = 0;

	for (unsigned r = 0; r < count; r++) {
		uint64_t at = region[r].gpa, end = at + region[r].size;

		for (; a < s->aliases && s->alias[a].gpa < at; a++)
			plan[n++] = s->alias[a];
		for (; a < s->aliases && s->alias[a].gpa < end; a++) {
			if (s->alias[a].gpa > at)
				plan[n++] = (struct kvm_slot){at, s->alias[a].gpa - at, at};
			plan[n++] = s->alias[a];
			at = s->alias[a].gpa + VM_PAGE;
		}
		if (at < end)
			plan[n++] = (struct kvm_slot){at, end - at, at};
	}
	for (; a < s->aliases; a++)
		plan[n++] = s->alias[a];
	return n;
}

int kvm_slots_find(const struct kvm_slots *s, uint64_t gpa, uint64_t *file)
{
	struct kvm_slot region[3];
	uint64_t page = gpa / VM_PAGE * VM_PAGE;
	unsigned count = regions(s, region);

	for (unsigned i = 0; i < s->aliases; i++)
		if (s->alias[i].gpa == page) {
			*file = s->alias[i].file + (gpa - page);
			return 0;
		}
	for (unsigned i = 0; i < count; i++)
		if (gpa >= region[i].gpa && gpa - region[i].gpa < region[i].size) {
			*file = gpa;
			return 0;
		}
	return -EFAULT;
}
