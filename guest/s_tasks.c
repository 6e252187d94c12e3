/* SPDX-License-Identifier: MIT */
/* `tasks`: a token goes round between tasks that sleep for it, while another one counts milliseconds. */
#include "guest/kernel.h"

#define RUNNERS 4u
#define ROUNDS  200u
#define TICKS   5u

static _Atomic uint32_t turn, ended;
static uint32_t numbers[RUNNERS], passed, ticks;

static void runner(void *arg)
{
	const uint32_t me = *(uint32_t *)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t now;

		while ((now = atomic_load(&turn)) % RUNNERS != me)
			pvr_port_wait(&turn, now, UINT64_MAX);
		passed++;
		atomic_fetch_add(&turn, 1);
		pvr_port_wake(&turn);
	}
	atomic_fetch_add(&ended, 1);
	pvr_port_wake(&ended);
}

static void ticker(void *arg)
{
	(void)arg;
	while (ticks < TICKS) {
		task_sleep(pvr_port_now_ns() + MS);
		ticks++;
	}
	atomic_fetch_add(&ended, 1);
	pvr_port_wake(&ended);
}

int tasks_scenario(const char *args)
{
	uint64_t deadline = pvr_port_now_ns() + 60 * S;
	uint32_t now;

	(void)args;
	atomic_store(&turn, 0);
	atomic_store(&ended, 0);
	passed = ticks = 0;
	for (uint32_t i = 0; i < RUNNERS; i++) {
		numbers[i] = i;
		if (task_start(runner, &numbers[i]))
			return failed("task %u does not start", i);
	}
	if (task_start(ticker, NULL))
		return failed("the ticker does not start");
	while ((now = atomic_load(&ended)) < RUNNERS + 1 && pvr_port_now_ns() < deadline)
		pvr_port_wait(&ended, now, deadline);
	if (atomic_load(&turn) != RUNNERS * ROUNDS || passed != RUNNERS * ROUNDS || ticks != TICKS)
		return failed("the token went %u times, %u ticks", passed, ticks);
	say("tasks: %u, a token passed %u times, %u ticks of 1 ms beside it", RUNNERS + 1, passed,
		ticks);
	return 0;
}
