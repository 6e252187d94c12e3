/* SPDX-License-Identifier: MIT */
/* The hypercalls that only a guest on KVM makes: where pages of the hypervisor's appear, the balloon. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include <pvring/xen/memory.h>
#include <pvring/xen/vcpu.h>

#include "internal.h"

#define EXTENTS_MAX 4096u

/* A guest word of the caller's width out of its structure. */
static uint64_t word_at(const uint8_t *at, unsigned word)
{
	uint64_t value = 0;

	memcpy(&value, at, word);
	return value;
}

/* shared_info has a new place: KVM, if it takes part, has to know, and the default vcpu_info with it. */
static int shared_info_placed(struct vm *vm, uint64_t gpa)
{
	int err = kvm_xen_shared_info(vm, gpa / VM_PAGE);

	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++)
		if (vm->vcpu[i].info == vm->memory + VM_PAGE + i * sizeof(struct vcpu_info))
			err = kvm_xen_vcpu_info(&vm->vcpu[i], gpa + i * sizeof(struct vcpu_info));
	return err;
}

static long add_to_physmap(struct vcpu *v, const struct hypercall *call)
{
	const unsigned word = call->bits / 8;
	struct vm *vm = v->vm;
	uint8_t arg[24];
	uint32_t space;
	uint64_t file;

	if (vm_guest_read(v, call->arg[1], arg, 8 + 2 * word))
		return -EFAULT;
	memcpy(&space, arg + 4, sizeof(space));
	uint64_t idx = word_at(arg + 8, word), gpa = word_at(arg + 8 + word, word) * VM_PAGE;

	if (word_at(arg, 2) != DOMID_SELF && word_at(arg, 2) != vm->config->domid)
		return -EPERM;
	if (space == XENMAPSPACE_shared_info && !idx)
		file = PVR_HV_FRAME_SHARED_INFO;
	else if (space == XENMAPSPACE_grant_table && idx < vm->boot.grant_frames)
		file = PVR_HV_FRAME_GRANT + idx;
	else
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	int err = kvm_slots_place(&vm->kvm->slots, gpa, file * VM_PAGE);

	if (!err)
		err = kvm_memory_update(vm, v);
	if (!err && file == PVR_HV_FRAME_SHARED_INFO)
		err = shared_info_placed(vm, gpa);
	pthread_mutex_unlock(&vm->lock);
	return err;
}

static long remove_from_physmap(struct vcpu *v, const struct hypercall *call)
{
	const unsigned word = call->bits / 8;
	uint8_t arg[16];

	if (vm_guest_read(v, call->arg[1], arg, 2 * word))
		return -EFAULT;
	pthread_mutex_lock(&v->vm->lock);
	int err = kvm_slots_remove(&v->vm->kvm->slots, word_at(arg + word, word) * VM_PAGE);

	if (!err)
		err = kvm_memory_update(v->vm, v);
	pthread_mutex_unlock(&v->vm->lock);
	return err;
}

static long memory_map(struct vcpu *v, const struct hypercall *call)
{
	struct hvm_memmap_table_entry map[KVM_MEMMAP_MAX];
	uint8_t packed[KVM_MEMMAP_MAX * KVM_MEMMAP_E820_SIZE];
	const unsigned word = call->bits / 8;
	unsigned count = kvm_layout_memmap(&v->vm->kvm->layout, map);
	uint8_t arg[16];
	uint32_t room;

	if (vm_guest_read(v, call->arg[1], arg, 2 * word))
		return -EFAULT;
	memcpy(&room, arg, sizeof(room));
	if (room < count)
		return -EINVAL;
	/* The same fields as an E820 entry, which ends behind the type. */
	for (unsigned i = 0; i < count; i++)
		memcpy(packed + i * KVM_MEMMAP_E820_SIZE, &map[i], KVM_MEMMAP_E820_SIZE);
	memcpy(arg, &count, sizeof(count));
	if (vm_guest_write(v, word_at(arg + word, word), packed, count * KVM_MEMMAP_E820_SIZE) ||
		vm_guest_write(v, call->arg[1], arg, sizeof(count)))
		return -EFAULT;
	return 0;
}

/* Frames of the guest's own RAM: not the hypervisor's, not beyond the end. */
static int extent_is_ram(const struct vm *vm, uint64_t frame, uint64_t pages)
{
	return frame >= vm->kvm->layout.hv_end / VM_PAGE &&
	       frame < vm->kvm->layout.memory_bytes / VM_PAGE &&
	       pages <= vm->kvm->layout.memory_bytes / VM_PAGE - frame;
}

/*
 * The balloon: pages given back become holes in the memory file, pages taken again are the same frames, zeroed.
 * How many extents were done.
 */
static long reservation(struct vcpu *v, const struct hypercall *call, int give_back)
{
	const unsigned word = call->bits / 8;
	struct vm *vm = v->vm;
	uint8_t arg[32];
	uint32_t order;
	long done = 0;

	if (vm_guest_read(v, call->arg[1], arg, word == 8 ? 26 : 18))
		return -EFAULT;
	uint64_t list = word_at(arg, word), count = word_at(arg + word, word);

	memcpy(&order, arg + 2 * word, sizeof(order));
	if (order > 9)
		return -EPERM;
	for (; done < (long)EXTENTS_MAX && (uint64_t)done < count; done++) {
		uint64_t frame = 0, pages = 1ull << order;

		if (vm_guest_read(v, list + (uint64_t)done * word, &frame, word) ||
			!extent_is_ram(vm, frame, pages))
			break;
		if (give_back &&
			fallocate(vm->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(frame * VM_PAGE), (off_t)(pages * VM_PAGE)))
			break;
		if (give_back)
			vm->stats->ballooned += pages;
		else
			vm->stats->ballooned -= pages;
	}
	return done;
}

static long memory_call(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 1;
	switch (call->arg[0]) {
	case XENMEM_add_to_physmap:
		return add_to_physmap(v, call);
	case XENMEM_remove_from_physmap:
		return remove_from_physmap(v, call);
	case XENMEM_memory_map:
		return memory_map(v, call);
	case XENMEM_decrease_reservation:
		return reservation(v, call, 1);
	case XENMEM_populate_physmap:
	case XENMEM_increase_reservation:
		return reservation(v, call, 0);
	default:
		*done = 0;
		return -ENOSYS;
	}
}

/* KVM keeps the times of a run state area where it can. */
static long runstate_call(struct vcpu *v, struct vcpu *target, uint64_t at)
{
	struct kvm_translation where;
	uint64_t address;

	if (vm_guest_read(v, at, &address, sizeof(address)))
		return -EFAULT;
	where = (struct kvm_translation){.linear_address = address};
	if (ioctl(v->kvm->fd, KVM_TRANSLATE, &where) || !where.valid)
		return -EFAULT;
	pthread_mutex_lock(&v->vm->lock);
	int err = kvm_xen_runstate(target, where.physical_address);

	pthread_mutex_unlock(&v->vm->lock);
	return err;
}

long kvm_call(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 0;
	if (call->op == __HYPERVISOR_memory_op)
		return memory_call(v, call, done);
	if (call->op != __HYPERVISOR_vcpu_op || !kvm_xen_events(v->vm) ||
		call->arg[0] != VCPUOP_register_runstate_memory_area ||
		call->arg[1] >= v->vm->boot.vcpus)
		return -ENOSYS;
	*done = 1;
	return runstate_call(v, &v->vm->vcpu[call->arg[1]], call->arg[2]);
}
