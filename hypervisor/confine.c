/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own confinement: once its sockets are open it needs few system calls, none of which
 * opens a file, starts a program or maps code. Everything else ends the process.
 */
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "hv.h"

static const int allowed[] = {
	/* the loop, clients, guests' events */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(getsockopt), SCMP_SYS(read), SCMP_SYS(write),
	SCMP_SYS(writev), SCMP_SYS(preadv2), SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1),
	SCMP_SYS(close), SCMP_SYS(fcntl), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(geteuid), SCMP_SYS(setitimer),
	/* domains' memory */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(munmap), SCMP_SYS(sched_yield),
	/* malloc and the C library */
	SCMP_SYS(brk), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
	/* the end */
	SCMP_SYS(unlinkat), SCMP_SYS(exit), SCMP_SYS(exit_group)};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* a sanitizer's runtime opens, maps and reads as it likes */
#else
#define SANITIZED 0
#endif

#define PROT_EXEC_BIT 0x4

int hv_confine(void)
{
	scmp_filter_ctx filter;
	int err = 0;

	if (SANITIZED)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC_BIT, 0));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC_BIT, 0));
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
