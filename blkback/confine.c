/* SPDX-License-Identifier: MIT */
/*
 * The backend reads what hostile guests write. Should one of them take it over, it finds itself
 * without exec, fork, ptrace, a listening socket or new io_uring rings: any call that is not listed kills
 * the process, and the supervisor starts a new one.
 *
 * openat stays, because images are opened when devices come; whose files those may be is the user's
 * rights.
 */
#include "confine.h"

#include <errno.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
	/* images */
	SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(fstatfs), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2),
	SCMP_SYS(fdatasync), SCMP_SYS(fallocate), SCMP_SYS(io_uring_enter), SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents), SCMP_SYS(io_destroy),
	/* NBD servers: libnbd, and the resolver it calls */
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendmmsg), SCMP_SYS(uname),
	/* statistics files */
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(ftruncate),
	/* the hypervisor and xenstored: messages, descriptors, foreign memory */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(mmap), SCMP_SYS(munmap),
	SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(eventfd2),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(shutdown),
	/* threads, time and ending */
	SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list), SCMP_SYS(membarrier), SCMP_SYS(exit), SCMP_SYS(exit_group),
};
/* clang-format on */

/* Three ask a block device for its size; the resolver asks how much there is to read. */
static const unsigned long ioctls[] = {BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, FIONREAD};

/* As a client only: listen and accept are not allowed. Netlink is how the resolver learns whether
 * this host has IPv6. */
static const unsigned long families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int add_rules(scmp_filter_ctx filter)
{
	int result = 0;

	for (unsigned i = 0; !result && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (unsigned i = 0; !result && i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1_64(SCMP_CMP_EQ, ioctls[i], 0));
	for (unsigned i = 0; !result && i < sizeof(families) / sizeof(families[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0_64(SCMP_CMP_EQ, families[i], 0));
	return result;
}

int pvr_blkback_confine(void)
{
	scmp_filter_ctx filter;
	int result;

	if (SANITIZED) {
		fprintf(stderr, "pvring blkback: not confined: built with a sanitizer\n");
		return 0;
	}
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	result = add_rules(filter);
	if (!result)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}
