/* SPDX-License-Identifier: MIT */
/*
 * The invariants, from nothing but the tables: what each frame is counted as must be what the
 * entries of all tables, the pins and the root add up to. It shares with the validator how an entry
 * is read and nothing else. Levels go down strictly, so no ring of tables can justify itself.
 */
#include <string.h>

#include "mmu_internal.h"

static const char *use(
	const struct mmu *mmu, struct mmu_frame *counted, uint64_t frame, unsigned type)
{
	const struct mmu_frame *f = &mmu->frame[frame];

	counted[frame].refs++;
	if (type == MMU_NONE)
		return NULL;
	counted[frame].type_refs++;
	if (type == MMU_WRITABLE && f->type >= MMU_L1 && f->type <= MMU_L4)
		return "a page table is mapped writable";
	if (f->type != type)
		return "a frame is used as a type that it does not have";
	return NULL;
}

static const char *entry_check(const struct mmu *mmu, struct mmu_frame *counted, unsigned level,
	unsigned index, uint64_t entry, uint64_t *frame)
{
	const struct mmu_geometry *geometry = mmu->geometry;

	if (!(entry & _PAGE_PRESENT))
		return NULL;
	if (entry & ~(geometry->frame_mask | geometry->allowed[level - 1]))
		return "an entry has a flag that is not allowed";
	if ((uint64_t)index << mmu_shift(geometry, level) >= geometry->window)
		return "an entry lies beyond the window";
	if (mmu_named(mmu, entry) >= mmu->frames)
		return "an entry names a frame that does not exist";
	*frame = mmu_named(mmu, entry);
	if (mmu->frame[*frame].hole)
		return "a hole is mapped";
	if (level > 1)
		return use(mmu, counted, *frame, level - 1);
	return use(mmu, counted, *frame, entry & _PAGE_RW ? MMU_WRITABLE : MMU_NONE);
}

static const char *table_check(
	const struct mmu *mmu, struct mmu_frame *counted, uint64_t table, uint64_t *frame)
{
	unsigned level = mmu->frame[table].type;

	if (level > mmu->geometry->levels)
		return "a table is of a level that does not exist";
	if (mmu->frame[table].reserved)
		return "a reserved frame is a table";
	for (unsigned i = 0; i < mmu->geometry->entries[level - 1]; i++) {
		const char *wrong;

		*frame = table;
		wrong = entry_check(mmu, counted, level, i, mmu_load(mmu, table, i), frame);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* What a frame is by itself, and all it says of others. */
static const char *frame_check(
	const struct mmu *mmu, struct mmu_frame *counted, uint64_t at, uint64_t *frame)
{
	const struct mmu_frame *f = &mmu->frame[at];
	int table = f->type >= MMU_L1 && f->type <= MMU_L4;
	const char *wrong = NULL;

	if (f->type > MMU_WRITABLE)
		return "a frame has a type that does not exist";
	if ((f->type == MMU_NONE) != (f->type_refs == 0))
		return "a type lasts exactly while its count is not 0";
	if (f->pinned && !table)
		return "a frame is pinned that is no table";
	if (f->pinned)
		wrong = use(mmu, counted, at, f->type);
	if (!wrong && table)
		wrong = table_check(mmu, counted, at, frame);
	return wrong;
}

const char *mmu_check(const struct mmu *mmu, struct mmu_frame *counted, uint64_t *frame)
{
	const char *wrong;

	memset(counted, 0, mmu->frames * sizeof(*counted));
	*frame = mmu->root;
	if (mmu->root >= mmu->frames)
		return "the root does not exist";
	wrong = use(mmu, counted, mmu->root, mmu->geometry->levels);
	for (uint64_t i = 0; !wrong && i < mmu->frames; i++) {
		*frame = i;
		wrong = frame_check(mmu, counted, i, frame);
	}
	for (uint64_t i = 0; !wrong && i < mmu->frames; i++) {
		*frame = i;
		if (counted[i].type_refs != mmu->frame[i].type_refs)
			wrong = "a type count is not what the tables say";
		else if (counted[i].refs != mmu->frame[i].refs)
			wrong = "a reference count is not what the tables say";
	}
	return wrong;
}
