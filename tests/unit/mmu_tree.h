/* SPDX-License-Identifier: MIT */
/*
 * A small tree of page tables for named cases, the same with PAE and with 64-bit tables: the root's
 * first entry leads to L2, whose first entry leads to L1, which maps DATA writable at AT. Every
 * operation is followed by all of the rig's comparisons.
 */
#ifndef PVR_MMU_TREE_H
#define PVR_MMU_TREE_H

#include <errno.h>
#include <stdio.h>

#include "mmu_rig.h"
#include "suite.h"

enum {
	ROOT,
	TOP,
	L2,
	L1,
	SPARE,
	SPARE2,
	SPARE3,
	SPARE4,
	DATA = 16,
	RESERVED = 61,
	HOLE = 63,
	FRAMES = 64
};

#define SLOT      20u /* DATA's entry in L1 */
#define AT        (SLOT * (uint64_t)RIG_PAGE)
#define L1_SPAN   (512ull * RIG_PAGE)
#define L2_SPAN   (512ull * L1_SPAN)
#define RO(frame) ((uint64_t)(frame)*RIG_PAGE | _PAGE_PRESENT)
#define RW(frame) (RO(frame) | _PAGE_RW)

static inline int tree_do(struct mmu_rig *rig, enum mmu_rig_kind kind, uint64_t a, uint64_t b)
{
	int rc = mmu_rig_do(rig, (struct mmu_rig_op){kind, a, b});
	const char *wrong = mmu_rig_check(rig);

	if (wrong)
		fprintf(stderr, "mmu: %s\n", wrong);
	CU_ASSERT_PTR_NULL(wrong);
	return rc;
}

static inline int set(struct mmu_rig *rig, uint64_t table, unsigned index, uint64_t value)
{
	return tree_do(rig, RIG_UPDATE, table * RIG_PAGE + index * sizeof(value), value);
}

static inline int ext(struct mmu_rig *rig, unsigned command, uint64_t frame)
{
	return tree_do(rig, RIG_EXT, command, frame);
}

/* The table with the root's rank below which an L2 hangs: the root itself with PAE. */
static inline uint64_t top(const struct mmu_rig *rig)
{
	return rig->geometry.levels == 3 ? ROOT : TOP;
}

/* An entry of the PAE root has no rights of its own. */
static inline uint64_t top_entry(const struct mmu_rig *rig, uint64_t frame)
{
	return rig->geometry.levels == 3 ? RO(frame) : RW(frame);
}

static inline struct mmu_rig *tree_new(const struct mmu_geometry *geometry)
{
	struct mmu_rig *rig = mmu_rig_new(geometry, FRAMES);

	CU_ASSERT_PTR_NOT_NULL_FATAL(rig);
	CU_ASSERT(set(rig, L1, SLOT, RW(DATA)) == 0);
	CU_ASSERT(set(rig, L2, 0, RW(L1)) == 0);
	if (geometry->levels == 4)
		CU_ASSERT(set(rig, ROOT, 0, RW(TOP)) == 0);
	CU_ASSERT(set(rig, top(rig), 0, top_entry(rig, L2)) == 0);
	CU_ASSERT(rig->map[SLOT] == RW(DATA));
	CU_ASSERT(rig->mapped == 1);
	return rig;
}

static inline void tree_both(void (*body)(struct mmu_rig *rig))
{
	static const struct mmu_geometry *const both[] = {&mmu_geometry_pae, &mmu_geometry_64};

	for (unsigned i = 0; i < 2; i++) {
		struct mmu_rig *rig = tree_new(both[i]);

		body(rig);
		mmu_rig_free(rig);
	}
}

/* A case whose body runs with each geometry. */
/* clang-format off */
#define BOTH(name)                                                                                 \
	static void name##_in(struct mmu_rig *rig);                                                \
	static void name(void) { tree_both(name##_in); }                                           \
	static void name##_in(struct mmu_rig *rig)
/* clang-format on */

#endif
