/* SPDX-License-Identifier: MIT */
/*
 * A guest's hypercall becomes the call that a process domain would make: the argument is copied out of guest
 * memory in its own layout, sent to the daemon, and copied back. calls.c and sched.c answer what concerns
 * this machine alone.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <pvring/xen/features.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/version.h>

#include "internal.h"

#define ARGUMENT_MAX (PVR_HV_DATA_MAX - sizeof(struct pvr_hv_hypercall))
#define COUNT_MAX    65536u

long vm_daemon_call(struct vm *vm, uint32_t op, uint32_t cmd, void *argument, size_t size,
	uint32_t count, int *fds, unsigned *fds_count)
{
	pthread_mutex_lock(&vm->control_lock);
	long result = pvr_hv_hypercall(vm->control, op, cmd, argument, size, count, fds, fds_count);

	pthread_mutex_unlock(&vm->control_lock);
	return result;
}

/* The size of the caller's structure; the daemon knows one layout, that of the kernel's word size. */
static size_t shape_size(
	const struct vcpu *v, const struct hypercall *call, const struct pvr_hv_shape *shape)
{
	if (call->bits != v->vm->word_size * 8 && shape->size_32 != shape->size_64)
		return 0;
	return v->vm->word_size == 4 ? shape->size_32 : shape->size_64;
}

/* What a new port is to us beyond its descriptors: whom its events go to. */
static void port_describe(uint32_t cmd, const void *argument, struct port *port)
{
	if (cmd == EVTCHNOP_bind_virq) {
		port->vcpu = ((const struct evtchn_bind_virq *)argument)->vcpu;
		port->virq = ((const struct evtchn_bind_virq *)argument)->virq;
	} else if (cmd == EVTCHNOP_bind_ipi) {
		port->vcpu = ((const struct evtchn_bind_ipi *)argument)->vcpu;
	}
}

static long event_call(struct vcpu *v, uint32_t cmd, void *argument, size_t size)
{
	int fds[2] = {-1, -1};
	unsigned fds_count = 2;
	evtchn_port_t number = 0;
	struct port port = {0};
	long result = vm_daemon_call(
		v->vm, __HYPERVISOR_event_channel_op, cmd, argument, size, 1, fds, &fds_count);

	if (!result)
		port.kind = pvr_hv_port_made(cmd, argument, &number);
	if (port.kind != PVR_HV_PORT_CLOSED && fds_count == 2) {
		port.rx = fds[0];
		port.tx = fds[1];
		port_describe(cmd, argument, &port);
		result = vm_port_open(v->vm, number, &port);
		fds_count = result ? fds_count : 0;
	}
	while (fds_count)
		close(fds[--fds_count]);
	if (result)
		return result;
	if (cmd == EVTCHNOP_close)
		vm_port_close(v->vm, ((const struct evtchn_close *)argument)->port);
	if (cmd == EVTCHNOP_bind_vcpu)
		vm_port_bind(v->vm, ((const struct evtchn_bind_vcpu *)argument)->port,
			((const struct evtchn_bind_vcpu *)argument)->vcpu);
	if (cmd == EVTCHNOP_reset)
		vm_ports_reset(v->vm);
	return 0;
}

/* The daemon speaks for process domains too; these are true of this machine's guests alone. */
static void features_add(struct xen_feature_info *info)
{
	info->submap |= 1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_hvm_safe_pvclock;
}

/* One structure, or none. */
static long plain_call(
	struct vcpu *v, const struct hypercall *call, const struct pvr_hv_shape *shape)
{
	_Alignas(16) uint8_t argument[sizeof(xen_capabilities_info_t)];
	size_t size = shape_size(v, call, shape);
	const uint64_t at = call->arg[1];
	long result;

	if (size > sizeof(argument) || (!size && shape->size_64))
		return -ENOSYS;
	if (size && vm_guest_read(v, at, argument, size))
		return -EFAULT;
	if (call->op == __HYPERVISOR_event_channel_op)
		result = event_call(v, shape->cmd, argument, size);
	else
		result = vm_daemon_call(
			v->vm, call->op, shape->cmd, argument, size, size ? 1 : 0, NULL, NULL);
	if (call->op == __HYPERVISOR_xen_version && shape->cmd == XENVER_get_features && !result)
		features_add((struct xen_feature_info *)argument);
	if (result >= 0 && size && vm_guest_write(v, at, argument, size))
		return -EFAULT;
	return result;
}

/* An array goes in pieces that fit a message; grant commands have a status for each element. */
static long array_call(
	struct vcpu *v, const struct hypercall *call, const struct pvr_hv_shape *shape)
{
	_Alignas(16) uint8_t piece[ARGUMENT_MAX];
	size_t size = shape_size(v, call, shape);
	uint64_t at = call->arg[1], count = (uint32_t)call->arg[2];

	if (!size)
		return -ENOSYS;
	if (count > COUNT_MAX)
		return -EINVAL;
	while (count) {
		size_t fit = sizeof(piece) / size;
		size_t now = count < fit ? count : fit;

		if (vm_guest_read(v, at, piece, now * size))
			return -EFAULT;
		long result = vm_daemon_call(
			v->vm, call->op, shape->cmd, piece, now * size, (uint32_t)now, NULL, NULL);

		if (result)
			return result;
		if (vm_guest_write(v, at, piece, now * size))
			return -EFAULT;
		at += now * size;
		count -= now;
	}
	return 0;
}

/* The frame list, which a pointer names, travels behind the structure. */
static long setup_table(struct vcpu *v, const struct hypercall *call)
{
	const unsigned word = v->vm->word_size, size = word == 8 ? 24 : 16;
	_Alignas(16) uint8_t argument[24 + 64 * 8];
	uint64_t list = 0;
	uint32_t frames;
	int16_t status;

	if (call->bits != word * 8)
		return -ENOSYS;
	if ((uint32_t)call->arg[2] != 1)
		return -EINVAL;
	if (vm_guest_read(v, call->arg[1], argument, size))
		return -EFAULT;
	memcpy(&frames, argument + 4, sizeof(frames));
	memcpy(&list, argument + size - word, word);
	if (frames > 64)
		return -EINVAL;
	long result = vm_daemon_call(v->vm, call->op, GNTTABOP_setup_table, argument,
		size + frames * word, 1, NULL, NULL);

	if (result)
		return result;
	memcpy(&status, argument + 8, sizeof(status));
	if (status == GNTST_okay && vm_guest_write(v, list, argument + size, frames * word))
		return -EFAULT;
	return vm_guest_write(v, call->arg[1], argument, size - word) ? -EFAULT : 0;
}

static void count_call(struct vcpu *v, const struct hypercall *call)
{
	_Atomic uint64_t *count = v->vm->stats->vcpu[v->index].count;
	enum vm_exit kind = VM_EXITS_HYPERCALL;

	if (call->op == __HYPERVISOR_event_channel_op)
		kind = call->arg[0] == EVTCHNOP_send ? VM_EXITS_SEND : VM_EXITS_OTHER_EVENT;
	else if (call->op == __HYPERVISOR_grant_table_op)
		kind = VM_EXITS_GRANT;
	else if (call->op == __HYPERVISOR_mmu_update || call->op == __HYPERVISOR_mmuext_op ||
		 call->op == __HYPERVISOR_update_va_mapping)
		kind = VM_EXITS_TABLES;
	else if (call->op == __HYPERVISOR_vcpu_op || call->op == __HYPERVISOR_set_timer_op)
		kind = VM_EXITS_TIMER;
	atomic_fetch_add_explicit(&count[VM_EXITS_HYPERCALL], 1, memory_order_relaxed);
	if (kind != VM_EXITS_HYPERCALL)
		atomic_fetch_add_explicit(&count[kind], 1, memory_order_relaxed);
}

/* Kernels ask for it to come by here and nothing else, Linux whenever it wants to see its events: asked once. */
static long version_call(struct vm *vm)
{
	long version = vm->version;

	if (version <= 0)
		vm->version = version = vm_daemon_call(vm, __HYPERVISOR_xen_version, XENVER_version,
			NULL, 0, 0, NULL, NULL);
	return version;
}

long vm_hypercall(struct vcpu *v, const struct hypercall *call)
{
	int done = 0;

	count_call(v, call);
	long result = v->vm->machine->call(v, call, &done);

	if (!done)
		result = call->op == __HYPERVISOR_sched_op ? vm_call_sched(v, call, &done)
							   : vm_call_local(v, call, &done);
	if (done)
		return result;
	if (call->op == __HYPERVISOR_grant_table_op && call->arg[0] == GNTTABOP_setup_table)
		return setup_table(v, call);
	if (call->op == __HYPERVISOR_xen_version && call->arg[0] == XENVER_version)
		return version_call(v->vm);
	const struct pvr_hv_shape *shape = pvr_hv_shape(call->op, (uint32_t)call->arg[0]);

	if (!shape)
		return -ENOSYS;
	return shape->array ? array_call(v, call, shape) : plain_call(v, call, shape);
}
