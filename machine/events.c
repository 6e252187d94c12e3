/* SPDX-License-Identifier: MIT */
/*
 * Event channels of the guest. As in the process machine an event arrives at the domain's own process, by an
 * epoll descriptor of the daemon's (pvring/hypervisor.h); the events thread sets the bits of the two-level
 * ABI and interrupts the vCPU by the vector it has chosen for upcalls. A machine may do both itself when asked
 * (struct machine_events), and then also carries out the guest's sends.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"
#include "twolevel.h"

#define BATCH   64
#define OWED_MS 5

/* What an epoll event is about: a port, or one of these. */
#define WHAT_LOOK    VM_PORTS
#define WHAT_CONTROL (VM_PORTS + 1)
#define WHAT_TIMER   (VM_PORTS + 2) /* and from there on, by vCPU */

static uint8_t *shared_info(struct vm *vm)
{
	return vm->memory + PVR_HV_FRAME_SHARED_INFO * VM_PAGE;
}

static int listen_to(struct vm *vm, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return epoll_ctl(vm->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int vm_events_own(const struct vm *vm)
{
	return vm->machine->events && vm->machine->events->own(vm);
}

void vm_upcall(struct vcpu *v)
{
	uint64_t one = 1;

	v->owed = 0;
	if (!v->vector)
		return;
	atomic_fetch_add_explicit(&v->vm->stats->interrupts, 1, memory_order_relaxed);
	if (v->vm->machine->interrupt(v) > 0)
		return;
	/* Its local APIC is not enabled yet. The upcall stays due, and hides all later ones until it is made. */
	v->owed = 1;
	ssize_t n = write(v->vm->look_fd, &one, sizeof(one));

	(void)n;
}

/* Upcalls that did not get through. Whether there still are such. */
static int owed_retry(struct vm *vm)
{
	int owed = 0;

	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->boot.vcpus; i++) {
		if (vm->vcpu[i].owed)
			vm_upcall(&vm->vcpu[i]);
		owed |= vm->vcpu[i].owed;
	}
	pthread_mutex_unlock(&vm->lock);
	return owed;
}

void vm_port_raise(struct vm *vm, evtchn_port_t port)
{
	struct vcpu *v = &vm->vcpu[vm->port[port].vcpu];

	if (vm_events_own(vm)) {
		vm->machine->events->raise(vm, port, v->index);
	} else {
		pthread_mutex_lock(&vm->lock);
		if (vm_2l_raise(shared_info(vm), v->info, vm->word_size, port))
			vm_upcall(v);
		pthread_mutex_unlock(&vm->lock);
	}
	vm_vcpu_wake(v);
}

int vm_port_open(struct vm *vm, evtchn_port_t port, const struct port *content)
{
	if (port >= VM_PORTS)
		return -EPROTO;
	pthread_mutex_lock(&vm->lock);
	vm->port[port] = *content;
	int err = listen_to(vm, content->rx, EPOLLIN | EPOLLET, port);

	if (!err && content->kind == PVR_HV_PORT_VIRQ && content->virq == VIRQ_TIMER) {
		vm->vcpu[content->vcpu].timer_port = port;
		if (vm_events_own(vm))
			vm->machine->events->timer(&vm->vcpu[content->vcpu], port);
	}
	if (err)
		vm->port[port].kind = PVR_HV_PORT_CLOSED;
	else if (vm_events_own(vm))
		vm->machine->events->port_open(vm, port, content);
	pthread_mutex_unlock(&vm->lock);
	return err;
}

void vm_port_close(struct vm *vm, evtchn_port_t port)
{
	if (port >= VM_PORTS)
		return;
	pthread_mutex_lock(&vm->lock);
	struct port *p = &vm->port[port];

	if (p->kind != PVR_HV_PORT_CLOSED) {
		if (vm_events_own(vm))
			vm->machine->events->port_close(vm, port);
		if (p->kind == PVR_HV_PORT_VIRQ && vm->vcpu[p->vcpu].timer_port == port)
			vm->vcpu[p->vcpu].timer_port = 0;
		epoll_ctl(vm->epoll, EPOLL_CTL_DEL, p->rx, NULL);
		close(p->rx);
		close(p->tx);
		*p = (struct port){.kind = PVR_HV_PORT_CLOSED};
		vm_2l_clear(shared_info(vm), port);
	}
	pthread_mutex_unlock(&vm->lock);
}

void vm_ports_reset(struct vm *vm)
{
	for (evtchn_port_t port = 1; port < VM_PORTS; port++)
		vm_port_close(vm, port);
}

/* A full counter needs nothing more: the peer has not looked since. */
long vm_port_send(struct vm *vm, evtchn_port_t port)
{
	uint64_t one = 1;
	long result = 0;

	if (port == vm->console_port) {
		vm_console_kick(vm);
		return 0;
	}
	if (port >= VM_PORTS)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	enum pvr_hv_port_kind kind = vm->port[port].kind;

	if (kind == PVR_HV_PORT_SENDS) {
		ssize_t n = write(vm->port[port].tx, &one, sizeof(one));

		(void)n;
	} else if (kind != PVR_HV_PORT_IPI) {
		result = -EINVAL;
	}
	pthread_mutex_unlock(&vm->lock);
	if (kind == PVR_HV_PORT_IPI)
		vm_port_raise(vm, port);
	return result;
}

long vm_port_unmask(struct vm *vm, evtchn_port_t port)
{
	if (port >= vm->word_size * 8 * vm->word_size * 8)
		return -EINVAL;
	struct vcpu *v = &vm->vcpu[vm->port[port].vcpu];

	pthread_mutex_lock(&vm->lock);
	int pending = vm_2l_unmask(shared_info(vm), vm->word_size, port);

	if (pending && vm_events_own(vm))
		vm_2l_clear(shared_info(vm), port); /* KVM interrupts for what is new to it */
	else if (pending && vm_2l_mark(v->info, vm->word_size, port))
		vm_upcall(v);
	pthread_mutex_unlock(&vm->lock);
	if (pending && vm_events_own(vm))
		vm_port_raise(vm, port);
	vm_vcpu_wake(v);
	return 0;
}

void vm_port_bind(struct vm *vm, evtchn_port_t port, unsigned vcpu)
{
	if (port >= VM_PORTS || vcpu >= vm->boot.vcpus)
		return;
	pthread_mutex_lock(&vm->lock);
	vm->port[port].vcpu = vcpu;
	if (vm_events_own(vm))
		vm->machine->events->port_move(vm, port, &vm->port[port]);
	pthread_mutex_unlock(&vm->lock);
}

int vm_events_open(struct vm *vm)
{
	int err;

	vm->epoll = epoll_create1(EPOLL_CLOEXEC);
	vm->look_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->epoll < 0 || vm->look_fd < 0)
		return -errno;
	err = listen_to(vm, vm->look_fd, EPOLLIN, WHAT_LOOK);
	if (!err) /* its replies are read by whoever called */
		err = listen_to(vm, vm->control, EPOLLRDHUP | EPOLLET, WHAT_CONTROL);
	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++)
		err = listen_to(vm, vm->vcpu[i].timer, EPOLLIN | EPOLLET, WHAT_TIMER + i);
	if (!err)
		err = listen_to(vm, vm->port[vm->boot.store_port].rx, EPOLLIN | EPOLLET,
			vm->boot.store_port);
	if (!err && vm_events_own(vm))
		vm->machine->events->port_open(
			vm, vm->boot.store_port, &vm->port[vm->boot.store_port]);
	return err;
}

void vm_events_run(struct vm *vm)
{
	struct epoll_event events[BATCH];
	uint64_t count;

	while (vm->reason < 0) {
		int n = epoll_wait(vm->epoll, events, BATCH, owed_retry(vm) ? OWED_MS : -1);

		for (int i = 0; i < n; i++) {
			uint32_t what = events[i].data.u32;

			if (what < VM_PORTS)
				vm_port_raise(vm, what);
			else if (what >= WHAT_TIMER)
				vm_timer_fired(&vm->vcpu[what - WHAT_TIMER]);
			else if (what == WHAT_CONTROL)
				vm_stop(vm, SHUTDOWN_crash); /* no hypervisor, no domain */
			else if (read(vm->look_fd, &count, sizeof(count)) < 0)
				continue; /* somebody else looked */
		}
	}
}

void vm_events_close(struct vm *vm)
{
	if (vm->epoll >= 0)
		close(vm->epoll);
	if (vm->look_fd >= 0)
		close(vm->look_fd);
}
