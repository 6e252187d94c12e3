/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the page-table validator: how tables are read, and its three parts. Counting
 * (mmu_types.c) knows frames and nothing of linear addresses; reporting (mmu_report.c) knows linear
 * addresses and changes no count; the operations (mmu.c) put both together.
 */
#ifndef PV_MMU_INTERNAL_H
#define PV_MMU_INTERNAL_H

#include <errno.h>
#include <stdatomic.h>

#include "mmu.h"

#define MMU_PAGE          4096u
#define MMU_NOWHERE       UINT64_MAX /* instead of a frame */
#define MMU_TYPE_REFS_MAX ((1u << 24) - 1)

/* A peer that was granted the page may write at the same time, so each entry is read once. */
static inline uint64_t mmu_load(const struct mmu *mmu, uint64_t table, unsigned index)
{
	_Atomic uint64_t *entry = (_Atomic uint64_t *)(void *)(mmu->memory + table * MMU_PAGE);

	return atomic_load_explicit(&entry[index], memory_order_relaxed);
}

static inline void mmu_store(const struct mmu *mmu, uint64_t table, unsigned index, uint64_t value)
{
	_Atomic uint64_t *entry = (_Atomic uint64_t *)(void *)(mmu->memory + table * MMU_PAGE);

	atomic_store_explicit(&entry[index], value, memory_order_relaxed);
}

/* Bits of a linear address below the index into a table of this level. */
static inline unsigned mmu_shift(const struct mmu_geometry *geometry, unsigned level)
{
	unsigned shift = 12;

	for (unsigned i = 0; i + 1 < level; i++)
		shift += (unsigned)__builtin_ctz(geometry->entries[i]);
	return shift;
}

/* The frame that a present entry names. */
static inline uint64_t mmu_named(const struct mmu *mmu, uint64_t entry)
{
	return (entry & mmu->geometry->frame_mask) / MMU_PAGE;
}

/* The table below an entry of this level, which is above 1; MMU_NOWHERE if there is none. */
static inline uint64_t mmu_below(const struct mmu *mmu, unsigned level, uint64_t entry)
{
	uint64_t frame = mmu_named(mmu, entry);

	if (!(entry & _PAGE_PRESENT) || frame >= mmu->frames || mmu->frame[frame].type != level - 1)
		return MMU_NOWHERE;
	return frame;
}

/*
 * What a leaf, an entry of level 1, takes of the frame that it names, and gives back: a use, and a use as writable. Most
 * updates are of leaves, so it stands where it can be inlined.
 */
static inline int mmu_leaf_get(struct mmu *mmu, uint64_t entry)
{
	const uint64_t frame = mmu_named(mmu, entry);
	struct mmu_frame *f;

	if (!(entry & _PAGE_PRESENT))
		return 0;
	if (entry & ~(mmu->geometry->frame_mask | mmu->geometry->allowed[0]) ||
		frame >= mmu->frames)
		return -EINVAL;
	f = &mmu->frame[frame];
	if (f->hole)
		return -EPERM;
	if (f->refs == UINT32_MAX)
		return -EBUSY;
	if (entry & _PAGE_RW) {
		if (f->type_refs && (f->type != MMU_WRITABLE || f->type_refs == MMU_TYPE_REFS_MAX))
			return -EBUSY;
		f->type = MMU_WRITABLE;
		f->type_refs++;
	}
	f->refs++;
	return 0;
}

static inline void mmu_leaf_put(struct mmu *mmu, uint64_t entry)
{
	const uint64_t frame = mmu_named(mmu, entry);
	struct mmu_frame *f;

	if (!(entry & _PAGE_PRESENT) || frame >= mmu->frames)
		return;
	f = &mmu->frame[frame];
	if (!(entry & _PAGE_RW)) {
		f->refs -= f->refs > f->type_refs;
	} else if (f->type == MMU_WRITABLE && f->type_refs) {
		f->refs--;
		if (!--f->type_refs)
			f->type = MMU_NONE;
	}
}

/* mmu_types.c: what an entry at this place needs is counted, or nothing is and it is refused. */
int mmu_entry_get(struct mmu *mmu, unsigned level, unsigned index, uint64_t entry);
void mmu_entry_put(struct mmu *mmu, unsigned level, uint64_t entry);

/* A use of a frame as this type. A table's first one validates all that is below it. */
int mmu_type_get(struct mmu *mmu, uint64_t frame, unsigned type);
void mmu_type_put(struct mmu *mmu, uint64_t frame, unsigned type);

/* mmu_report.c: an entry of a table is about to become `value`; both its trees are intact. */
void mmu_report_entry(
	struct mmu *mmu, uint64_t table, unsigned index, uint64_t old, uint64_t value);

/* The current root is about to be left for another; MMU_NOWHERE for none. */
void mmu_report_root(struct mmu *mmu, uint64_t old, uint64_t root);

/* The L1 table behind va under the current root, or MMU_NOWHERE, and the rights of all above it. */
uint64_t mmu_table_at(const struct mmu *mmu, uint64_t va, uint64_t *rights);
unsigned mmu_index_at(const struct mmu *mmu, unsigned level, uint64_t va);

#endif
