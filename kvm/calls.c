/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that are about this machine: where pages of the hypervisor's appear, the balloon, HVM
 * parameters, vCPUs' areas and timers, sends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <pvring/xen/memory.h>
#include <pvring/xen/vcpu.h>

#include "internal.h"
#include "twolevel.h"

#define EXTENTS_MAX   4096u
#define CONSOLE_BATCH 1024u
#define VECTOR_MIN    0x10

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
	int err = kvm_xen_shared_info(vm, gpa / KVM_PAGE);

	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++)
		if (vm->vcpu[i].info == vm->memory + KVM_PAGE + i * sizeof(struct vcpu_info))
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

	if (kvm_guest_read(v, call->arg[1], arg, 8 + 2 * word))
		return -EFAULT;
	memcpy(&space, arg + 4, sizeof(space));
	uint64_t idx = word_at(arg + 8, word), gpa = word_at(arg + 8 + word, word) * KVM_PAGE;

	if (word_at(arg, 2) != DOMID_SELF && word_at(arg, 2) != vm->config->domid)
		return -EPERM;
	if (space == XENMAPSPACE_shared_info && !idx)
		file = PVR_HV_FRAME_SHARED_INFO;
	else if (space == XENMAPSPACE_grant_table && idx < vm->boot.grant_frames)
		file = PVR_HV_FRAME_GRANT + idx;
	else
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	int err = kvm_slots_place(&vm->slots, gpa, file * KVM_PAGE);

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

	if (kvm_guest_read(v, call->arg[1], arg, 2 * word))
		return -EFAULT;
	pthread_mutex_lock(&v->vm->lock);
	int err = kvm_slots_remove(&v->vm->slots, word_at(arg + word, word) * KVM_PAGE);

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
	unsigned count = kvm_layout_memmap(&v->vm->layout, map);
	uint8_t arg[16];
	uint32_t room;

	if (kvm_guest_read(v, call->arg[1], arg, 2 * word))
		return -EFAULT;
	memcpy(&room, arg, sizeof(room));
	if (room < count)
		return -EINVAL;
	/* The same fields as an E820 entry, which ends behind the type. */
	for (unsigned i = 0; i < count; i++)
		memcpy(packed + i * KVM_MEMMAP_E820_SIZE, &map[i], KVM_MEMMAP_E820_SIZE);
	memcpy(arg, &count, sizeof(count));
	if (kvm_guest_write(v, word_at(arg + word, word), packed, count * KVM_MEMMAP_E820_SIZE) ||
		kvm_guest_write(v, call->arg[1], arg, sizeof(count)))
		return -EFAULT;
	return 0;
}

/* Frames of the guest's own RAM: not the hypervisor's, not beyond the end. */
static int extent_is_ram(const struct vm *vm, uint64_t frame, uint64_t pages)
{
	return frame >= vm->layout.hv_end / KVM_PAGE &&
	       frame < vm->layout.memory_bytes / KVM_PAGE &&
	       pages <= vm->layout.memory_bytes / KVM_PAGE - frame;
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

	if (kvm_guest_read(v, call->arg[1], arg, word == 8 ? 26 : 18))
		return -EFAULT;
	uint64_t list = word_at(arg, word), count = word_at(arg + word, word);

	memcpy(&order, arg + 2 * word, sizeof(order));
	if (order > 9)
		return -EPERM;
	for (; done < (long)EXTENTS_MAX && (uint64_t)done < count; done++) {
		uint64_t frame = 0, pages = 1ull << order;

		if (kvm_guest_read(v, list + (uint64_t)done * word, &frame, word) ||
			!extent_is_ram(vm, frame, pages))
			break;
		if (give_back &&
			fallocate(vm->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(frame * KVM_PAGE), (off_t)(pages * KVM_PAGE)))
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

/* An upcall that fell due before there was a vector is made up for: it would hide all later ones. */
static void vector_set(struct vcpu *v, uint8_t vector)
{
	v->vector = vector;
	if (!kvm_xen_events(v->vm) && kvm_2l_upcall_pending(v->info))
		kvm_upcall(v);
}

/*
 * Who asks by a vector for the whole domain gets it at every vCPU that chose none. Other ways to interrupt a guest do
 * not exist here, but Linux, which has chosen vectors by then, names one to seem enlightened.
 */
static int callback_set(struct vm *vm, uint64_t value)
{
	uint8_t vector = (uint8_t)value;

	if (value >> 56 != HVM_PARAM_CALLBACK_TYPE_VECTOR)
		return 0;
	int err = kvm_xen_callback(vm, vector);

	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++)
		if (!vm->vcpu[i].vector)
			vector_set(&vm->vcpu[i], vector);
	return err;
}

static long param_call(struct vcpu *v, const struct hypercall *call)
{
	struct xen_hvm_param param;
	struct vm *vm = v->vm;
	long err = 0;

	if (kvm_guest_read(v, call->arg[1], &param, sizeof(param)))
		return -EFAULT;
	if (param.domid != DOMID_SELF && param.domid != vm->config->domid)
		return -EPERM;
	if (param.index >= HVM_NR_PARAMS)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	if (call->arg[0] == HVMOP_get_param)
		param.value = vm->params[param.index];
	else if (param.index == HVM_PARAM_CALLBACK_IRQ)
		err = callback_set(vm, param.value);
	else if (param.index != HVM_PARAM_TIMER_MODE)
		err = -EPERM; /* the others are the hypervisor's to say */
	if (!err && call->arg[0] == HVMOP_set_param)
		vm->params[param.index] = param.value;
	pthread_mutex_unlock(&vm->lock);
	if (!err && call->arg[0] == HVMOP_get_param)
		err = kvm_guest_write(v, call->arg[1], &param, sizeof(param));
	return err;
}

static long vector_call(struct vcpu *v, const struct hypercall *call)
{
	struct xen_hvm_evtchn_upcall_vector arg;
	struct vm *vm = v->vm;

	if (kvm_guest_read(v, call->arg[1], &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.vcpu >= vm->boot.vcpus)
		return -ENOENT;
	if (arg.vector < VECTOR_MIN)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	vector_set(&vm->vcpu[arg.vcpu], arg.vector);
	int err = kvm_xen_vector(&vm->vcpu[arg.vcpu], arg.vector);

	pthread_mutex_unlock(&vm->lock);
	return err;
}

static long hvm_call(struct vcpu *v, const struct hypercall *call)
{
	switch (call->arg[0]) {
	case HVMOP_set_param:
	case HVMOP_get_param:
		return param_call(v, call);
	case HVMOP_set_evtchn_upcall_vector:
		return vector_call(v, call);
	default:
		return -ENOSYS;
	}
}

/* vcpu_info moves once, out of shared_info to where the guest wants it; what is in it moves along. */
static long vcpu_info_call(struct vcpu *target, uint64_t gpa, uint32_t offset)
{
	struct vm *vm = target->vm;
	long err = 0;

	if (offset > KVM_PAGE - sizeof(struct vcpu_info) || offset % 8)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	uint8_t *page = kvm_memory_at(vm, gpa);
	uint8_t *first = vm->memory + KVM_PAGE + target->index * sizeof(struct vcpu_info);

	if (!page || target->info != first)
		err = -EINVAL;
	if (!err) {
		memcpy(page + offset, first, sizeof(struct vcpu_info));
		target->info = page + offset;
		err = kvm_xen_vcpu_info(target, gpa + offset);
	}
	if (!err)
		err = kvm_clock_place(target, gpa + offset);
	if (!err && !kvm_xen_events(vm)) {
		kvm_2l_all(target->info, vm->word_size);
		kvm_upcall(target);
	}
	pthread_mutex_unlock(&vm->lock);
	return err;
}

/*
 * KVM keeps the times of a run state area where it can. Otherwise the area says once that the vCPU has run ever since:
 * a guest then sees no stolen time, and Linux insists on an area.
 */
static int runstate_once(struct vcpu *v, uint64_t address)
{
	const unsigned word = v->vm->word_size;
	const uint64_t now = kvm_now(v->vm);
	uint8_t area[48] = {RUNSTATE_running};

	memcpy(area + word, &now, sizeof(now));
	return kvm_guest_write(v, address, area, word + 5 * sizeof(uint64_t));
}

static long runstate_call(struct vcpu *v, struct vcpu *target, uint64_t at)
{
	struct kvm_translation where;
	uint64_t address;

	if (kvm_guest_read(v, at, &address, sizeof(address)))
		return -EFAULT;
	if (!kvm_xen_events(v->vm))
		return runstate_once(v, address);
	where = (struct kvm_translation){.linear_address = address};
	if (ioctl(v->fd, KVM_TRANSLATE, &where) || !where.valid)
		return -EFAULT;
	pthread_mutex_lock(&v->vm->lock);
	int err = kvm_xen_runstate(target, where.physical_address);

	pthread_mutex_unlock(&v->vm->lock);
	return err;
}

static long singleshot_call(struct vcpu *v, const struct vcpu *target, uint64_t at)
{
	uint8_t arg[12];
	uint64_t deadline;
	uint32_t flags;

	if (target != v)
		return -EINVAL;
	if (kvm_guest_read(v, at, arg, sizeof(arg)))
		return -EFAULT;
	memcpy(&deadline, arg, sizeof(deadline));
	memcpy(&flags, arg + 8, sizeof(flags));
	return kvm_timer_set(v, deadline ? deadline : 1, flags & VCPU_SSHOTTMR_future);
}

static long vcpu_call(struct vcpu *v, const struct hypercall *call)
{
	struct vcpu_register_vcpu_info info;
	struct vcpu *target;

	if (call->arg[1] >= v->vm->boot.vcpus)
		return -ENOENT;
	target = &v->vm->vcpu[call->arg[1]];
	switch (call->arg[0]) {
	case VCPUOP_is_up:
		return 1;
	case VCPUOP_stop_periodic_timer:
		return 0;
	case VCPUOP_stop_singleshot_timer:
		return target == v ? kvm_timer_set(v, 0, 0) : -EINVAL;
	case VCPUOP_set_singleshot_timer:
		return singleshot_call(v, target, call->arg[2]);
	case VCPUOP_register_runstate_memory_area:
		return runstate_call(v, target, call->arg[2]);
	case VCPUOP_register_vcpu_info:
		if (kvm_guest_read(v, call->arg[2], &info, sizeof(info)))
			return -EFAULT;
		return vcpu_info_call(target, info.mfn * KVM_PAGE, info.offset);
	default:
		return -ENOSYS;
	}
}

static long console_call(struct vcpu *v, const struct hypercall *call)
{
	uint64_t count = (uint32_t)call->arg[1], at = call->arg[2];
	char text[CONSOLE_BATCH];

	if (call->arg[0] != CONSOLEIO_write)
		return call->arg[0] == CONSOLEIO_read ? 0 : -ENOSYS;
	if (count > INT32_MAX)
		return -EINVAL;
	/* As much as one piece holds: Xen may take less than asked too. */
	if (count > sizeof(text))
		count = sizeof(text);
	if (kvm_guest_read(v, at, text, count))
		return -EFAULT;
	kvm_console_text(v->vm, text, count);
	return 0;
}

static long event_call(struct vcpu *v, const struct hypercall *call, int *done)
{
	evtchn_port_t port; /* all there is in either structure */

	if (call->arg[0] != EVTCHNOP_send && call->arg[0] != EVTCHNOP_unmask) {
		*done = 0;
		return -ENOSYS;
	}
	if (kvm_guest_read(v, call->arg[1], &port, sizeof(port)))
		return -EFAULT;
	return call->arg[0] == EVTCHNOP_send ? kvm_port_send(v->vm, port)
					     : kvm_port_unmask(v->vm, port);
}

long kvm_call_local(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 1;
	switch (call->op) {
	case __HYPERVISOR_memory_op:
		return memory_call(v, call, done);
	case __HYPERVISOR_hvm_op:
		return hvm_call(v, call);
	case __HYPERVISOR_vcpu_op:
		return vcpu_call(v, call);
	case __HYPERVISOR_event_channel_op:
		return event_call(v, call, done);
	case __HYPERVISOR_console_io:
		return console_call(v, call);
	default:
		*done = 0;
		return -ENOSYS;
	}
}
