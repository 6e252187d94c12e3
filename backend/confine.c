/* SPDX-License-Identifier: MIT */
/*
 * A backend reads what hostile guests write. Should one of them take it over, it finds itself
 * without exec, fork, ptrace, a listening socket or new io_uring rings: any call that is listed
 * neither here nor by its kind kills the process, and the supervisor starts a new one.
 *
 * openat stays, because what is served is opened when devices come; whose files those may be is the
 * user's rights.
 */
#include "confine.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* clang-format off */
static const int allowed[] = {
	/* statistics files and journals */
	SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	/* the hypervisor and xenstored: messages, descriptors, foreign memory */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(mmap), SCMP_SYS(munmap),
	SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(eventfd2),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(shutdown), SCMP_SYS(fcntl),
	/* threads, time and ending */
	SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list), SCMP_SYS(membarrier), SCMP_SYS(exit), SCMP_SYS(exit_group),
};
/* clang-format on */

static int allow(scmp_filter_ctx filter, const int *calls, unsigned count)
{
	int result = 0;

	for (unsigned i = 0; !result && i < count; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return result;
}

/* One call, with each of these values as its argument number `arg`. */
static int allow_values(
	scmp_filter_ctx filter, int call, unsigned arg, const unsigned long *values, unsigned count)
{
	int result = 0;

	for (unsigned i = 0; !result && i < count; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
			SCMP_CMP64(arg, SCMP_CMP_EQ, values[i], 0));
	return result;
}

static int add_rules(
	scmp_filter_ctx filter, const struct pvr_back_needs *needs, const struct pvr_host *host)
{
	unsigned host_ioctls;
	const unsigned long *ioctls = pvr_host_ioctls(host, &host_ioctls);
	int result = allow(filter, allowed, sizeof(allowed) / sizeof(allowed[0]));

	if (!result)
		result = allow(filter, needs->calls, needs->call_count);
	if (!result)
		result =
			allow_values(filter, SCMP_SYS(ioctl), 1, needs->ioctls, needs->ioctl_count);
	if (!result)
		result = allow_values(filter, SCMP_SYS(ioctl), 1, ioctls, host_ioctls);
	if (!result)
		result = allow_values(
			filter, SCMP_SYS(socket), 0, needs->families, needs->family_count);
	if (!result)
		result = allow_values(filter, SCMP_SYS(io_uring_register), 1, needs->registers,
			needs->register_count);
	return result;
}

int pvr_back_confine(
	const char *program, const struct pvr_back_needs *needs, const struct pvr_host *host)
{
	scmp_filter_ctx filter;
	int result;

	if (SANITIZED) {
		fprintf(stderr, "pvring %s: not confined: built with a sanitizer\n", program);
		return 0;
	}
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	result = add_rules(filter, needs, host);
	if (!result)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}
