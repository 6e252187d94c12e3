/* SPDX-License-Identifier: MIT */
/*
 * pvring bench ring: round trips through a ring between two pinned processes that never sleep. Our
 * ring beside the public ring macros, interleaved, in the same loop (ring_loop.h).
 */
#include "ring_bench.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/ring.h>

#include "../tools/tools.h"

struct options {
	uint32_t slot_size, entries, outstanding;
	uint32_t batch[4];
	unsigned batches;
	uint64_t count;
	int no_check;
	struct bench_args args;
};

static const struct argp_option keys[] = {
	{"slot-size", 's', "BYTES", 0, "16 (default) or 112, the size of a blkif request", 0},
	{"entries", 'e', "N", 0, "slots of the ring, a power of two (default 256)", 0},
	{"outstanding", 'o', "N", 0, "requests kept in flight (default: all slots)", 0},
	{"batch", 'b', "N[,N..]", 0, "publish every N slots; up to four (default 1,8,16,32)", 0},
	{"count", 'c', "N", 0, "round trips in a round (default 5000000)", 0},
	{"no-check", 'n', NULL, 0, "publish without deciding on a notification", 0},
	BENCH_OPTIONS,
	{0},
};

static int parse_batches(struct options *o, char *list)
{
	o->batches = 0;
	for (char *save, *at = strtok_r(list, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
		uint64_t batch;

		if (o->batches == 4 || tool_number(at, 1, 65536, &batch))
			return EINVAL;
		o->batch[o->batches++] = (uint32_t)batch;
	}
	return o->batches ? 0 : EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	uint64_t n = 0;

	switch (key) {
	case 's':
		if (tool_number(arg, 16, 112, &n) || (n != 16 && n != 112))
			argp_failure(state, EX_USAGE, 0, "--slot-size is 16 or 112, not '%s'", arg);
		o->slot_size = (uint32_t)n;
		return 0;
	case 'e':
		if (tool_number(arg, 2, 65536, &n) || (n & (n - 1)))
			argp_failure(state, EX_USAGE, 0,
				"--entries is a power of two from 2 to 65536, not '%s'", arg);
		o->entries = (uint32_t)n;
		return 0;
	case 'o':
		if (tool_number(arg, 1, 65536, &n))
			argp_failure(state, EX_USAGE, 0,
				"--outstanding is a number from 1 up, not '%s'", arg);
		o->outstanding = (uint32_t)n;
		return 0;
	case 'b':
		if (parse_batches(o, arg))
			argp_failure(state, EX_USAGE, 0,
				"--batch takes one to four numbers, as in 1,8,32");
		return 0;
	case 'c':
		if (tool_number(arg, 1000, 1000000000000, &o->count))
			argp_failure(state, EX_USAGE, 0,
				"--count is a number from 1000 up, not '%s'", arg);
		return 0;
	case 'n':
		o->no_check = 1;
		return 0;
	default:
		return bench_args_parse(&o->args, key, arg, state);
	}
}

void ring_bench_fail(uint64_t got, uint64_t expected)
{
	fprintf(stderr, "pvring bench ring: response %llu where %llu was due: the ring is broken\n",
		(unsigned long long)got, (unsigned long long)expected);
	exit(EX_SOFTWARE);
}

/* One round of one kind: ns for a round trip. */
static double round_ns(const struct ring_kind *kind, const struct ring_run *run)
{
	size_t bytes = 64 + (size_t)run->entries * kind->slot_size;
	uint8_t *shared = bench_shared(bytes + 8192);
	struct bench_gate *ready = (struct bench_gate *)(shared + 4096 * ((bytes + 4095) / 4096));
	pid_t child = fork();

	if (child == 0) {
		bench_pin(1);
		kind->responder(shared, run, ready);
		_exit(0);
	}
	bench_pin(0);

	uint64_t begin = bench_now_ns();
	int status = 0;

	kind->requester(shared, run, ready);
	double ns = (double)(bench_now_ns() - begin) / (double)run->count;

	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		exit(EX_SOFTWARE);
	return ns;
}

/* A cache line to the other core and back: the floor of any exchange. */
static double line_ns(uint64_t count)
{
	_Atomic uint64_t *line = bench_shared(4096);
	pid_t child = fork();

	if (child == 0) {
		bench_pin(1);
		for (uint64_t i = 0; i < count; i++) {
			while (atomic_load_explicit(line, memory_order_acquire) != 2 * i + 1)
				pvr_cpu_relax();
			atomic_store_explicit(line, 2 * i + 2, memory_order_release);
		}
		_exit(0);
	}
	bench_pin(0);

	uint64_t begin = bench_now_ns();

	for (uint64_t i = 0; i < count; i++) {
		atomic_store_explicit(line, 2 * i + 1, memory_order_release);
		while (atomic_load_explicit(line, memory_order_acquire) != 2 * i + 2)
			pvr_cpu_relax();
	}
	double ns = (double)(bench_now_ns() - begin) / (double)count;

	waitpid(child, NULL, 0);
	return ns;
}

static const struct ring_kind *const kinds[] = {
#ifdef PVR_HAVE_LIBXEN
	&ring_xen_16,
	&ring_xen_112,
#endif
	&ring_pvring_16,
	&ring_pvring_112,
};

static unsigned rows_make(const struct options *o, struct bench_row *rows,
	const struct ring_kind **kind, uint32_t *batch)
{
	unsigned count = 0;

	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (kinds[k]->slot_size != o->slot_size)
			continue;
		for (unsigned b = 0; b < o->batches; b++) {
			snprintf(rows[count].name, sizeof(rows[count].name), "%s, publish every %u",
				kinds[k]->name, o->batch[b]);
			kind[count] = kinds[k];
			batch[count++] = o->batch[b];
		}
	}
	snprintf(rows[count].name, sizeof(rows[count].name), "floor: a cache line there and back");
	return count;
}

int bench_ring(int argc, char **argv)
{
	static const struct argp argp = {keys, parse, NULL,
		"Round trips through a shared ring between two processes, ours beside the public "
		"ring macros. Nothing sleeps; each round trip moves one slot there and one back.\v"
		"Every publish decides whether to notify (RING_PUSH_.._AND_CHECK_NOTIFY, "
		"pvr_ring_publish_notify), as a driver's does; --no-check leaves that out. The "
		"first row, the "
		"macros with a publish for each slot, is the anchor of the ratios.",
		NULL, NULL, NULL};
	struct options o = {.slot_size = 16,
		.entries = 256,
		.args.rounds = BENCH_ROUNDS,
		.batch = {1, 8, 16, 32},
		.batches = 4,
		.count = 5000000};
	static struct bench_row rows[16];
	const struct ring_kind *kind[16];
	uint32_t batch[16];

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.outstanding || o.outstanding > o.entries)
		o.outstanding = o.entries;

	unsigned count = rows_make(&o, rows, kind, batch);

	for (uint32_t r = 0; r < o.args.rounds; r++) {
		for (unsigned i = 0; i < count; i++) {
			struct ring_run run = {
				o.entries, batch[i], o.outstanding, 0, !o.no_check, o.count};

			rows[i].value[rows[i].rounds++] = round_ns(kind[i], &run);
		}
		rows[count].value[rows[count].rounds++] = line_ns(200000);
	}

	char first[160];
	const char *notes[] = {first,
		bench_cpus() < 2 ? "one CPU only: both sides share it, the figures mean little"
				 : "two processes on two CPUs, both polling",
#ifndef PVR_HAVE_LIBXEN
		"the public ring macros are left out: build with libxen-dev installed",
#endif
		NULL};

	snprintf(first, sizeof(first),
		"%u-byte slots, %u entries, %u outstanding, %llu round trips, %u rounds "
		"interleaved%s",
		o.slot_size, o.entries, o.outstanding, (unsigned long long)o.count, o.args.rounds,
		o.no_check ? ", no decision on notifications" : "");
	bench_print("ring round trip", "ns", rows, count + 1, 0, notes, o.args.json);
	return 0;
}
