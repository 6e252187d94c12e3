/* SPDX-License-Identifier: MIT */
/*
 * pvring bench mmu: page-table updates a second of a guest kernel in the process machine, single and in batches, beside
 * the bare calls that they come down to.
 */
#include "pv_bench.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "../tools/tools.h"

#define RANGE 512u

/* What is done to the range, and by how many entries at a time; the guest's names for its figures. */
static const struct {
	const char *guest, *bare;
} works[] = {{"remap", "mmap(MAP_FIXED)"}, {"protect", "mprotect"}};
static const struct {
	const char *key, *guest;
	unsigned pages; /* of a bare call; 0: there is no bare one of its own */
} sizes[] = {
	{"batch1_per_s", "mmu_update, 1", 1},
	{"batch32_per_s", "mmu_update, 32", 32},
	{"batch512_per_s", "mmu_update, 512", 512},
	{"set_per_s", "update_va_mapping, 1", 0},
};

#define WORKS (sizeof(works) / sizeof(works[0]))
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define BARES (SIZES - 1)
#define LAST  (BARES - 1) /* the largest batch */

static struct bench_row bare[WORKS][BARES], guest[PV_KERNELS_MAX][WORKS][SIZES];

static int bare_round(void)
{
	double per_second;

	for (unsigned w = 0; w < WORKS; w++)
		for (unsigned s = 0; s < BARES; s++) {
			int rc = mmu_peer(sizes[s].pages, w == 1, &per_second);

			if (rc)
				return tool_error(EX_OSERR, "%s: %s", works[w].bare, strerror(-rc));
			snprintf(bare[w][s].name, sizeof(bare[w][s].name), "bare %s, %u",
				works[w].bare, sizes[s].pages);
			pv_row_add(&bare[w][s], per_second);
		}
	return 0;
}

static int guest_round(const struct pv_bench *b, unsigned k)
{
	struct pv_life life;
	int rc = pv_life_run(b->kernels[k].path, "bench=mmu", 0, NULL, &life);

	for (unsigned w = 0; w < WORKS && !rc; w++)
		for (unsigned s = 0; s < SIZES; s++) {
			struct bench_row *row = &guest[k][w][s];

			snprintf(row->name, sizeof(row->name), "guest %s, %s, %s",
				b->kernels[k].name, works[w].guest, sizes[s].guest);
			pv_row_add(row, pv_figure(&life, works[w].guest, sizes[s].key));
		}
	return rc;
}

static void batch_say(char *text, size_t size, unsigned w, unsigned k)
{
	double call = RANGE * 1e9 / bench_median(&bare[w][LAST]);
	double batch = RANGE * 1e9 / bench_median(&guest[k][w][LAST]);
	double pages = RANGE * 1e9 / bench_median(&bare[w][0]);

	snprintf(text, size,
		"512 pages, %s: %.1f us as one batch (%.1f ns an entry), %.1f us as one bare %s, "
		"%.0f us as 512 of them",
		works[w].guest, batch / 1e3, batch / RANGE, call / 1e3, works[w].bare, pages / 1e3);
}

static void print(const struct pv_bench *b)
{
	static struct bench_row rows[WORKS * (BARES + PV_KERNELS_MAX * SIZES)];
	static char said[WORKS][200];
	const char *notes[WORKS + 3] = {
		"updates of one entry a second: 512 pages of the domain's memory mapped a frame "
		"further and back, and read-only and writable",
		"a batch is one mmu_update and one flush; the bare calls change the same pages of "
		"a memfd, without confinement"};
	unsigned count = 0;

	for (unsigned w = 0; w < WORKS; w++) {
		for (unsigned s = 0; s < BARES; s++)
			rows[count++] = bare[w][s];
		for (unsigned k = 0; k < b->count; k++)
			for (unsigned s = 0; s < SIZES; s++)
				rows[count++] = guest[k][w][s];
		batch_say(said[w], sizeof(said[w]), w, 0);
		notes[2 + w] = said[w];
	}
	bench_print("page-table updates", "a second", rows, count, 0, notes, b->args.json);
}

int bench_mmu(int argc, char **argv)
{
	struct pv_bench b = {.args.rounds = BENCH_ROUNDS};
	int rc = pv_bench_begin(&b,
		"Page-table updates a second of a guest kernel in the process machine, single and "
		"in batches, beside bare mmap(MAP_FIXED) and mprotect of as many pages, in "
		"turns.\vThe first row is the anchor of the ratios.",
		argc, argv);

	for (unsigned r = 0; r < b.args.rounds && !rc; r++) {
		rc = bare_round();
		for (unsigned k = 0; k < b.count && !rc; k++)
			rc = guest_round(&b, k);
	}
	if (!rc)
		print(&b);
	return rc;
}
