/* SPDX-License-Identifier: MIT */
/* What is read and written of a ring's journal besides the data path. See journal.h. */
#include "journal.h"

#include <errno.h>

#define MAGIC 0x314a4256u  /* "VBJ1" */
#define FIRST (1ull << 32) /* so that no number is 0 */

_Static_assert(sizeof(struct pvr_blkback_entry) == 128, "two cache lines");
_Static_assert(
	sizeof(struct pvr_blkback_journal) == PVR_BACK_JOURNAL_HEAD, "entries follow the head");

struct pvr_blkback_journal *pvr_blkback_journal_open(const struct pvr_blkback_journal_of *of,
	const struct pvr_blkback_offer *offer, unsigned queue, uint32_t entries)
{
	struct pvr_back_journal_key key = {
		.magic = MAGIC,
		.size = (uint32_t)(sizeof(struct pvr_blkback_journal) +
				   entries * sizeof(struct pvr_blkback_entry)),
		.serving = of->serving,
		.domid = offer->domid,
		.devid = of->devid,
		.queue = queue,
		.abi = offer->abi,
		.ports = {offer->port},
	};

	for (unsigned i = 0; i < offer->pages; i++)
		key.refs[0][i] = offer->refs[i];
	return pvr_back_journal_open(of->dir, "vbd", &key, of->again);
}

void pvr_blkback_journal_close(struct pvr_blkback_journal *journal, const char *dir, int keep)
{
	pvr_back_journal_close(journal, dir, "vbd", keep);
}

void pvr_blkback_journal_begin(struct pvr_blkback_journal *journal, uint32_t start)
{
	atomic_store_explicit(&journal->cons, FIRST + start, memory_order_relaxed);
	pvr_back_journal_order(); /* without a floor it was never begun */
	atomic_store_explicit(&journal->floor, FIRST + start, memory_order_relaxed);
}

/* One more, in its place by age. */
static void insert(const struct pvr_blkback_entry **open, uint32_t count,
	const struct pvr_blkback_entry *entry)
{
	uint64_t index = atomic_load_explicit(&entry->index, memory_order_relaxed);

	for (; count && atomic_load_explicit(&open[count - 1]->index, memory_order_relaxed) > index;
		count--)
		open[count] = open[count - 1];
	open[count] = entry;
}

int pvr_blkback_journal_find(struct pvr_blkback_journal *journal, uint32_t entries, uint32_t rsp,
	const struct pvr_blkback_entry **open)
{
	uint64_t floor = atomic_load_explicit(&journal->floor, memory_order_relaxed);
	uint64_t cons = pvr_blkback_journal_cons(journal), published;
	uint32_t count = 0;

	if (floor < FIRST)
		return -ESTALE;
	if (cons < floor) { /* its writer died while it took over itself */
		cons = floor;
		atomic_store_explicit(&journal->cons, cons, memory_order_relaxed);
	}
	if ((uint32_t)cons - rsp > entries)
		return -ESTALE;
	published = pvr_blkback_journal_index(journal, rsp);
	for (uint32_t i = 0; i < entries; i++) {
		const struct pvr_blkback_entry *entry = &journal->entry[i];
		uint64_t index = atomic_load_explicit(&entry->index, memory_order_relaxed);
		uint64_t answered = atomic_load_explicit(&entry->answered, memory_order_relaxed);

		if (index >= floor && index < cons && (!answered || answered >= published))
			insert(open, count++, entry);
	}
	return count == (uint32_t)cons - rsp ? (int)count : -ESTALE;
}

void pvr_blkback_journal_rewound(struct pvr_blkback_journal *journal, uint32_t rsp)
{
	uint64_t cons = pvr_blkback_journal_cons(journal);

	/* Onwards to the next number that is rsp on the ring. */
	cons += rsp - (uint32_t)cons;
	pvr_back_journal_order(); /* REWOUND */
	atomic_store_explicit(&journal->floor, cons, memory_order_relaxed);
	pvr_back_journal_order(); /* until then the old `cons` counts */
	atomic_store_explicit(&journal->cons, cons, memory_order_relaxed);
}
