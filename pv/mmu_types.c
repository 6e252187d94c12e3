/* SPDX-License-Identifier: MIT */
/*
 * Types and counts of frames. A frame takes a type with its first use as that and loses it with the
 * last. A frame that becomes a table has its entries counted, each of which may make a table of the
 * frame it names: the recursion goes down one level at a time, so it is as deep as there are
 * levels, and a table that names itself meets a type that is already taken.
 */
#include <errno.h>

#include "mmu_internal.h"

static void entries_put(struct mmu *mmu, uint64_t table, unsigned level, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		mmu_entry_put(mmu, level, mmu_load(mmu, table, i));
}

static int entries_get(struct mmu *mmu, uint64_t table, unsigned level)
{
	for (unsigned i = 0; i < mmu->geometry->entries[level - 1]; i++) {
		int error = mmu_entry_get(mmu, level, i, mmu_load(mmu, table, i));

		if (error) {
			entries_put(mmu, table, level, i);
			return error;
		}
	}
	return 0;
}

int mmu_type_get(struct mmu *mmu, uint64_t frame, unsigned type)
{
	struct mmu_frame *f;
	int error;

	if (frame >= mmu->frames)
		return -EINVAL;
	f = &mmu->frame[frame];
	if (f->hole || f->reserved)
		return -EPERM;
	if (f->refs == UINT32_MAX ||
		(f->type_refs && (f->type != type || f->type_refs == MMU_TYPE_REFS_MAX)))
		return -EBUSY;
	f->refs++;
	f->type = type & 7;
	if (f->type_refs++)
		return 0;
	error = entries_get(mmu, frame, type);
	if (error) {
		f->type = MMU_NONE;
		f->type_refs = 0;
		f->refs--;
	}
	return error;
}

void mmu_type_put(struct mmu *mmu, uint64_t frame, unsigned type)
{
	struct mmu_frame *f;

	if (frame >= mmu->frames)
		return;
	f = &mmu->frame[frame];
	if (f->type != type || !f->type_refs)
		return;
	f->refs--;
	if (--f->type_refs)
		return;
	f->type = MMU_NONE;
	entries_put(mmu, frame, type, mmu->geometry->entries[type - 1]);
}

int mmu_entry_get(struct mmu *mmu, unsigned level, unsigned index, uint64_t entry)
{
	const struct mmu_geometry *geometry = mmu->geometry;

	if (level == 1)
		return mmu_leaf_get(mmu, entry);
	if (!(entry & _PAGE_PRESENT))
		return 0;
	if (entry & ~(geometry->frame_mask | geometry->allowed[level - 1]))
		return -EINVAL;
	if ((uint64_t)index << mmu_shift(geometry, level) >= geometry->window)
		return -EINVAL;
	return mmu_type_get(mmu, mmu_named(mmu, entry), level - 1);
}

void mmu_entry_put(struct mmu *mmu, unsigned level, uint64_t entry)
{
	if (level == 1)
		mmu_leaf_put(mmu, entry);
	else if (entry & _PAGE_PRESENT)
		mmu_type_put(mmu, mmu_named(mmu, entry), level - 1);
}
