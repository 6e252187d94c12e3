/* SPDX-License-Identifier: MIT */
/* What the page-table validator refuses, each by name, and that a refusal leaves nothing behind. */
#include <string.h>

#include "mmu_tree.h"

static int unused(const struct mmu_rig *rig, uint64_t frame)
{
	return rig->frame[frame].refs == 0 && rig->frame[frame].type == MMU_NONE;
}

BOTH(table_mapped_writable)
{
	uint64_t tables[] = {ROOT, L2, L1};

	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT(set(rig, L1, SLOT + 1, RW(tables[i])) == -EBUSY);
		CU_ASSERT(set(rig, L1, SLOT, RW(tables[i])) == -EBUSY);
		CU_ASSERT(tree_do(rig, RIG_VA, AT, RW(tables[i])) == -EBUSY);
		CU_ASSERT(set(rig, L1, SLOT + 1, RO(tables[i])) == 0);
		CU_ASSERT(rig->map[SLOT + 1] == RO(tables[i]));
	}
	CU_ASSERT(rig->map[SLOT] == RW(DATA));
}

BOTH(writable_page_as_table)
{
	CU_ASSERT(set(rig, L2, 1, RW(DATA)) == -EBUSY);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L1_TABLE, DATA) == -EBUSY);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, DATA) == -EBUSY);
	/* Read-only is no obstacle, and once it is a table there is no way back. */
	CU_ASSERT(set(rig, L1, SLOT, RO(DATA)) == 0);
	CU_ASSERT(set(rig, L2, 1, RW(DATA)) == 0);
	CU_ASSERT(set(rig, L1, SLOT, RW(DATA)) == -EBUSY);
	CU_ASSERT(set(rig, L2, 1, 0) == 0);
	CU_ASSERT(set(rig, L1, SLOT, RW(DATA)) == 0);
}

BOTH(table_of_another_level)
{
	CU_ASSERT(set(rig, L2, 1, RW(L2)) == -EBUSY);
	CU_ASSERT(set(rig, L2, 1, RW(ROOT)) == -EBUSY);
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, L1)) == -EBUSY);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L2_TABLE, L1) == -EBUSY);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, L2) == -EBUSY);
	CU_ASSERT(mmu_root_set(&rig->mmu, L1) == -EBUSY);
}

BOTH(table_that_maps_itself)
{
	CU_ASSERT(set(rig, SPARE, 3, RO(DATA)) == 0);
	CU_ASSERT(set(rig, SPARE, 7, RW(SPARE)) == 0);
	CU_ASSERT(set(rig, L2, 1, RW(SPARE)) == -EBUSY);
	CU_ASSERT(unused(rig, SPARE));
	CU_ASSERT(set(rig, SPARE, 7, RO(SPARE)) == 0);
	CU_ASSERT(set(rig, L2, 1, RW(SPARE)) == 0);
	/* As its own L1 table an L2 would be two types at once. */
	CU_ASSERT(set(rig, SPARE2, 0, RW(SPARE2)) == 0);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L2_TABLE, SPARE2) == -EBUSY);
	CU_ASSERT(unused(rig, SPARE2));
}

/* A whole subtree becomes tables, or nothing of it does. */
BOTH(bad_entry_deep_below)
{
	CU_ASSERT(set(rig, SPARE, 0, RW(SPARE2)) == 0);
	CU_ASSERT(set(rig, SPARE, 1, RW(SPARE3)) == 0);
	CU_ASSERT(set(rig, SPARE2, 0, RW(DATA + 1)) == 0);
	CU_ASSERT(set(rig, SPARE3, 0, RW(DATA + 2)) == 0);
	CU_ASSERT(set(rig, SPARE3, 511, RW(L2)) == 0);
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, SPARE)) == -EBUSY);
	for (uint64_t i = SPARE; i <= SPARE3; i++)
		CU_ASSERT(unused(rig, i));
	CU_ASSERT(unused(rig, DATA + 1) && unused(rig, DATA + 2));
	CU_ASSERT(set(rig, SPARE3, 511, 0) == 0);
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, SPARE)) == 0);
	CU_ASSERT(rig->map[L2_SPAN / RIG_PAGE] == RW(DATA + 1));
}

BOTH(flags)
{
	CU_ASSERT(set(rig, L1, 30, RO(DATA) | 1ull << 52) == -EINVAL);
	CU_ASSERT(set(rig, L1, 30, 1ull << 52) == 0); /* not present: the guest's own */
	CU_ASSERT(set(rig, L1, 30, RO(DATA) | _PAGE_GLOBAL | _PAGE_PAT | _PAGE_NX) == 0);
	CU_ASSERT(set(rig, L2, 1, RW(512) | _PAGE_PSE) == -EINVAL);
	CU_ASSERT(set(rig, L2, 1, RW(SPARE) | _PAGE_GLOBAL) == -EINVAL);
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, SPARE) | _PAGE_PSE) == -EINVAL);
	CU_ASSERT(set(rig, ROOT, 0, RW(rig->geometry.levels == 3 ? L2 : TOP)) ==
		  (rig->geometry.levels == 3 ? -EINVAL : 0));
}

BOTH(frames)
{
	CU_ASSERT(set(rig, L1, 30, RO(FRAMES)) == -EINVAL);
	CU_ASSERT(set(rig, L1, 30, RO(0xffffffffffull)) == -EINVAL);
	CU_ASSERT(set(rig, L2, 1, RW(FRAMES)) == -EINVAL);
	CU_ASSERT(set(rig, L1, 30, RO(HOLE)) == -EPERM);
	CU_ASSERT(set(rig, L1, 30, RW(HOLE)) == -EPERM);
	CU_ASSERT(set(rig, L2, 1, RW(HOLE)) == -EPERM);
	CU_ASSERT(set(rig, L1, 30, RW(RESERVED)) == 0);
	CU_ASSERT(set(rig, L2, 1, RW(RESERVED)) == -EPERM);
	CU_ASSERT(set(rig, L2, 1, RW(RESERVED + 1)) == -EPERM);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L1_TABLE, RESERVED + 1) == -EPERM);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, RESERVED + 1) == -EPERM);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L1_TABLE, FRAMES) == -EINVAL);
	CU_ASSERT(ext(rig, MMUEXT_UNPIN_TABLE, FRAMES) == -EINVAL);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, FRAMES) == -EINVAL);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, UINT64_MAX) == -EINVAL);
}

BOTH(pointers)
{
	uint64_t at = L1 * RIG_PAGE + 30 * sizeof(at);

	CU_ASSERT(tree_do(rig, RIG_UPDATE, at | MMU_MACHPHYS_UPDATE, 5) == -ENOSYS);
	CU_ASSERT(tree_do(rig, RIG_UPDATE, at | 4, RO(DATA)) == -EINVAL);
	CU_ASSERT(set(rig, FRAMES, 0, 0) == -EINVAL);
	CU_ASSERT(tree_do(rig, RIG_UPDATE, UINT64_MAX & ~7ull, 0) == -EINVAL);
	CU_ASSERT(set(rig, RESERVED, 0, 0) == -EPERM);
	CU_ASSERT(set(rig, HOLE, 0, 0) == -EPERM);
	CU_ASSERT(set(rig, ROOT, 4, 0) == (rig->geometry.levels == 3 ? -EINVAL : 0));
	CU_ASSERT(set(rig, DATA, 100, 0x1234) == 0); /* no table: a store */
	CU_ASSERT(tree_do(rig, RIG_UPDATE, at | MMU_PT_UPDATE_NO_TRANSLATE, RO(DATA)) == 0);
	CU_ASSERT(rig->map[30] == RO(DATA));
}

BOTH(window)
{
	unsigned root_end = rig->geometry.levels == 3 ? 2 : 1;

	CU_ASSERT(set(rig, ROOT, root_end, RO(SPARE)) == -EINVAL);
	CU_ASSERT(set(rig, top(rig), 2, top_entry(rig, SPARE)) == -EINVAL);
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, SPARE)) == 0);
	/* Where L2 hangs decides, so an entry that is outside here is counted and never reported. */
	CU_ASSERT(set(rig, SPARE, 384, RW(L1)) == 0);
	CU_ASSERT(rig->mapped == 1);
	CU_ASSERT(set(rig, SPARE, 383, RW(L1)) == 0);
	CU_ASSERT(rig->mapped == 2);
	CU_ASSERT(tree_do(rig, RIG_VA, rig->geometry.window, RO(DATA)) == -EINVAL);
	CU_ASSERT(tree_do(rig, RIG_VA, UINT64_MAX, RO(DATA)) == -EINVAL);
	CU_ASSERT(tree_do(rig, RIG_VA, rig->geometry.window - RIG_PAGE, RO(DATA)) == 0);
	CU_ASSERT(tree_do(rig, RIG_VA, rig->geometry.lowest - RIG_PAGE, RO(DATA)) == -EINVAL);
	CU_ASSERT(tree_do(rig, RIG_VA, rig->geometry.lowest, RO(DATA)) == 0);
	CU_ASSERT(set(rig, L1, 15, RO(DATA)) == 0);
	CU_ASSERT(rig->map[15] == 0);
	CU_ASSERT(tree_do(rig, RIG_VA, 5 * L1_SPAN, RO(DATA)) == -EINVAL); /* no L1 table there */
}

BOTH(pins)
{
	CU_ASSERT(ext(rig, MMUEXT_PIN_L1_TABLE, L1) == 0);
	CU_ASSERT(ext(rig, MMUEXT_PIN_L1_TABLE, L1) == -EINVAL);
	CU_ASSERT(set(rig, L2, 0, 0) == 0);
	CU_ASSERT(rig->mapped == 0);
	CU_ASSERT(rig->frame[L1].type == MMU_L1 && rig->frame[DATA].type == MMU_WRITABLE);
	CU_ASSERT(set(rig, L1, SLOT + 1, RW(DATA + 1)) == 0); /* still checked, but nowhere */
	CU_ASSERT(rig->mapped == 0);
	CU_ASSERT(ext(rig, MMUEXT_UNPIN_TABLE, L1) == 0);
	CU_ASSERT(unused(rig, L1) && unused(rig, DATA) && unused(rig, DATA + 1));
	CU_ASSERT(ext(rig, MMUEXT_UNPIN_TABLE, L1) == -EINVAL);
	CU_ASSERT(
		ext(rig, MMUEXT_PIN_L4_TABLE, SPARE) == (rig->geometry.levels == 3 ? -EINVAL : 0));
	CU_ASSERT(ext(rig, MMUEXT_PIN_L3_TABLE, SPARE2) == 0);
	/* The current root stays one without its pin. */
	CU_ASSERT(ext(rig, MMUEXT_UNPIN_TABLE, ROOT) == 0);
	CU_ASSERT(rig->frame[ROOT].type == rig->geometry.levels);
}

BOTH(other_operations)
{
	static const unsigned good[] = {MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_TLB_FLUSH_ALL,
		MMUEXT_INVLPG_LOCAL, MMUEXT_INVLPG_ALL};
	static const unsigned unknown[] = {MMUEXT_TLB_FLUSH_MULTI, MMUEXT_INVLPG_MULTI,
		MMUEXT_FLUSH_CACHE, MMUEXT_SET_LDT, 14, MMUEXT_NEW_USER_BASEPTR, MMUEXT_CLEAR_PAGE,
		MMUEXT_COPY_PAGE, MMUEXT_MARK_SUPER, 21, 0x80000000u};

	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++)
		CU_ASSERT(ext(rig, good[i], UINT64_MAX) == 0);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		CU_ASSERT(ext(rig, unknown[i], SPARE) == -ENOSYS);
}

/* A count at its end refuses; it never wraps. */
BOTH(counts)
{
	struct mmu_frame before = rig->frame[DATA];

	rig->frame[DATA].type_refs = (1u << 24) - 1;
	CU_ASSERT(mmu_update_va(&rig->mmu, AT + RIG_PAGE, RW(DATA), 0) == -EBUSY);
	CU_ASSERT(rig->frame[DATA].refs == before.refs);
	rig->frame[DATA].refs = UINT32_MAX;
	CU_ASSERT(mmu_update_va(&rig->mmu, AT + RIG_PAGE, RO(DATA), 0) == -EBUSY);
	rig->frame[DATA] = before;
	CU_ASSERT_PTR_NULL(mmu_rig_check(rig));
}

BOTH(loader)
{
	struct mmu mmu = rig->mmu;

	/* The tables as they are, judged anew: what a loader built. */
	for (unsigned i = 0; i < RESERVED; i++)
		memset(&rig->frame[i], 0, sizeof(rig->frame[i]));
	CU_ASSERT(mmu_init(&mmu, ROOT) == 0);
	CU_ASSERT(mmu.root == ROOT && rig->frame[ROOT].pinned);
	rig->mmu = mmu;
	CU_ASSERT_PTR_NULL(mmu_rig_check(rig));
	for (unsigned i = 0; i < RESERVED; i++)
		memset(&rig->frame[i], 0, sizeof(rig->frame[i]));
	((uint64_t *)(void *)(mmu.memory + L1 * RIG_PAGE))[40] = RW(L2);
	CU_ASSERT(mmu_init(&mmu, ROOT) == -EBUSY);
	CU_ASSERT(mmu_init(&mmu, FRAMES) == -EINVAL);
	CU_ASSERT(mmu_init(&mmu, HOLE) == -EPERM);
	for (unsigned i = 0; i < FRAMES; i++)
		CU_ASSERT(unused(rig, i));
}

/* A table that was granted changes behind the validator: nothing out of range is touched. */
BOTH(table_changed_behind)
{
	uint64_t *l1 = (uint64_t *)(void *)(rig->mmu.memory + L1 * RIG_PAGE);
	uint64_t *l2 = (uint64_t *)(void *)(rig->mmu.memory + L2 * RIG_PAGE);

	l1[SLOT] = RW(0xffffffffffull);
	l1[SLOT + 1] = RW(HOLE);
	l1[SLOT + 2] = RW(DATA + 5);
	l2[1] = RW(0xffffffffffull);
	l2[2] = RW(DATA);
	mmu_walk(&rig->mmu);
	mmu_flush(&rig->mmu);
	CU_ASSERT_PTR_NULL(rig->wrong); /* no hole, no frame beyond memory is reported */
	CU_ASSERT((mmu_entry(&rig->mmu, L1_SPAN) & _PAGE_PRESENT) == 0);
	CU_ASSERT(mmu_update_one(&rig->mmu, L1 * RIG_PAGE + 8 * SLOT, 0) == 0);
	CU_ASSERT(mmu_update_one(&rig->mmu, L2 * RIG_PAGE + 8, RW(SPARE)) == 0);
	CU_ASSERT(mmu_update_one(&rig->mmu, top(rig) * RIG_PAGE, 0) == 0);
	mmu_flush(&rig->mmu);
	CU_ASSERT_PTR_NULL(rig->wrong);
	CU_ASSERT(rig->mapped == 0);
}

/* clang-format off */
PVR_SUITE(mmu, CASE(table_mapped_writable), CASE(writable_page_as_table),
	CASE(table_of_another_level), CASE(table_that_maps_itself), CASE(bad_entry_deep_below),
	CASE(flags), CASE(frames), CASE(pointers), CASE(window), CASE(pins), CASE(other_operations),
	CASE(counts), CASE(loader), CASE(table_changed_behind))
