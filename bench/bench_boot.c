/* SPDX-License-Identifier: MIT */
/*
 * pvring bench boot: from the beginning of a domain's process to the first answer of its disk, with its parts; and pvring
 * bench idle: what CPU a guest kernel takes that sleeps.
 */
#include "pv_bench.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "../tools/tools.h"

#define BOOT_ROUNDS  10u
#define DISK_BYTES   (16u << 20)
#define IDLE_SECONDS 5u

/* ---- boot ---- */

static const char *const parts[] = {"process start to first answer", "load, tables, confinement",
	"boot, to its first scenario", "connect to the disk", "first read",
	"before all that: the system"};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static struct bench_row boots[PV_KERNELS_MAX * PARTS];

static void boot_add(struct bench_row *row, const char *kernel, const struct pv_life *life)
{
	double entry = (pv_figure(life, "boot", "entry_tsc") - (double)life->fork_tsc) /
		       life->ticks_per_ns;
	double start = pv_figure(life, "boot", "start_ns");
	double connected = pv_figure(life, "boot", "connected_ns");
	double answered = pv_figure(life, "boot", "answered_ns");
	double ns[PARTS] = {entry + answered, entry, start, connected - start, answered - connected,
		(double)life->prepared_ns};

	for (unsigned p = 0; p < PARTS; p++) {
		snprintf(row[p].name, sizeof(row[p].name), "%s %s", kernel, parts[p]);
		pv_row_add(&row[p], ns[p] / 1e3);
	}
}

int bench_boot(int argc, char **argv)
{
	struct pv_bench b = {.args.rounds = BOOT_ROUNDS};
	const char *notes[] = {"64 MiB of memory and one disk in the backend's memory; each round "
			       "is a system of its own",
		"before all that: hypervisor, backend and domain started and the disk attached",
		NULL};
	struct pv_life life;
	int rc = pv_bench_begin(&b,
		"From the start of a domain's process in the process machine to the first answer "
		"of its disk, ten rounds if not told otherwise.\vThe first row is the anchor of "
		"the ratios.",
		argc, argv);

	for (unsigned r = 0; r < b.args.rounds && !rc; r++)
		for (unsigned k = 0; k < b.count && !rc; k++) {
			rc = pv_life_run(b.kernels[k].path, "bench=boot", DISK_BYTES, NULL, &life);
			if (!rc)
				boot_add(&boots[k * PARTS], b.kernels[k].name, &life);
		}
	if (!rc)
		bench_print("boot", "us", boots, b.count * (unsigned)PARTS, 0, notes, b.args.json);
	return rc;
}

/* ---- idle ---- */

/* The guest says a line before it sleeps and one after. */
struct idle {
	double guest, hypervisor; /* CPU seconds, at the first; what was added, at the second */
	uint64_t ns;
};

static void idle_heard(
	void *arg, const struct pv_life *life, const char *line, pid_t guest, pid_t hypervisor)
{
	struct idle *i = arg;

	(void)life;
	if (strncmp(line, "boot:", 5) && strncmp(line, "idle:", 5))
		return;
	i->guest = pv_cpu_of(guest) - i->guest;
	i->hypervisor = pv_cpu_of(hypervisor) - i->hypervisor;
	i->ns = bench_now_ns() - i->ns;
}

static int idle_round(const struct pv_bench *b, unsigned k, struct bench_row *row)
{
	struct idle idle = {0};
	const struct pv_watch watch = {idle_heard, &idle};
	struct pv_life life;
	char line[64];

	snprintf(line, sizeof(line), "boot idle=%u", IDLE_SECONDS);
	int rc = pv_life_run(b->kernels[k].path, line, 0, &watch, &life);

	if (rc)
		return rc;
	snprintf(row[0].name, sizeof(row[0].name), "%s guest's process", b->kernels[k].name);
	snprintf(row[1].name, sizeof(row[1].name), "%s its hypervisor", b->kernels[k].name);
	pv_row_add(&row[0], idle.guest * 1e15 / (double)idle.ns);
	pv_row_add(&row[1], idle.hypervisor * 1e15 / (double)idle.ns);
	return 0;
}

int bench_idle(int argc, char **argv)
{
	static struct bench_row rows[PV_KERNELS_MAX * 2];
	struct pv_bench b = {.args.rounds = BENCH_ROUNDS};
	const char *notes[] = {"CPU time over 5 s of sleep by a second of the clock; 1000 us/s are "
			       "0.1 % of a CPU",
		NULL};
	int rc = pv_bench_begin(&b,
		"The CPU time of a guest kernel in the process machine that sleeps for five "
		"seconds, and of its hypervisor.\vThe first row is the anchor of the ratios.",
		argc, argv);

	for (unsigned r = 0; r < b.args.rounds && !rc; r++)
		for (unsigned k = 0; k < b.count && !rc; k++)
			rc = idle_round(&b, k, &rows[2 * k]);
	if (!rc)
		bench_print("idle", "us/s", rows, b.count * 2, 0, notes, b.args.json);
	return rc;
}
