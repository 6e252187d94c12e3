/* SPDX-License-Identifier: MIT */
/* A bare process that sleeps as the guest kernel does, to absolute deadlines: how late it wakes. */
#include "pv_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SLEEPS 200u

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int sleep_until(int fd, uint64_t ns)
{
	struct itimerspec at = {.it_value = {.tv_sec = (time_t)(ns / 1000000000u),
					.tv_nsec = (long)(ns % 1000000000u)}};
	uint64_t count;

	if (fd < 0)
		return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at.it_value, NULL);
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL))
		return errno;
	return read(fd, &count, sizeof(count)) == sizeof(count) ? 0 : errno;
}

int timer_peer(int by_timerfd, struct pv_late *late)
{
	/* As guest/s_bench.c has them. */
	static const uint64_t lengths[] = {
		100000, 200000, 500000, 1000000, 2000000, 3000000, 5000000, 10000000};
	int fd = by_timerfd ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) : -1;
	double ns[SLEEPS];
	int err = by_timerfd && fd < 0 ? errno : 0;

	for (unsigned i = 0; i < SLEEPS && !err; i++) {
		uint64_t until =
			bench_now_ns() + lengths[i % (sizeof(lengths) / sizeof(lengths[0]))];

		err = sleep_until(fd, until);
		ns[i] = (double)(bench_now_ns() - until);
	}
	if (fd >= 0)
		close(fd);
	if (err)
		return -err;
	qsort(ns, SLEEPS, sizeof(ns[0]), ascending);
	*late = (struct pv_late){ns[SLEEPS / 2], ns[SLEEPS - 1 - SLEEPS / 100]};
	return 0;
}
