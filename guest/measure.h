/* SPDX-License-Identifier: MIT */
/* What a scenario checks and `bench` measures again. */
#ifndef GUEST_MEASURE_H
#define GUEST_MEASURE_H

#include <stdint.h>

struct wake_errors {
	unsigned count;
	uint32_t p50, p99; /* nanoseconds */
};

/* `count` sleeps (1000 at the most) by the timer, of `lengths` nanoseconds in turn: how late each ended. */
void measure_wakes(
	unsigned count, const uint32_t *length, unsigned lengths, struct wake_errors *errors);

/* s_bench_trap.c: `bench=trap`. */
int bench_trap(void);

#endif
