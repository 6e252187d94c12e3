/* SPDX-License-Identifier: MIT */
/*
 * KVM's own share of Xen's interface, where the kernel was built with CONFIG_KVM_XEN. Hypercall instructions
 * then come to us as exits of their own; and where it has all of it (Linux 5.19), events to the guest, its
 * IPIs, its sends and its timers take no exit at all. Source: Linux's Documentation/virt/kvm/api.rst.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

#define EVENTS                                                                                     \
	(KVM_XEN_HVM_CONFIG_SHARED_INFO | KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL |                       \
		KVM_XEN_HVM_CONFIG_EVTCHN_SEND)
#define PRIORITY KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL

static int vm_set(struct vm *vm, struct kvm_xen_hvm_attr *attr)
{
	return ioctl(vm->kvm->fd, KVM_XEN_HVM_SET_ATTR, attr) ? -errno : 0;
}

/* KVM takes the vCPU's mutex, which a CPU that waits to be started holds for as long as it waits. */
static int vcpu_set(struct vcpu *v, struct kvm_xen_vcpu_attr *attr)
{
	int err;

	kvm_vcpu_hold(v);
	err = ioctl(v->kvm->fd, KVM_XEN_VCPU_SET_ATTR, attr) ? -errno : 0;
	kvm_vcpu_go(v);
	return err;
}

int kvm_xen_start(struct vm *vm)
{
	int offered = ioctl(vm->kvm->dev, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
	struct kvm_xen_hvm_config config = {.msr = KVM_HYPERCALL_MSR};
	struct kvm_xen_hvm_attr mode = {.type = KVM_XEN_ATTR_TYPE_LONG_MODE};

	if (offered < 0 || !(offered & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL))
		return 0;
	config.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL;
	if ((offered & EVENTS) == EVENTS)
		config.flags |= KVM_XEN_HVM_CONFIG_EVTCHN_SEND;
	if (ioctl(vm->kvm->fd, KVM_XEN_HVM_CONFIG, &config))
		return -errno;
	vm->kvm->xen = config.flags;
	mode.u.long_mode = vm->word_size == 8;
	return kvm_xen_events(vm) ? vm_set(vm, &mode) : 0;
}

int kvm_xen_events(const struct vm *vm)
{
	return (vm->kvm->xen & KVM_XEN_HVM_CONFIG_EVTCHN_SEND) != 0;
}

int kvm_xen_shared_info(struct vm *vm, uint64_t gfn)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_SHARED_INFO, .u.shared_info.gfn = gfn};

	return kvm_xen_events(vm) ? vm_set(vm, &attr) : 0;
}

/* Linux before 6.3 takes every vCPU for number 0 unless told. */
int kvm_xen_vcpu_id(struct vcpu *v)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID, .u.vcpu_id = v->index};

	return kvm_xen_events(v->vm) ? vcpu_set(v, &attr) : 0;
}

int kvm_xen_vcpu_info(struct vcpu *v, uint64_t gpa)
{
	struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, .u.gpa = gpa};

	return kvm_xen_events(v->vm) ? vcpu_set(v, &attr) : 0;
}

int kvm_xen_runstate(struct vcpu *v, uint64_t gpa)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, .u.gpa = gpa};

	return kvm_xen_events(v->vm) ? vcpu_set(v, &attr) : -ENOSYS;
}

static int xen_vector(struct vcpu *v, uint8_t vector)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR, .u.vector = vector};

	return kvm_xen_events(v->vm) ? vcpu_set(v, &attr) : 0;
}

static int xen_callback(struct vm *vm, uint8_t vector)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR, .u.vector = vector};

	return kvm_xen_events(vm) ? vm_set(vm, &attr) : 0;
}

static void xen_timer(struct vcpu *v, evtchn_port_t port)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
		.u.timer = {.port = port, .priority = PRIORITY},
	};

	if (kvm_xen_events(v->vm))
		vcpu_set(v, &attr);
}

static void evtchn(struct vm *vm, evtchn_port_t port, const struct port *content, uint32_t flags)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_EVTCHN,
		.u.evtchn = {.send_port = port, .flags = flags},
	};

	if (!kvm_xen_events(vm) || content->kind == PVR_HV_PORT_VIRQ)
		return;
	if (content->kind == PVR_HV_PORT_IPI) {
		attr.u.evtchn.type = EVTCHNSTAT_ipi;
		attr.u.evtchn.deliver.port.port = port;
		attr.u.evtchn.deliver.port.vcpu = content->vcpu;
		attr.u.evtchn.deliver.port.priority = PRIORITY;
	} else {
		attr.u.evtchn.type = EVTCHNSTAT_interdomain;
		attr.u.evtchn.deliver.eventfd.fd = content->tx;
	}
	vm_set(vm,
		&attr); /* without it the guest's send comes to us, which is slower and as good */
}

static void xen_port_open(struct vm *vm, evtchn_port_t port, const struct port *content)
{
	evtchn(vm, port, content, 0);
}

/* Where an event of ours goes is said with each; what KVM has to know is the target of an IPI, which stays. */
static void xen_port_move(struct vm *vm, evtchn_port_t port, const struct port *content)
{
	if (content->kind == PVR_HV_PORT_IPI)
		evtchn(vm, port, content, KVM_XEN_EVTCHN_UPDATE);
}

static void xen_port_close(struct vm *vm, evtchn_port_t port)
{
	evtchn(vm, port, &vm->port[port], KVM_XEN_EVTCHN_DEASSIGN);
}

static void xen_raise(struct vm *vm, evtchn_port_t port, unsigned vcpu)
{
	struct kvm_irq_routing_xen_evtchn event = {
		.port = port, .vcpu = vcpu, .priority = PRIORITY};

	ioctl(vm->kvm->fd, KVM_XEN_HVM_EVTCHN_SEND, &event);
}

const struct machine_events kvm_xen_machine_events = {
	.own = kvm_xen_events,
	.vector = xen_vector,
	.callback = xen_callback,
	.timer = xen_timer,
	.port_open = xen_port_open,
	.port_move = xen_port_move,
	.port_close = xen_port_close,
	.raise = xen_raise,
};
