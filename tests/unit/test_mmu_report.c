/* SPDX-License-Identifier: MIT */
/*
 * What the page-table validator says became of linear addresses, and what its own check finds. That
 * the sum is right the rig sees after every step; here it is how it is said, and how often.
 */
#include <string.h>

#include "mmu_tree.h"

/* One call of the callback since `calls`. */
static int once(const struct mmu_rig *rig, unsigned calls)
{
	return rig->calls == calls + 1;
}

BOTH(aliases)
{
	CU_ASSERT(set(rig, L1, 30, RW(DATA)) == 0);
	CU_ASSERT(set(rig, L1, 31, RO(DATA)) == 0);
	CU_ASSERT(rig->map[30] == RW(DATA) && rig->map[31] == RO(DATA));
	CU_ASSERT(rig->frame[DATA].refs == 3 && rig->frame[DATA].type_refs == 2);
	CU_ASSERT(set(rig, L1, 30, 0) == 0);
	CU_ASSERT(set(rig, L1, SLOT, RO(DATA)) == 0);
	CU_ASSERT(rig->frame[DATA].refs == 2 && rig->frame[DATA].type == MMU_NONE);
	CU_ASSERT(set(rig, L2, 1, RW(DATA)) == 0); /* mapped, but by nobody who could write */
}

BOTH(table_linked_twice)
{
	uint64_t second = L1_SPAN / RIG_PAGE, third = L2_SPAN / RIG_PAGE;

	CU_ASSERT(set(rig, L2, 1, RW(L1)) == 0);
	CU_ASSERT(rig->map[second + SLOT] == RW(DATA));
	CU_ASSERT(tree_do(rig, RIG_VA, L1_SPAN + 5 * RIG_PAGE, RW(DATA + 1)) == 0);
	CU_ASSERT(rig->map[5] == 0); /* below the lowest address */
	CU_ASSERT(rig->map[second + 5] == RW(DATA + 1));
	CU_ASSERT(set(rig, L1, SLOT, RW(DATA + 2)) == 0);
	CU_ASSERT(rig->map[SLOT] == RW(DATA + 2) && rig->map[second + SLOT] == RW(DATA + 2));
	/* And the table above it. */
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, L2)) == 0);
	CU_ASSERT(set(rig, L1, 30, RO(DATA)) == 0);
	CU_ASSERT(rig->map[30] == RO(DATA) && rig->map[second + 30] == RO(DATA));
	CU_ASSERT(rig->map[third + 30] == RO(DATA) && rig->map[third + second + 30] == RO(DATA));
	CU_ASSERT(set(rig, L2, 0, 0) == 0);
	CU_ASSERT(rig->map[30] == 0 && rig->map[third + 30] == 0);
	CU_ASSERT(rig->map[second + 30] == RO(DATA));
	/* Once in two places, now in one: it is found where it is. */
	CU_ASSERT(set(rig, top(rig), 0, 0) == 0);
	CU_ASSERT(set(rig, L1, 31, RW(DATA)) == 0);
	CU_ASSERT(rig->map[third + second + 31] == RW(DATA));
	CU_ASSERT(rig->map[31] == 0 && rig->map[second + 31] == 0);
}

/* A second root with the same L2 and one more page of its own. */
BOTH(root_switch)
{
	uint64_t l1 = SPARE2, other = SPARE3, own = SPARE4;
	unsigned calls;

	CU_ASSERT(set(rig, l1, 0, RW(DATA + 7)) == 0);
	CU_ASSERT(set(rig, own, 0, RW(l1)) == 0);
	if (rig->geometry.levels == 4) {
		CU_ASSERT(set(rig, other, 0, RW(SPARE)) == 0);
		other = SPARE;
	}
	CU_ASSERT(set(rig, other, 0, top_entry(rig, L2)) == 0);
	CU_ASSERT(set(rig, other, 1, top_entry(rig, own)) == 0);
	calls = rig->calls;
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, SPARE3) == 0);
	CU_ASSERT(once(rig, calls)); /* of what both share nothing is said */
	CU_ASSERT(rig->map[SLOT] == RW(DATA));
	CU_ASSERT(rig->map[L2_SPAN / RIG_PAGE] == RW(DATA + 7));
	/* Both roots hold L2; an update is seen through the current one. */
	CU_ASSERT(set(rig, L1, 33, RW(DATA + 8)) == 0);
	CU_ASSERT(rig->map[33] == RW(DATA + 8));
	calls = rig->calls;
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, SPARE3) == 0);
	CU_ASSERT(rig->calls == calls);
	CU_ASSERT(ext(rig, MMUEXT_NEW_BASEPTR, ROOT) == 0);
	CU_ASSERT(rig->mapped == 2);
	/* The other root was not pinned, so it is gone, and what it alone held. */
	CU_ASSERT(rig->frame[SPARE3].type == MMU_NONE && rig->frame[l1].type == MMU_NONE);
	CU_ASSERT(rig->frame[DATA + 7].refs == 0);
	CU_ASSERT(rig->frame[L2].type == MMU_L2 && rig->frame[L2].type_refs == 1);
}

/* A root that is not the current one changes without a word. */
BOTH(other_root)
{
	unsigned calls = rig->calls;

	CU_ASSERT(ext(rig, rig->geometry.levels - 1, SPARE) == 0);
	CU_ASSERT(set(rig, SPARE, 0, rig->geometry.levels == 3 ? RO(L2) : RW(TOP)) == 0);
	CU_ASSERT(set(rig, SPARE, 0, 0) == 0);
	CU_ASSERT(ext(rig, MMUEXT_UNPIN_TABLE, SPARE) == 0);
	CU_ASSERT(rig->calls == calls);
}

/* Runs grow over operations until the flush, as long as address, frame and rights go on. */
BOTH(joining)
{
	unsigned calls = rig->calls;
	uint64_t entry = L1 * RIG_PAGE + 100 * sizeof(entry);

	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT(mmu_update_one(&rig->mmu, entry + i * 8, RW(DATA + 1 + i)) == 0);
	CU_ASSERT(rig->calls == calls);
	mmu_flush(&rig->mmu);
	CU_ASSERT(once(rig, calls));
	CU_ASSERT(rig->map[100] == RW(DATA + 1) && rig->map[107] == RW(DATA + 8));
	mmu_flush(&rig->mmu);
	CU_ASSERT(once(rig, calls)); /* there was nothing more */
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT(mmu_update_one(&rig->mmu, entry + i * 8, 0) == 0);
	mmu_flush(&rig->mmu);
	CU_ASSERT(rig->calls == calls + 2);
	/* Other rights, another frame, another address: each begins a run. */
	mmu_update_one(&rig->mmu, entry, RW(DATA + 1));
	mmu_update_one(&rig->mmu, entry + 8, RO(DATA + 2));
	mmu_update_one(&rig->mmu, entry + 16, RO(DATA + 2));
	mmu_update_one(&rig->mmu, entry + 32, RO(DATA + 3));
	/* Flags that no mapping has do not. */
	mmu_update_one(&rig->mmu, entry + 40, RO(DATA + 4) | _PAGE_ACCESSED | _PAGE_USER);
	mmu_flush(&rig->mmu);
	CU_ASSERT(rig->calls == calls + 6);
	/* The same page again, the later one last. */
	mmu_update_one(&rig->mmu, entry, RW(DATA + 1));
	mmu_update_one(&rig->mmu, entry, RW(DATA + 5));
	mmu_update_one(&rig->mmu, entry, RW(DATA + 6));
	mmu_flush(&rig->mmu);
	CU_ASSERT(rig->map[100] == RW(DATA + 6));
}

BOTH(subtrees)
{
	unsigned calls;

	for (unsigned i = 0; i < 16; i++)
		CU_ASSERT(set(rig, SPARE, 496 + i, RW(DATA + 1 + i)) == 0);
	for (unsigned i = 0; i < 16; i++)
		CU_ASSERT(set(rig, SPARE2, i, RW(DATA + 17 + i)) == 0);
	CU_ASSERT(set(rig, SPARE3, 6, RW(SPARE)) == 0);
	CU_ASSERT(set(rig, SPARE3, 7, RW(SPARE2)) == 0);
	calls = rig->calls;
	CU_ASSERT(set(rig, top(rig), 1, top_entry(rig, SPARE3)) == 0);
	CU_ASSERT(once(rig, calls)); /* 32 pages in a row, through two tables */
	CU_ASSERT(rig->mapped == 33);
	CU_ASSERT(set(rig, top(rig), 1, 0) == 0);
	CU_ASSERT(rig->calls == calls + 2);
	CU_ASSERT(rig->mapped == 1);
	CU_ASSERT(rig->frame[SPARE].refs == 0 && rig->frame[DATA + 20].refs == 0);
}

BOTH(rights_of_all_levels)
{
	CU_ASSERT(set(rig, L2, 0, RO(L1)) == 0);
	CU_ASSERT(rig->map[SLOT] == RO(DATA));
	CU_ASSERT(rig->frame[DATA].type == MMU_WRITABLE); /* by its own entry it still is */
	CU_ASSERT(mmu_entry(&rig->mmu, AT) == RO(DATA));
	CU_ASSERT(set(rig, L1, SLOT + 1, RW(DATA)) == 0);
	CU_ASSERT(rig->map[SLOT + 1] == RO(DATA));
	CU_ASSERT(set(rig, L2, 0, RW(L1) | _PAGE_NX) == 0);
	CU_ASSERT(rig->map[SLOT] == (RW(DATA) | _PAGE_NX));
	CU_ASSERT(set(rig, L1, SLOT + 2, RW(DATA)) == 0);
	CU_ASSERT(set(rig, L1, SLOT + 3, RW(DATA)) == 0); /* by what is remembered */
	CU_ASSERT(rig->map[SLOT + 3] == (RW(DATA) | _PAGE_NX));
	CU_ASSERT(set(rig, L2, 0, RW(L1)) == 0);
	CU_ASSERT(rig->map[SLOT + 3] == RW(DATA));
}

BOTH(accessed_and_dirty)
{
	uint64_t at = L1 * RIG_PAGE + SLOT * sizeof(at), used = _PAGE_ACCESSED | _PAGE_DIRTY;
	unsigned calls;

	CU_ASSERT(set(rig, L1, SLOT, RW(DATA) | used) == 0);
	calls = rig->calls;
	CU_ASSERT(tree_do(rig, RIG_UPDATE, at | MMU_PT_UPDATE_PRESERVE_AD, RW(DATA)) == 0);
	CU_ASSERT(mmu_entry(&rig->mmu, AT) == (RW(DATA) | used));
	CU_ASSERT(set(rig, L1, SLOT, RW(DATA)) == 0);
	CU_ASSERT(mmu_entry(&rig->mmu, AT) == RW(DATA));
	CU_ASSERT(rig->calls == calls); /* neither bit is a mapping's */
}

BOTH(walk)
{
	CU_ASSERT(set(rig, L1, 511, RO(DATA + 1)) == 0);
	memset(rig->map, 0, rig->pages * sizeof(*rig->map));
	rig->mapped = 0;
	mmu_walk(&rig->mmu);
	mmu_flush(&rig->mmu);
	CU_ASSERT(rig->mapped == 2);
	CU_ASSERT_PTR_NULL(mmu_rig_check(rig));
	CU_ASSERT(mmu_entry(&rig->mmu, AT) == RW(DATA));
	CU_ASSERT(mmu_entry(&rig->mmu, AT + RIG_PAGE) == 0);
	CU_ASSERT(mmu_entry(&rig->mmu, rig->geometry.window) == 0);
	CU_ASSERT(mmu_entry(&rig->mmu, UINT64_MAX) == 0);
}

/* Whether the check says this of a table, a count or a frame that was tampered with. */
static int finds(struct mmu_rig *rig, uint64_t at, const char *sentence)
{
	uint64_t frame = FRAMES;
	const char *wrong = mmu_check(&rig->mmu, rig->counted, &frame);

	if (!wrong || strcmp(wrong, sentence))
		fprintf(stderr, "mmu: '%s' instead of '%s'\n", wrong ? wrong : "nothing", sentence);
	return wrong && !strcmp(wrong, sentence) && frame == at;
}

BOTH(check)
{
	uint64_t *entry = (uint64_t *)(void *)(rig->mmu.memory + L1 * RIG_PAGE) + 99;
	struct mmu_frame *f = rig->frame;

	*entry = RW(L2);
	CU_ASSERT(finds(rig, L2, "a page table is mapped writable"));
	*entry = RO(DATA);
	CU_ASSERT(finds(rig, DATA, "a reference count is not what the tables say"));
	*entry = RW(DATA);
	CU_ASSERT(finds(rig, DATA, "a type count is not what the tables say"));
	*entry = RW(DATA + 1);
	CU_ASSERT(finds(rig, DATA + 1, "a frame is used as a type that it does not have"));
	*entry = RO(FRAMES);
	CU_ASSERT(finds(rig, L1, "an entry names a frame that does not exist"));
	*entry = RO(HOLE);
	CU_ASSERT(finds(rig, HOLE, "a hole is mapped"));
	*entry = RO(DATA) | 1ull << 52;
	CU_ASSERT(finds(rig, L1, "an entry has a flag that is not allowed"));
	*entry = 0;
	f[SPARE].pinned = 1;
	CU_ASSERT(finds(rig, SPARE, "a frame is pinned that is no table"));
	f[SPARE].pinned = 0;
	f[SPARE].type = MMU_L1;
	CU_ASSERT(finds(rig, SPARE, "a type lasts exactly while its count is not 0"));
	f[SPARE].type = MMU_NONE;
	f[L1].reserved = 1;
	CU_ASSERT(finds(rig, L1, "a reserved frame is a table"));
	f[L1].reserved = 0;
	f[L2].pinned = 1;
	CU_ASSERT(finds(rig, L2, "a type count is not what the tables say"));
	f[L2].pinned = 0;
	CU_ASSERT_PTR_NULL(mmu_rig_check(rig));
}

/* clang-format off */
PVR_SUITE(mmu_report, CASE(aliases), CASE(table_linked_twice), CASE(root_switch), CASE(other_root),
	CASE(joining), CASE(subtrees), CASE(rights_of_all_levels), CASE(accessed_and_dirty),
	CASE(walk), CASE(check))
