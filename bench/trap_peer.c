/* SPDX-License-Identifier: MIT */
/*
 * What Linux itself takes for a system call that does nothing, and for a privileged instruction whose signal is
 * answered by skipping it: no emulation in a process is cheaper than that.
 */
#include "pv_bench.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#define CALLS  20000u
#define FAULTS 2000u

double trap_peer_syscall(void)
{
	uint64_t begin = bench_now_ns();

	for (unsigned i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return (double)(bench_now_ns() - begin) / CALLS;
}

/* hlt has one byte. */
static void skip(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]++;
}

double trap_peer_fault(void)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO}, before;

	sigaction(SIGSEGV, &action, &before);
	uint64_t begin = bench_now_ns();

	for (unsigned i = 0; i < FAULTS; i++)
		__asm__ volatile("hlt" ::: "memory");
	double ns = (double)(bench_now_ns() - begin) / FAULTS;

	sigaction(SIGSEGV, &before, NULL);
	return ns;
}
