/* SPDX-License-Identifier: MIT */
/* Clocks, pinning, medians and the table that every benchmark prints. */
#include "bench.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#include <pvring/ring.h>

#include "../tools/tools.h"

error_t bench_args_parse(struct bench_args *args, int key, char *arg, struct argp_state *state)
{
	uint64_t rounds;

	switch (key) {
	case 'r':
		if (tool_number(arg, 1, BENCH_ROUNDS_MAX, &rounds))
			argp_failure(state, EX_USAGE, 0, "--rounds is a number from 1 to %u, not '%s'",
				BENCH_ROUNDS_MAX, arg);
		else
			args->rounds = (unsigned)rounds;
		return 0;
	case 'j':
		args->json = 1;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(struct bench_row *row)
{
	qsort(row->value, row->rounds, sizeof(row->value[0]), ascending);
	return row->rounds % 2
		       ? row->value[row->rounds / 2]
		       : (row->value[row->rounds / 2 - 1] + row->value[row->rounds / 2]) / 2;
}

double bench_spread(const struct bench_row *row)
{
	return (row->value[row->rounds * 3 / 4] - row->value[row->rounds / 4]) / 2;
}

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_think(uint64_t ns)
{
	uint64_t until = ns ? bench_now_ns() + ns : 0;

	while (ns && bench_now_ns() < until)
		pvr_cpu_relax();
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

double bench_cpu_seconds(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return seconds(self.ru_utime) + seconds(self.ru_stime) + seconds(children.ru_utime) +
	       seconds(children.ru_stime);
}

/* The CPUs this process might use before anything was pinned. */
static const cpu_set_t *allowed_cpus(void)
{
	static cpu_set_t allowed;
	static int known;

	if (!known && sched_getaffinity(0, sizeof(allowed), &allowed))
		CPU_SET(0, &allowed);
	known = 1;
	return &allowed;
}

unsigned bench_cpus(void)
{
	return (unsigned)CPU_COUNT(allowed_cpus());
}

unsigned bench_pin(unsigned n)
{
	unsigned cpus = bench_cpus(), at = 0;
	cpu_set_t one;

	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, allowed_cpus()) || at++ != n % cpus)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	return cpus;
}

void *bench_shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		fprintf(stderr, "pvring bench: no %zu bytes of shared memory\n", bytes);
		exit(EX_OSERR);
	}
	return at;
}

void bench_gate_pass(struct bench_gate *gate, uint32_t parties)
{
	atomic_fetch_add(&gate->arrived, 1);
	while (atomic_load(&gate->arrived) < parties)
		pvr_cpu_relax();
}

static void print_table(const char *name, const char *unit, struct bench_row *rows, unsigned count,
	unsigned base, const char *const *notes)
{
	double anchor = bench_median(&rows[base]);

	printf("%-44s %12s %9s  %s\n", name, unit, "+/-", "ratio");
	for (unsigned i = 0; i < count; i++) {
		double median = bench_median(&rows[i]);

		printf("%-44s %12.1f %9.1f  %5.2f%s\n", rows[i].name, median,
			bench_spread(&rows[i]), anchor > 0 ? median / anchor : 0,
			i == base ? "  (1 by definition)" : "");
	}
	for (; notes && *notes; notes++)
		printf("# %s\n", *notes);
}

static void print_json(const char *name, const char *unit, struct bench_row *rows, unsigned count,
	unsigned base, const char *const *notes)
{
	json_t *list = json_array(), *said = json_array();
	double anchor = bench_median(&rows[base]);

	for (unsigned i = 0; i < count; i++) {
		double median = bench_median(&rows[i]);

		json_array_append_new(list,
			json_pack("{s:s, s:f, s:f, s:f, s:i}", "name", rows[i].name, "median",
				median, "spread", bench_spread(&rows[i]), "ratio",
				anchor > 0 ? median / anchor : 0, "rounds", (int)rows[i].rounds));
	}
	for (; notes && *notes; notes++)
		json_array_append_new(said, json_string(*notes));

	json_t *all = json_pack("{s:s, s:s, s:s, s:o, s:o}", "benchmark", name, "unit", unit,
		"base", rows[base].name, "rows", list, "notes", said);

	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(all);
}

void bench_print(const char *name, const char *unit, struct bench_row *rows, unsigned count,
	unsigned base, const char *const *notes, int json)
{
	if (json)
		print_json(name, unit, rows, count, base, notes);
	else
		print_table(name, unit, rows, count, base, notes);
}
