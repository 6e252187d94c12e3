/* SPDX-License-Identifier: MIT */
/* The small services of a kernel, from Linux: lock, clock, sleep and wake by futex, log, panic. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define NS 1000000000ull

/*
 * A deadline has 64 bits of seconds, so a 32-bit program is built with -D_TIME_BITS=64, and the system call that
 * takes its timespec has a name of its own there.
 */
#ifdef SYS_futex_time64
#define FUTEX SYS_futex_time64
#else
#define FUTEX SYS_futex
#endif
_Static_assert(sizeof(((struct timespec *)0)->tv_sec) == 8, "build with -D_TIME_BITS=64");

/* The upcall is a thread here, so excluding it is excluding a thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void pvr_port_lock(void)
{
	pthread_mutex_lock(&lock);
}

void pvr_port_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* Threads come and go, but events are delivered in one place: one vCPU. */
unsigned pvr_port_vcpu(void)
{
	return 0;
}

uint64_t pvr_port_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* FUTEX_WAIT_BITSET is the form whose timeout is a moment of CLOCK_MONOTONIC, not a duration. */
void pvr_port_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / NS),
		.tv_nsec = (long)(deadline_ns % NS),
	};

	syscall(FUTEX, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
		deadline_ns == UINT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void pvr_port_wake(const _Atomic uint32_t *word)
{
	syscall(FUTEX, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

void pvr_port_log(const char *line)
{
	dprintf(STDERR_FILENO, "pvring: %s\n", line);
}

void pvr_port_panic(const char *line)
{
	dprintf(STDERR_FILENO, "pvring: bug: %s\n", line);
	abort();
}
