/* SPDX-License-Identifier: MIT */
/* pvring/port.h for one vCPU with cooperative tasks (guest/task.c), whatever is below it. */
#include "guest/kernel.h"
#include "x86.h"

_Atomic uint32_t port_wakes;

/*
 * The lock is a flag, not cli: an upcall that finds it set is put off, and made up for by the unlock. One vCPU, so plain
 * accesses in the order of the program are enough, and a signal fence keeps the compiler to it.
 */
static volatile int held, deferred, running;

/* While upcalls run, the next is put off too, or an unlock in a handler would go ever deeper. */
static void upcalls(void)
{
	do {
		running = 1;
		deferred = 0;
		pvr_upcall();
		running = 0;
	} while (deferred);
}

void port_upcall(void)
{
	struct vcpu_info *vcpu = &pvr_boot.shared_info->vcpu_info[0];

	port_woken();
	if (!held && !running) {
		upcalls();
		return;
	}
	deferred = 1;
	/* It is noted here now; left set, it would interrupt again at once. */
	__atomic_store_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
}

void pvr_port_lock(void)
{
	held = 1;
	atomic_signal_fence(memory_order_seq_cst);
}

void pvr_port_unlock(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	held = 0;
	if (deferred && !running)
		upcalls();
}

void port_woken(void)
{
	atomic_fetch_add_explicit(&port_wakes, 1, memory_order_seq_cst);
}

void pvr_port_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	task_wait(word, seen, deadline_ns);
}

void pvr_port_wake(const _Atomic uint32_t *word)
{
	(void)word; /* every task looks at its own */
	port_woken();
}

long pvr_port_hypercall(unsigned op, unsigned long a1, unsigned long a2, unsigned long a3)
{
	return cpu_hypercall(op, a1, a2, a3, 0);
}

unsigned pvr_port_vcpu(void)
{
	return 0;
}

void pvr_port_log(const char *line)
{
	say("%s", line);
}

void pvr_port_panic(const char *line)
{
	say("FAILED: %s", line);
	kernel_end_run(1);
}
