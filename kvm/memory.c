/* SPDX-License-Identifier: MIT */
/* Guest memory: KVM's memory slots, kept as slots.c plans them, and access by guest addresses. */
#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"

/* KVM counts its slots from 0 and knows them by number: vm->kvm->slot[number]. */
static int slot_set(struct vm *vm, unsigned number, const struct kvm_slot *slot)
{
	struct kvm_userspace_memory_region region = {
		.slot = number,
		.guest_phys_addr = slot->gpa,
		.memory_size = slot->size,
		.userspace_addr = (uint64_t)(uintptr_t)vm->memory + slot->file,
	};

	return ioctl(vm->kvm->fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int same(const struct kvm_slot *a, const struct kvm_slot *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->file == b->file;
}

static int planned(const struct kvm_slot *slot, const struct kvm_slot *plan, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (same(slot, &plan[i]))
			return 1;
	return 0;
}

/* Take away what is not planned any more. A slot cannot be cut, only replaced. */
static int slots_remove(struct vm *vm, const struct kvm_slot *plan, unsigned count)
{
	for (unsigned n = 0; n < KVM_SLOTS_MAX; n++) {
		if (!vm->kvm->slot[n].size || planned(&vm->kvm->slot[n], plan, count))
			continue;
		vm->kvm->slot[n].size = 0;
		int err = slot_set(vm, n, &vm->kvm->slot[n]);

		if (err)
			return err;
	}
	return 0;
}

static int slots_add(struct vm *vm, const struct kvm_slot *plan, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned free = KVM_SLOTS_MAX, n;

		for (n = 0; n < KVM_SLOTS_MAX &&
			    !(vm->kvm->slot[n].size && same(&vm->kvm->slot[n], &plan[i]));
			n++)
			if (!vm->kvm->slot[n].size && free == KVM_SLOTS_MAX)
				free = n;
		if (n < KVM_SLOTS_MAX)
			continue;
		if (free == KVM_SLOTS_MAX)
			return -ENOSPC;
		int err = slot_set(vm, free, &plan[i]);

		if (err)
			return err;
		vm->kvm->slot[free] = plan[i];
	}
	return 0;
}

/* Others must not run into the moment in which a slot is gone and its successor not there yet. */
int kvm_memory_update(struct vm *vm, struct vcpu *self)
{
	struct kvm_slot plan[KVM_SLOTS_MAX];
	unsigned count = kvm_slots_plan(&vm->kvm->slots, plan);

	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		if (&vm->vcpu[i] != self && vm->vcpu[i].started)
			kvm_vcpu_hold(&vm->vcpu[i]);
	int err = slots_remove(vm, plan, count);

	if (!err)
		err = slots_add(vm, plan, count);
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		if (&vm->vcpu[i] != self && vm->vcpu[i].started)
			kvm_vcpu_go(&vm->vcpu[i]);
	return err;
}

uint8_t *kvm_memory_at(struct vm *vm, uint64_t gpa)
{
	uint64_t file;

	return kvm_slots_find(&vm->kvm->slots, gpa, &file) ? NULL : vm->memory + file;
}

/* The caller's own page tables decide; which privilege it has does not matter, a kernel calls. */
uint8_t *kvm_linear(struct vcpu *v, uint64_t address, int write)
{
	struct kvm_translation where = {.linear_address = address};
	uint8_t *at;

	(void)write;
	if (ioctl(v->kvm->fd, KVM_TRANSLATE, &where) || !where.valid)
		return NULL;
	pthread_mutex_lock(&v->vm->lock);
	at = kvm_memory_at(v->vm, where.physical_address);
	if (!at)
		kvm_linear_done(v);
	return at;
}

void kvm_linear_done(struct vcpu *v)
{
	pthread_mutex_unlock(&v->vm->lock);
}
