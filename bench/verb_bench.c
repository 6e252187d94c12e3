/* SPDX-License-Identifier: MIT */
/* pvring bench: finds the benchmark and hands over. */
#include "../tools/tools.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} benches[] = {
	{"ring", bench_ring, "round trips through a shared ring, beside the public ring macros"},
	{"evtchn", bench_evtchn, "events there and back, asleep and awake, beside bare eventfds"},
	{"blk", bench_blk, "block I/O by size and depth, beside the same file without pvring"},
	{"net", bench_net, "packets by size each way, beside a bare ring in shared memory"},
	{"timer", bench_timer, "how late a guest kernel's timer wakes it, beside a bare timerfd"},
	{"mmu", bench_mmu, "page-table updates of a guest kernel, beside bare mmap and mprotect"},
	{"trap", bench_trap, "emulated instructions, beside hypercalls, system calls and faults"},
	{"boot", bench_boot, "a guest kernel's way to the first answer of its disk, in parts"},
	{"idle", bench_idle, "the CPU time of a guest kernel that sleeps"},
	{"taps", bench_taps, "two TAPs joined by a plain loop, for bench/compare-net.sh"},
};

int verb_bench(int argc, char **argv)
{
	static char name[64];

	for (size_t i = 0; argc > 1 && i < sizeof(benches) / sizeof(benches[0]); i++) {
		if (strcmp(argv[1], benches[i].name))
			continue;
		snprintf(name, sizeof(name), "pvring bench %s", benches[i].name);
		argv[1] = name;
		return benches[i].run(argc - 1, argv + 1);
	}

	int asked = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?"));
	FILE *to = asked ? stdout : stderr;

	fputs("Usage: pvring bench NAME [OPTION...]\n\n", to);
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		fprintf(to, "  %-8s %s\n", benches[i].name, benches[i].summary);
	fputs("\nRounds are interleaved; figures are medians. Run on an idle machine.\n", to);
	return asked ? 0 : EX_USAGE;
}
