/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: rounds, floors, pinning, and one way to print. */
#ifndef PVR_BENCH_H
#define PVR_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <argp.h>
#include <jansson.h>

#define BENCH_ROUNDS_MAX 99u

/* The options of every benchmark, for its own list, and what they say. */
/* clang-format off */
#define BENCH_OPTIONS \
	{"rounds", 'r', "N", 0, "rounds, interleaved (default 5)", 0}, \
	{"json", 'j', NULL, 0, "one JSON object", 0}
/* clang-format on */
#define BENCH_ROUNDS 5u

struct bench_args {
	unsigned rounds;
	int json;
};

/* For a benchmark's parser: takes what it has not taken itself. */
error_t bench_args_parse(struct bench_args *args, int key, char *arg, struct argp_state *state);

/* One row of a table: a name and its value in each round. */
struct bench_row {
	char name[64];
	unsigned rounds;
	double value[BENCH_ROUNDS_MAX];
};

/* Median, and half the distance between the quartiles as the spread. Sorts the row. */
double bench_median(struct bench_row *row);
double bench_spread(const struct bench_row *row);

/* CLOCK_MONOTONIC in ns, and user plus system time of this process and its ended children in seconds. */
uint64_t bench_now_ns(void);
double bench_cpu_seconds(void);

/* Spin for so long: the time a program spends between two requests. */
void bench_think(uint64_t ns);

/* Pin the calling thread to the n-th CPU it may use (modulo their number); the number of CPUs. */
unsigned bench_pin(unsigned n);
unsigned bench_cpus(void);

/* Shared anonymous memory, zeroed, inherited by fork; ends the program with a message when there is none. */
void *bench_shared(size_t bytes);

/* Spin in the child until the parent releases it, and the other way round: a start barrier for two processes. */
struct bench_gate {
	_Atomic uint32_t arrived;
};
void bench_gate_pass(struct bench_gate *gate, uint32_t parties);

/*
 * Print rows as a table (unit, ratio to rows[base], spread) or, when json is set, as one object on stdout:
 * {"benchmark": name, "unit": unit, "lower_is_better": .., "rows": [{"name", "median", "spread", "ratio"}]}.
 * `notes` come below the table, and into the object.
 */
void bench_print(const char *name, const char *unit, struct bench_row *rows, unsigned count,
	unsigned base, const char *const *notes, int json);

#endif
