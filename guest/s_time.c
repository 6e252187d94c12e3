/* SPDX-License-Identifier: MIT */
/* `timer=N`, `clock`, `idle=SECONDS`: time passes as it should, and a sleeping kernel sleeps. */
#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/measure.h"
#include "ports/x86/x86.h"

#define SLEEPS_MOST 1000u
#define SLEEP_NS    1000000u
#define READINGS    5000u
#define ROUNDS      5u
#define ROUND_NS    (5 * MS)

static void sort(uint32_t *values, unsigned count)
{
	for (unsigned i = 1; i < count; i++)
		for (unsigned j = i; j && values[j - 1] > values[j]; j--) {
			uint32_t swap = values[j];

			values[j] = values[j - 1];
			values[j - 1] = swap;
		}
}

void measure_wakes(
	unsigned count, const uint32_t *length, unsigned lengths, struct wake_errors *errors)
{
	static uint32_t late[SLEEPS_MOST];

	if (!count || count > SLEEPS_MOST)
		count = SLEEPS_MOST;
	for (unsigned i = 0; i < count; i++) {
		uint64_t deadline = pvr_port_now_ns() + length[i % lengths];

		task_sleep(deadline);
		late[i] = (uint32_t)(pvr_port_now_ns() - deadline);
	}
	sort(late, count);
	*errors = (struct wake_errors){
		.count = count, .p50 = late[count / 2], .p99 = late[count - 1 - count / 100]};
}

int timer_scenario(const char *args)
{
	static const uint32_t length = SLEEP_NS;
	uint32_t before = atomic_load(&hot_timer_fired);
	struct wake_errors e;

	measure_wakes((unsigned)number_of(args, 20), &length, 1, &e);
	/* A machine that is slow has passed some deadlines before it can arm the timer for them. */
	if (atomic_load(&hot_timer_fired) == before)
		return failed("no interrupt of the timer for %u sleeps", e.count);
	say("timer: %u sleeps of 1 ms, late by %u ns (p50), %u ns (p99)", e.count, e.p50, e.p99);
	return 0;
}

/* How long the timer takes by the clock, which counts on its own. */
static uint64_t timer_by_clock(uint64_t ns)
{
	uint64_t before = pvr_port_now_ns();
	uint32_t fired = atomic_load(&hot_timer_fired);

	hot.timer(before + ns);
	while (atomic_load(&hot_timer_fired) == fired)
		hot.idle(&hot_timer_fired, fired);
	return pvr_port_now_ns() - before;
}

int clock_scenario(const char *args)
{
	uint64_t last = pvr_port_now_ns(), first = last, shortest = UINT64_MAX;

	(void)args;
	for (unsigned i = 0; i < READINGS; i++) {
		uint64_t now = pvr_port_now_ns();

		if (now < last)
			return failed(
				"the clock goes back by %llu ns", (unsigned long long)(last - now));
		last = now;
	}
	if (last == first)
		return failed("the clock stands still");
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t took = timer_by_clock(ROUND_NS);

		if (took < shortest)
			shortest = took;
	}
	/* An interrupt may be late, and a little early; a clock of another rate is further off. */
	if (shortest < ROUND_NS / 2)
		return failed(
			"5 ms of the timer are %llu ns of the clock", (unsigned long long)shortest);
	say("clock: never back in %u readings, 5 ms of the timer are %llu ns", READINGS,
		(unsigned long long)shortest);
	return 0;
}

int idle_scenario(const char *args)
{
	uint64_t seconds = number_of(args, 1);
	uint32_t wakes = atomic_load(&port_wakes);

	task_sleep(pvr_port_now_ns() + seconds * S);
	say("idle: %llu s, woken %u times", (unsigned long long)seconds,
		atomic_load(&port_wakes) - wakes);
	return 0;
}
