/* SPDX-License-Identifier: MIT */
/* The hypercalls that are about the machine itself: HVM parameters, vCPUs' areas and timers, sends. */
#include <errno.h>
#include <string.h>

#include <pvring/xen/vcpu.h>

#include "internal.h"
#include "twolevel.h"

#define CONSOLE_BATCH 1024u

/* An upcall that fell due before there was a vector is made up for: it would hide all later ones. */
static void vector_set(struct vcpu *v, uint8_t vector)
{
	v->vector = vector;
	if (!vm_events_own(v->vm) && vm_2l_upcall_pending(v->info))
		vm_upcall(v);
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
	int err = vm_events_own(vm) ? vm->machine->events->callback(vm, vector) : 0;

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

	if (vm_guest_read(v, call->arg[1], &param, sizeof(param)))
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
		err = vm_guest_write(v, call->arg[1], &param, sizeof(param));
	return err;
}

static long vector_call(struct vcpu *v, const struct hypercall *call)
{
	struct xen_hvm_evtchn_upcall_vector arg;
	struct vm *vm = v->vm;

	if (vm_guest_read(v, call->arg[1], &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.vcpu >= vm->boot.vcpus)
		return -ENOENT;
	if (arg.vector < VM_VECTOR_MIN)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	vector_set(&vm->vcpu[arg.vcpu], arg.vector);
	int err = vm_events_own(vm) ? vm->machine->events->vector(&vm->vcpu[arg.vcpu], arg.vector)
				    : 0;

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

	if (offset > VM_PAGE - sizeof(struct vcpu_info) || offset % 8)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	uint8_t *page = vm->machine->at(vm, gpa);
	uint8_t *first = vm->memory + VM_PAGE + target->index * sizeof(struct vcpu_info);

	if (!page || target->info != first)
		err = -EINVAL;
	if (!err) {
		memmove(page + offset, first, sizeof(struct vcpu_info)); /* may be the same page */
		target->info = page + offset;
		err = vm->machine->info_placed(target, gpa + offset);
	}
	if (!err && !vm_events_own(vm)) {
		vm_2l_all(target->info, vm->word_size);
		vm_upcall(target);
	}
	pthread_mutex_unlock(&vm->lock);
	return err;
}

/*
 * The area says once that the vCPU has run ever since: a guest then sees no stolen time, and Linux insists on an
 * area.
 */
static long runstate_call(struct vcpu *v, uint64_t at)
{
	const unsigned word = v->vm->word_size;
	const uint64_t now = vm_now(v->vm);
	uint8_t area[48] = {RUNSTATE_running};
	uint64_t address;

	if (vm_guest_read(v, at, &address, sizeof(address)))
		return -EFAULT;
	memcpy(area + word, &now, sizeof(now));
	return vm_guest_write(v, address, area, word + 5 * sizeof(uint64_t));
}

static long singleshot_call(struct vcpu *v, const struct vcpu *target, uint64_t at)
{
	uint8_t arg[12];
	uint64_t deadline;
	uint32_t flags;

	if (target != v)
		return -EINVAL;
	if (vm_guest_read(v, at, arg, sizeof(arg)))
		return -EFAULT;
	memcpy(&deadline, arg, sizeof(deadline));
	memcpy(&flags, arg + 8, sizeof(flags));
	return vm_timer_set(v, deadline ? deadline : 1, flags & VCPU_SSHOTTMR_future);
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
		return target == v ? vm_timer_set(v, 0, 0) : -EINVAL;
	case VCPUOP_set_singleshot_timer:
		return singleshot_call(v, target, call->arg[2]);
	case VCPUOP_register_runstate_memory_area:
		return runstate_call(v, call->arg[2]);
	case VCPUOP_register_vcpu_info:
		if (vm_guest_read(v, call->arg[2], &info, sizeof(info)))
			return -EFAULT;
		return vcpu_info_call(target, info.mfn * VM_PAGE, info.offset);
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
	if (vm_guest_read(v, at, text, count))
		return -EFAULT;
	vm_console_text(v->vm, text, count);
	return 0;
}

static long event_call(struct vcpu *v, const struct hypercall *call, int *done)
{
	evtchn_port_t port; /* all there is in either structure */

	if (call->arg[0] != EVTCHNOP_send && call->arg[0] != EVTCHNOP_unmask) {
		*done = 0;
		return -ENOSYS;
	}
	if (vm_guest_read(v, call->arg[1], &port, sizeof(port)))
		return -EFAULT;
	return call->arg[0] == EVTCHNOP_send ? vm_port_send(v->vm, port)
					     : vm_port_unmask(v->vm, port);
}

long vm_call_local(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 1;
	switch (call->op) {
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
