/* SPDX-License-Identifier: MIT */
/*
 * pvring bench trap: what an emulated instruction of a guest kernel in the process machine costs, beside a hypercall
 * and beside what Linux takes for a system call and for a fault. From the figures it says what deserves a hot path.
 */
#include "pv_bench.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "../tools/tools.h"

#define BARES 2u

/* The guest's names for its figures, and ours. */
static const struct {
	const char *key, *name;
	int emulated; /* how many instructions; 0: none is */
} works[] = {
	{"rdmsr_ps", "rdmsr", 1},
	{"wrmsr_ps", "wrmsr", 1},
	{"mov_from_dr_ps", "mov from dr0", 1},
	{"mov_to_dr_ps", "mov to dr0", 1},
	{"mov_from_cr0_ps", "mov from cr0", 1},
	{"mov_to_cr3_ps", "mov to cr3", 1},
	{"in_ps", "in", 1},
	{"out_ps", "out", 1},
	{"cli_sti_ps", "cli and sti", 2},
	{"invlpg_ps", "invlpg", 1},
	{"int3_iret_ps", "int3 and iret", 2},
	{"xen_version_ps", "hypercall xen_version, empty", 0},
	{"yield_ps", "hypercall yield", 0},
	{"multicall_element_ps", "multicall of 32, an element", 0},
	{"mmuext_new_baseptr_ps", "hypercall new_baseptr, for mov to cr3", 0},
	{"mmuext_invlpg_ps", "hypercall invlpg_local, for invlpg", 0},
	{"mask_unmask_ps", "the mask in memory, for cli and sti", 0},
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static struct bench_row rows[BARES + PV_KERNELS_MAX * WORKS];

static int round_run(const struct pv_bench *b)
{
	struct pv_life life;

	strcpy(rows[0].name, "bare system call, getppid");
	strcpy(rows[1].name, "bare fault, skipped by a handler");
	pv_row_add(&rows[0], trap_peer_syscall());
	pv_row_add(&rows[1], trap_peer_fault());
	for (unsigned k = 0; k < b->count; k++) {
		int rc = pv_life_run(b->kernels[k].path, "bench=trap", 0, NULL, &life);

		if (rc)
			return rc;
		for (unsigned w = 0; w < WORKS; w++) {
			struct bench_row *row = &rows[BARES + k * WORKS + w];

			snprintf(row->name, sizeof(row->name), "%s %s", b->kernels[k].name,
				works[w].name);
			pv_row_add(row, pv_figure(&life, "trap", works[w].key) / 1e3);
		}
	}
	return 0;
}

/* ---- what follows from it ---- */

/* Of the first kernel. */
static double cost(const char *key)
{
	for (unsigned w = 0; w < WORKS; w++)
		if (!strcmp(works[w].key, key))
			return bench_median(&rows[BARES + w]);
	return 0;
}

/* A hundredth of a CPU, in instructions of that cost a second. */
static double hundredth(double ns)
{
	return ns > 0 ? 1e7 / ns : 0;
}

struct conclusions {
	char line[5][240];
	const char *notes[6];
	unsigned count;
};

static char *next_line(struct conclusions *c)
{
	c->notes[c->count] = c->line[c->count];
	return c->line[c->count++];
}

static void overall(struct conclusions *c)
{
	double most = 0, least = 1e18, call = cost("xen_version_ps");
	unsigned dear = 0, cheap = 0;

	for (unsigned w = 0; w < WORKS; w++) {
		double ns = bench_median(&rows[BARES + w]) /
			    (works[w].emulated ? works[w].emulated : 1);

		if (works[w].emulated && ns > most) {
			most = ns;
			dear = w;
		}
		if (works[w].emulated && ns < least) {
			least = ns;
			cheap = w;
		}
	}
	snprintf(next_line(c), sizeof(c->line[0]),
		"an emulated instruction: %.0f ns (%s) to %.0f ns (%s), %.1f to %.1f bare faults, "
		"%.0f to %.0f empty hypercalls",
		least, works[cheap].name, most, works[dear].name, least / bench_median(&rows[1]),
		most / bench_median(&rows[1]), least / call, most / call);
	snprintf(next_line(c), sizeof(c->line[0]),
		"a hundredth of a CPU is %.0f emulated instructions a second, or %.0f hypercalls: "
		"what a kernel does more often than the first deserves a hot path, the rest does "
		"not",
		hundredth(most), hundredth(call));
}

/* One that has both. */
static void compare(struct conclusions *c, const char *name, const char *emulated, const char *hot)
{
	double slow = cost(emulated), fast = cost(hot);

	snprintf(next_line(c), sizeof(c->line[0]),
		"%s: emulated %.0f ns, paravirtual %.1f ns; a hot path saves a hundredth of a CPU "
		"from %.0f a second on",
		name, slow, fast, hundredth(slow - fast));
}

int bench_trap(int argc, char **argv)
{
	struct pv_bench b = {.args.rounds = BENCH_ROUNDS};
	struct conclusions c = {0};
	int rc = pv_bench_begin(&b,
		"The cost of privileged instructions that the process machine emulates, beside "
		"hypercalls for the same or for nothing, a bare system call and a bare fault, in "
		"turns.\vThe first row is the anchor of the ratios.",
		argc, argv);

	for (unsigned r = 0; r < b.args.rounds && !rc; r++)
		rc = round_run(&b);
	if (rc)
		return rc;
	overall(&c);
	compare(&c, "cli and sti", "cli_sti_ps", "mask_unmask_ps");
	compare(&c, "mov to cr3", "mov_to_cr3_ps", "mmuext_new_baseptr_ps");
	compare(&c, "invlpg", "invlpg_ps", "mmuext_invlpg_ps");
	bench_print(
		"traps", "ns", rows, BARES + b.count * (unsigned)WORKS, 0, c.notes, b.args.json);
	return 0;
}
