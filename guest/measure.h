/* SPDX-License-Identifier: MIT */
/* What a scenario checks and `bench` measures again. */
#ifndef GUEST_MEASURE_H
#define GUEST_MEASURE_H

#include <stdint.h>

struct wake_errors {
	unsigned count;
	uint32_t p50, p99; /* nanoseconds */
};

/* `count` sleeps (1000 at the most) of a millisecond by the timer: how late each ended. */
void measure_wakes(unsigned count, struct wake_errors *errors);

#endif
