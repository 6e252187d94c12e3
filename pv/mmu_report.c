/* SPDX-License-Identifier: MIT */
/*
 * What a change of tables means for linear addresses. Of any change, be it one entry or a whole new
 * root, the trees before and after are walked together, and where they share a table there is
 * nothing to say; so a switch between roots that have most in common costs little.
 *
 * A table may hang at several places under the root, or at none. Where it does is found by a
 * search, and remembered with the generation of the tree when it is one place or none: an update of
 * an L1 entry, which is what guests do most, then needs no search until an upper level changes.
 */
#include "mmu_internal.h"

#define RIGHTS (_PAGE_RW | _PAGE_NX)

/* One side of a change: a table or an entry, and the rights that all above it leave. */
struct side {
	uint64_t what, rights;
};

/* A change of one entry, wherever its table hangs. */
struct change {
	uint64_t table, old, value;
	unsigned level, index;
	unsigned places;
	struct side last; /* the last of the places */
};

static inline uint64_t rights_below(const struct mmu *mmu, unsigned level, struct side entry)
{
	uint64_t rights = entry.rights | (entry.what & _PAGE_NX);

	/* A level whose entries have no such bit, the PAE root, takes nothing away. */
	if (mmu->geometry->allowed[level - 1] & ~entry.what & _PAGE_RW)
		rights &= ~_PAGE_RW;
	return rights;
}

void mmu_flush(struct mmu *mmu)
{
	if (mmu->run.pages)
		mmu->changed(mmu->arg, mmu->run.va, mmu->run.frame, mmu->run.pages, mmu->run.flags);
	mmu->run.pages = 0;
}

/* Another page of the run: all that most changes in a batch are. */
static inline int run_continues(const struct mmu *mmu, uint64_t va, uint64_t frame, uint64_t flags)
{
	return mmu->run.pages && mmu->run.flags == flags &&
	       mmu->run.va + mmu->run.pages * MMU_PAGE == va &&
	       (!flags || mmu->run.frame + mmu->run.pages == frame);
}

static void run_add(struct mmu *mmu, uint64_t va, uint64_t pages, uint64_t frame, uint64_t flags)
{
	uint64_t low = mmu->geometry->lowest, end = va + pages * MMU_PAGE;

	if (va < low) {
		frame += flags ? (low - va) / MMU_PAGE : 0;
		va = low;
	}
	if (end > mmu->geometry->window)
		end = mmu->geometry->window;
	if (va >= end)
		return;
	pages = (end - va) / MMU_PAGE;
	if (run_continues(mmu, va, frame, flags)) {
		mmu->run.pages += pages;
		return;
	}
	mmu_flush(mmu);
	mmu->run.va = va;
	mmu->run.frame = frame;
	mmu->run.pages = pages;
	mmu->run.flags = flags;
}

/* What an L1 entry maps: flags, or 0 for nothing. */
static inline uint64_t mapped(const struct mmu *mmu, struct side entry, uint64_t *frame)
{
	*frame = mmu_named(mmu, entry.what);
	if (!(entry.what & _PAGE_PRESENT) || *frame >= mmu->frames || mmu->frame[*frame].hole) {
		*frame = 0;
		return 0;
	}
	return _PAGE_PRESENT | rights_below(mmu, 1, entry);
}

static inline void leaf_report(struct mmu *mmu, uint64_t va, struct side was, struct side is)
{
	uint64_t frame_was, frame, flags_was = mapped(mmu, was, &frame_was);
	uint64_t flags = mapped(mmu, is, &frame);

	if (frame == frame_was && flags == flags_was)
		return;
	if (run_continues(mmu, va, frame, flags) && va < mmu->geometry->window)
		mmu->run.pages++;
	else
		run_add(mmu, va, 1, frame, flags);
}

static void entry_report(
	struct mmu *mmu, unsigned level, uint64_t va, struct side was, struct side is);

/* Bounded by the window: an entry beyond it is not looked at. */
static void table_report(
	struct mmu *mmu, unsigned level, uint64_t va, struct side was, struct side is)
{
	unsigned shift = mmu_shift(mmu->geometry, level),
		 entries = mmu->geometry->entries[level - 1];

	if (was.what == is.what && (was.rights == is.rights || is.what == MMU_NOWHERE))
		return;
	if (is.what == MMU_NOWHERE) {
		run_add(mmu, va, ((uint64_t)entries << shift) / MMU_PAGE, 0, 0);
		return;
	}
	for (unsigned i = 0; i < entries && va < mmu->geometry->window; i++) {
		struct side before = {0, was.rights};
		struct side after = {mmu_load(mmu, is.what, i), is.rights};

		if (was.what != MMU_NOWHERE)
			before.what = mmu_load(mmu, was.what, i);
		entry_report(mmu, level, va, before, after);
		va += UINT64_C(1) << shift;
	}
}

static void entry_report(
	struct mmu *mmu, unsigned level, uint64_t va, struct side was, struct side is)
{
	if (level == 1) {
		leaf_report(mmu, va, was, is);
		return;
	}
	was = (struct side){mmu_below(mmu, level, was.what), rights_below(mmu, level, was)};
	is = (struct side){mmu_below(mmu, level, is.what), rights_below(mmu, level, is)};
	table_report(mmu, level - 1, va, was, is);
}

/* The table that changes hangs at va. */
static void place_report(struct mmu *mmu, struct change *change, uint64_t va, uint64_t rights)
{
	unsigned shift = mmu_shift(mmu->geometry, change->level);
	struct side was = {change->old, rights}, is = {change->value, rights};

	change->places++;
	change->last = (struct side){va, rights};
	va += (uint64_t)change->index << shift;
	if (va < mmu->geometry->window)
		entry_report(mmu, change->level, va, was, is);
}

/* Every place of the table that changes, in and below a table that hangs at va. */
static void places_report(
	struct mmu *mmu, struct change *change, unsigned level, uint64_t va, struct side table)
{
	unsigned shift = mmu_shift(mmu->geometry, level);

	if (level <= change->level) {
		if (table.what == change->table)
			place_report(mmu, change, va, table.rights);
		return;
	}
	for (unsigned i = 0; i < mmu->geometry->entries[level - 1]; i++) {
		struct side entry = {mmu_load(mmu, table.what, i), table.rights};
		struct side below = {mmu_below(mmu, level, entry.what), 0};

		if (va >= mmu->geometry->window)
			break;
		below.rights = rights_below(mmu, level, entry);
		if (below.what != MMU_NOWHERE)
			places_report(mmu, change, level - 1, va, below);
		va += UINT64_C(1) << shift;
	}
}

/* A place is remembered as its address and rights, with the present bit if there is one. */
void mmu_report_entry(struct mmu *mmu, uint64_t table, unsigned index, uint64_t old, uint64_t value)
{
	struct mmu_frame *frame = &mmu->frame[table];
	struct change change = {
		.table = table, .old = old, .value = value, .level = frame->type, .index = index};

	if (frame->generation == mmu->generation) {
		uint64_t place = frame->place;

		if (place & _PAGE_PRESENT && change.level == 1)
			leaf_report(mmu,
				(place & ~(RIGHTS | _PAGE_PRESENT)) + (uint64_t)index * MMU_PAGE,
				(struct side){old, place & RIGHTS},
				(struct side){value, place & RIGHTS});
		else if (place & _PAGE_PRESENT)
			place_report(
				mmu, &change, place & ~(RIGHTS | _PAGE_PRESENT), place & RIGHTS);
	} else {
		places_report(
			mmu, &change, mmu->geometry->levels, 0, (struct side){mmu->root, _PAGE_RW});
		frame->generation = change.places <= 1 ? mmu->generation : 0;
		frame->place =
			change.places ? change.last.what | change.last.rights | _PAGE_PRESENT : 0;
	}
	if (change.level > 1)
		mmu->generation++;
}

void mmu_report_root(struct mmu *mmu, uint64_t old, uint64_t root)
{
	table_report(mmu, mmu->geometry->levels, 0, (struct side){old, _PAGE_RW},
		(struct side){root, _PAGE_RW});
	mmu->generation++;
}

void mmu_walk(struct mmu *mmu)
{
	mmu_report_root(mmu, MMU_NOWHERE, mmu->root);
}

unsigned mmu_index_at(const struct mmu *mmu, unsigned level, uint64_t va)
{
	return (unsigned)(va >> mmu_shift(mmu->geometry, level)) &
	       (mmu->geometry->entries[level - 1] - 1);
}

uint64_t mmu_table_at(const struct mmu *mmu, uint64_t va, uint64_t *rights)
{
	struct side at = {mmu->root, _PAGE_RW};

	if (va < mmu->geometry->lowest || va >= mmu->geometry->window)
		return MMU_NOWHERE;
	for (unsigned level = mmu->geometry->levels; level > 1; level--) {
		at.what = mmu_load(mmu, at.what, mmu_index_at(mmu, level, va));
		at.rights = rights_below(mmu, level, at);
		at.what = mmu_below(mmu, level, at.what);
		if (at.what == MMU_NOWHERE)
			break;
	}
	*rights = at.rights;
	return at.what;
}

uint64_t mmu_entry(const struct mmu *mmu, uint64_t va)
{
	struct side entry;
	uint64_t table = mmu_table_at(mmu, va, &entry.rights);

	if (table == MMU_NOWHERE)
		return 0;
	entry.what = mmu_load(mmu, table, mmu_index_at(mmu, 1, va));
	return (entry.what & ~RIGHTS) | (rights_below(mmu, 1, entry) & RIGHTS);
}
