/* SPDX-License-Identifier: MIT */
/*
 * The operations of the page-table validator. Each first takes what the new state needs, which may
 * be refused and then leaves nothing behind; then it reports, stores, and gives back what the old
 * one held. In that order a change never passes through a state that is not valid.
 */
#include "mmu_internal.h"

static inline int entry_set(struct mmu *mmu, uint64_t table, unsigned index, uint64_t value)
{
	const unsigned level = mmu->frame[table].type;
	const uint64_t old = mmu_load(mmu, table, index);
	int error = level == MMU_L1 ? mmu_leaf_get(mmu, value)
				    : mmu_entry_get(mmu, level, index, value);

	if (error)
		return error;
	mmu_report_entry(mmu, table, index, old, value);
	mmu_store(mmu, table, index, value);
	if (level == MMU_L1)
		mmu_leaf_put(mmu, old);
	else
		mmu_entry_put(mmu, level, old);
	return 0;
}

int mmu_update_one(struct mmu *mmu, uint64_t ptr, uint64_t value)
{
	uint64_t command = ptr & 3, frame = ptr / MMU_PAGE;
	unsigned index = ptr % MMU_PAGE / sizeof(value), type;

	if (command == MMU_MACHPHYS_UPDATE)
		return -ENOSYS;
	if (ptr & 4 || frame >= mmu->frames)
		return -EINVAL;
	if (mmu->frame[frame].hole || mmu->frame[frame].reserved)
		return -EPERM;
	if (command == MMU_PT_UPDATE_PRESERVE_AD)
		value |= mmu_load(mmu, frame, index) & (_PAGE_ACCESSED | _PAGE_DIRTY);
	type = mmu->frame[frame].type;
	if (type == MMU_NONE || type == MMU_WRITABLE) {
		mmu_store(mmu, frame, index, value);
		return 0;
	}
	if (index >= mmu->geometry->entries[type - 1])
		return -EINVAL;
	return entry_set(mmu, frame, index, value);
}

int mmu_update_va(struct mmu *mmu, uint64_t va, uint64_t value, uint64_t flags)
{
	uint64_t rights, table = mmu_table_at(mmu, va, &rights);

	(void)flags; /* whose TLB to flush, of which there is none */
	if (table == MMU_NOWHERE)
		return -EINVAL;
	return entry_set(mmu, table, mmu_index_at(mmu, 1, va), value);
}

static int pin(struct mmu *mmu, uint64_t frame, unsigned level)
{
	int error;

	if (level > mmu->geometry->levels || frame >= mmu->frames || mmu->frame[frame].pinned)
		return -EINVAL;
	error = mmu_type_get(mmu, frame, level);
	if (!error)
		mmu->frame[frame].pinned = 1;
	return error;
}

static int unpin(struct mmu *mmu, uint64_t frame)
{
	if (frame >= mmu->frames || !mmu->frame[frame].pinned)
		return -EINVAL;
	mmu->frame[frame].pinned = 0;
	mmu_type_put(mmu, frame, mmu->frame[frame].type);
	return 0;
}

int mmu_root_set(struct mmu *mmu, uint64_t frame)
{
	uint64_t old = mmu->root;
	int error = mmu_type_get(mmu, frame, mmu->geometry->levels);

	if (error)
		return error;
	mmu_report_root(mmu, old, frame);
	mmu->root = frame;
	mmu_type_put(mmu, old, mmu->geometry->levels);
	return 0;
}

int mmu_ext_one(struct mmu *mmu, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return pin(mmu, op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
	case MMUEXT_UNPIN_TABLE:
		return unpin(mmu, op->arg1.mfn);
	case MMUEXT_NEW_BASEPTR:
		return mmu_root_set(mmu, op->arg1.mfn);
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_INVLPG_ALL:
		return 0;
	default:
		return -ENOSYS;
	}
}

int mmu_init(struct mmu *mmu, uint64_t root)
{
	int error = mmu_type_get(mmu, root, mmu->geometry->levels);

	if (error)
		return error;
	mmu->root = root;
	mmu->generation = 1; /* a frame that was never looked for has 0 */
	mmu->run.pages = 0;
	return pin(mmu, root, mmu->geometry->levels);
}
