/* SPDX-License-Identifier: MIT */
/*
 * sched_op. SCHEDOP_block is how a guest without KVM sleeps, and what a small kernel without interrupts may use; SCHEDOP_poll is
 * what a paravirtual spinlock waits by. A guest on KVM sleeps by hlt, which never comes here.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"
#include "twolevel.h"

#define POLL_MAX 128u /* as Xen */
#define NS       1000000000ull

struct poll {
	evtchn_port_t port[POLL_MAX];
	uint32_t count; /* 0: any upcall */
	uint64_t deadline;
};

void vm_vcpu_wake(struct vcpu *v)
{
	v->events++;
	syscall(SYS_futex, &v->events, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

static int poll_over(struct vcpu *v, const struct poll *p)
{
	const uint8_t *info = v->vm->memory + PVR_HV_FRAME_SHARED_INFO * VM_PAGE;

	if (v->vm->reason >= 0 || v->hold)
		return 1;
	if (!p->count && vm_2l_upcall_pending(v->info))
		return 1;
	for (uint32_t i = 0; i < p->count; i++)
		if (vm_2l_pending(info, p->port[i]))
			return 1;
	return p->deadline && vm_now(v->vm) >= p->deadline;
}

static void poll_wait(struct vcpu *v, const struct poll *p)
{
	const uint64_t slice = v->vm->sleep_slice ? v->vm->sleep_slice : UINT64_MAX;

	for (;;) {
		uint32_t seen = v->events;
		uint64_t now = p->deadline ? vm_now(v->vm) : 0;
		uint64_t left = p->deadline > now ? p->deadline - now : slice;

		left = left < slice ? left : slice;
		struct timespec wait = {
			.tv_sec = (time_t)(left / NS), .tv_nsec = (long)(left % NS)};

		if (poll_over(v, p))
			return;
		syscall(SYS_futex, &v->events, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen,
			left == UINT64_MAX ? NULL : &wait, NULL, 0);
	}
}

/* struct sched_poll: a pointer, a count, a time, which i386 aligns to four bytes. */
static long poll_call(struct vcpu *v, const struct hypercall *call)
{
	uint8_t argument[24];
	struct poll p = {0};
	uint64_t list = 0;
	const unsigned word = call->bits / 8;

	if (vm_guest_read(v, call->arg[1], argument, word == 8 ? 24 : 16))
		return -EFAULT;
	memcpy(&list, argument, word);
	memcpy(&p.count, argument + word, sizeof(p.count));
	memcpy(&p.deadline, argument + 2 * word, sizeof(p.deadline));
	if (p.count > POLL_MAX)
		return -EINVAL;
	if (vm_guest_read(v, list, p.port, p.count * sizeof(p.port[0])))
		return -EFAULT;
	for (uint32_t i = 0; i < p.count; i++)
		if (p.port[i] >= VM_PORTS)
			return -EINVAL;
	if (p.count || p.deadline)
		poll_wait(v, &p);
	return 0;
}

static long shutdown_call(struct vcpu *v, const struct hypercall *call)
{
	struct sched_shutdown arg;

	if (vm_guest_read(v, call->arg[1], &arg, sizeof(arg)))
		return -EFAULT;
	if (arg.reason == SHUTDOWN_suspend)
		return 1; /* nobody took the domain away: as a suspend that was cancelled */
	long result = vm_daemon_call(
		v->vm, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &arg, sizeof(arg), 1, NULL, NULL);

	if (!result)
		vm_stop(v->vm, (int)arg.reason);
	return result;
}

void vm_block(struct vcpu *v, uint64_t deadline)
{
	const struct poll any = {.deadline = deadline};

	poll_wait(v, &any);
}

long vm_call_sched(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 1;
	switch (call->arg[0]) {
	case SCHEDOP_yield:
		return sched_yield();
	case SCHEDOP_block:
		vm_block(v, 0);
		return 0;
	case SCHEDOP_poll:
		return poll_call(v, call);
	case SCHEDOP_shutdown:
		return shutdown_call(v, call);
	default:
		*done = 0;
		return -ENOSYS;
	}
}
