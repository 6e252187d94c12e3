/* SPDX-License-Identifier: MIT */
/*
 * What the process of a PV guest may still ask of Linux. The guest's code runs in it and can reach every byte of the
 * monitor, so this list is what a hostile guest has: its memory file, its hypervisor's socket, its event channels and its
 * console. No file can be opened, no socket or process made, no other process signalled.
 *
 * The filter is written out because it looks at the instruction pointer: a call from the guest's own code is an instruction
 * that the kernel in it does not have, and comes back to it as an exception (trap.c).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* a sanitizer's runtime opens, maps and reads as it likes */
#else
#define SANITIZED 0
#endif

static const int allowed[] = {
	/* events, the daemon, the console, timers */
	SYS_read, SYS_write, SYS_poll, SYS_ppoll, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_ctl,
	SYS_sendmsg, SYS_recvmsg, SYS_timer_create, SYS_timer_settime, SYS_close,
	/* memory: what may be executed is asked below */
	SYS_munmap, SYS_madvise, SYS_brk,
	/* signals, threads, time and the end */
	SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_futex, SYS_sched_yield,
	SYS_clock_gettime, SYS_nanosleep, SYS_clock_nanosleep, SYS_restart_syscall, SYS_rseq,
	SYS_set_robust_list, SYS_getpid, SYS_gettid, SYS_fstat, SYS_newfstatat, SYS_exit,
	SYS_exit_group};

#define COUNT      (sizeof(allowed) / sizeof(allowed[0]))
#define PROGRAM    (COUNT * 2 + 48)
#define DATA_SPARE (16u << 20)
#define FIELD(f)   ((uint32_t)offsetof(struct seccomp_data, f))
#define LOAD(at)   (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define RETURN(r)  (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, r)
#define IF(how, value, yes, no)                                                                    \
	(struct sock_filter) BPF_JUMP(BPF_JMP | how | BPF_K, (uint32_t)(value), yes, no)

/* 64-bit fields are two words, the low one first. */
#define LOW(f)  FIELD(f)
#define HIGH(f) (FIELD(f) + 4)

static unsigned program_make(const struct vm *vm, struct sock_filter *p)
{
	unsigned n = 0;

	/* From below 4 GiB, or in the other ABI: the guest. */
	p[n++] = LOAD(FIELD(arch));
	p[n++] = IF(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	p[n++] = RETURN(SECCOMP_RET_TRAP);
	p[n++] = LOAD(HIGH(instruction_pointer));
	p[n++] = IF(BPF_JEQ, 0, 0, 1);
	p[n++] = RETURN(SECCOMP_RET_TRAP);
	p[n++] = LOAD(FIELD(nr));
	for (size_t i = 0; i < COUNT; i++) {
		p[n++] = IF(BPF_JEQ, allowed[i], 0, 1);
		p[n++] = RETURN(SECCOMP_RET_ALLOW);
	}
	/* The file of the statistics is removed by whoever started us. */
	p[n++] = IF(BPF_JEQ, SYS_unlink, 0, 1);
	p[n++] = RETURN(SECCOMP_RET_ERRNO | EPERM);
	/* Signals to threads of this process. */
	p[n++] = IF(BPF_JEQ, SYS_tgkill, 0, 3);
	p[n++] = LOAD(LOW(args[0]));
	p[n++] = IF(BPF_JEQ, getpid(), 0, 1);
	p[n++] = RETURN(SECCOMP_RET_ALLOW);
	/* Code, and whatever is shared, is the domain's memory. What is private is data, and counted as such. */
	p[n++] = LOAD(FIELD(nr));
	p[n++] = IF(BPF_JEQ, SYS_mmap, 5, 0);
	p[n++] = IF(BPF_JEQ, SYS_mprotect, 0, 3);
	p[n++] = LOAD(LOW(args[2]));
	p[n++] = IF(BPF_JSET, PROT_EXEC, 1, 0);
	p[n++] = RETURN(SECCOMP_RET_ALLOW);
	p[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	p[n++] = LOAD(LOW(args[3]));
	p[n++] = IF(BPF_JSET, MAP_SHARED, 4, 0);
	p[n++] = LOAD(LOW(args[2]));
	p[n++] = IF(BPF_JSET, PROT_EXEC, 1, 0);
	p[n++] = RETURN(SECCOMP_RET_ALLOW);
	p[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	p[n++] = IF(BPF_JSET, MAP_ANONYMOUS, 2, 0);
	p[n++] = LOAD(LOW(args[4]));
	p[n++] = IF(BPF_JEQ, vm->memory_fd, 1, 0);
	p[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	p[n++] = RETURN(SECCOMP_RET_ALLOW);
	return n;
}

/* Memory of its own, beside the domain's: what there is now, and a little. */
static int data_limit(void)
{
	unsigned long pages[6] = {0}; /* the sixth is data and stacks. Source: Linux's proc(5) */
	FILE *file = fopen("/proc/self/statm", "re");
	int n = !file ? 0
		      : fscanf(file, "%lu %lu %lu %lu %lu %lu", &pages[0], &pages[1], &pages[2],
				&pages[3], &pages[4], &pages[5]);

	if (file)
		fclose(file);
	const rlim_t bytes = pages[5] * (rlim_t)VM_PAGE + DATA_SPARE;
	const struct rlimit limit = {bytes, bytes};

	if (n != 6)
		return -EIO;
	return setrlimit(RLIMIT_DATA, &limit) ? -errno : 0;
}

int pv_confine(struct vm *vm)
{
	struct sock_filter filter[PROGRAM];
	struct sock_fprog program = {.filter = filter};

	if (SANITIZED)
		return 0;
	int err = data_limit();

	if (err)
		return err;
	program.len = (unsigned short)program_make(vm, filter);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)
		       ? -errno
		       : 0;
}
