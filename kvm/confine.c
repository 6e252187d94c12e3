/* SPDX-License-Identifier: MIT */
/*
 * The process that runs a guest needs little once all is set up: no file is opened, no program started, no
 * code mapped. Of ioctls it has KVM's for a running machine; another call ends the process, and with it the
 * domain, as a kill does.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <stdio.h>

#include "internal.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* a sanitizer's runtime opens, maps and reads as it likes */
#else
#define SANITIZED 0
#endif

#define PROT_EXEC_BIT 0x4

static const int allowed[] = {
	/* events, the daemon, the console */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(close),
	/* the balloon */
	SCMP_SYS(fallocate),
	/* threads, time, malloc and the end */
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(tgkill),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(unlink),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const unsigned long ioctls[] = {KVM_RUN, KVM_GET_REGS, KVM_TRANSLATE, KVM_SIGNAL_MSI,
	KVM_GET_CLOCK, KVM_SET_MSRS, KVM_SET_USER_MEMORY_REGION, KVM_XEN_HVM_SET_ATTR,
	KVM_XEN_VCPU_SET_ATTR, KVM_XEN_HVM_EVTCHN_SEND};

static int add_rules(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* The kernel looks at 32 bits of a request. */
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i]));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC_BIT, 0));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC_BIT, 0));
	return err;
}

int kvm_confine(struct vm *vm)
{
	(void)vm;
	scmp_filter_ctx filter;
	int err;

	if (SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	err = add_rules(filter);
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
