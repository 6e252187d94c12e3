/* SPDX-License-Identifier: MIT */
/*
 * pvring bench timer: how late the one-shot timer of a guest kernel in the process machine wakes it, beside a bare process
 * that sleeps as long by a timerfd and by clock_nanosleep.
 */
#include "pv_bench.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "../tools/tools.h"

/* Two rows for each way: the median and the 99th percentile. */
enum { TIMERFD, NANOSLEEP, GUEST, WAYS = GUEST + PV_KERNELS_MAX };

static struct bench_row rows[WAYS * 2];

static void add(unsigned way, const char *name, const struct pv_late *late)
{
	struct bench_row *row = &rows[way * 2];

	snprintf(row[0].name, sizeof(row[0].name), "%s, p50", name);
	snprintf(row[1].name, sizeof(row[1].name), "%s, p99", name);
	pv_row_add(&row[0], late->p50);
	pv_row_add(&row[1], late->p99);
}

static int peer(int by_timerfd, const char *name)
{
	struct pv_late late;
	int rc = timer_peer(by_timerfd, &late);

	if (rc)
		return tool_error(EX_OSERR, "%s: %s", name, strerror(-rc));
	add(by_timerfd ? TIMERFD : NANOSLEEP, name, &late);
	return 0;
}

static int round_run(const struct pv_bench *b)
{
	struct pv_life life;
	char name[48];
	int rc = peer(1, "bare timerfd");

	if (!rc)
		rc = peer(0, "bare clock_nanosleep");
	for (unsigned i = 0; i < b->count && !rc; i++) {
		rc = pv_life_run(b->kernels[i].path, "bench=timer", 0, NULL, &life);
		if (rc)
			break;
		snprintf(name, sizeof(name), "guest %s", b->kernels[i].name);
		add(GUEST + i, name,
			&(struct pv_late){pv_figure(&life, "timer", "p50_ns"),
				pv_figure(&life, "timer", "p99_ns")});
	}
	return rc;
}

int bench_timer(int argc, char **argv)
{
	struct pv_bench b = {.args.rounds = BENCH_ROUNDS};
	const char *notes[] = {"200 sleeps of 0.1 to 10 ms a round, each to an absolute deadline; "
			       "how late the sleeper has the clock in its hands again",
		"the guest: VCPUOP_set_singleshot_timer, SCHEDOP_block, VIRQ_TIMER through its "
		"own interrupt table",
		"clock_nanosleep has Linux's timer slack of 50 us, a timerfd has none", NULL};
	int rc = pv_bench_begin(&b,
		"How late the one-shot timer of a guest kernel in the process machine wakes it, "
		"beside a "
		"bare timerfd and clock_nanosleep, in turns.\vThe first row is the anchor of the "
		"ratios.",
		argc, argv);

	for (unsigned r = 0; r < b.args.rounds && !rc; r++)
		rc = round_run(&b);
	if (!rc)
		bench_print("timer wake-up, late by", "ns", rows, (GUEST + b.count) * 2, 0, notes,
			b.args.json);
	return rc;
}
