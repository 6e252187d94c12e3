/* SPDX-License-Identifier: MIT */
/*
 * A guest of some tens of frames for the page-table validator, and a model beside it: what each
 * entry must hold, which frames are pinned, and what the callback said is mapped. After every
 * operation the model is compared with the guest's memory, with a walk of its tables, and with the
 * validator's own check. CUnit and the fuzzer both use it, so what is wrong is a sentence.
 */
#ifndef PVR_MMU_RIG_H
#define PVR_MMU_RIG_H

#include "../../pv/mmu.h"

#define RIG_PAGE 4096u

struct mmu_rig {
	struct mmu_geometry geometry;
	struct mmu mmu;
	struct mmu_frame *frame, *counted;
	uint64_t frames, pages; /* of memory, of the window */
	unsigned stride;        /* entries of the largest table */
	uint64_t *entry;        /* [frames][stride]: what each must hold */
	uint8_t *pinned;
	uint64_t root;
	uint64_t *map; /* [pages]: what the callback said, as an entry */
	uint64_t mapped;
	unsigned calls; /* of the callback */
	const char *wrong;
	unsigned long accepted, refused;
	unsigned long stores; /* of the accepted: to a frame that was no table, which are no work */
};

enum mmu_rig_kind { RIG_UPDATE, RIG_VA, RIG_EXT };

/* An operation's arguments in the order of the hypercall. */
struct mmu_rig_op {
	enum mmu_rig_kind kind;
	uint64_t a, b;
};

/* Tables so small that a few operations meet everywhere: 3 levels as PAE's, 4 as 64-bit. */
struct mmu_geometry mmu_rig_tiny(unsigned levels);

/* Frame 0 is the root, the last one a hole, the two before it reserved. NULL without memory. */
struct mmu_rig *mmu_rig_new(const struct mmu_geometry *geometry, uint64_t frames);
void mmu_rig_free(struct mmu_rig *rig);

/* Carry out, flush, follow in the model. */
int mmu_rig_do(struct mmu_rig *rig, struct mmu_rig_op op);

/* NULL, or how model, memory and validator differ. */
const char *mmu_rig_check(struct mmu_rig *rig);

/* 64 bits of any origin as an operation, of which most make sense in the present state. */
struct mmu_rig_op mmu_rig_decode(const struct mmu_rig *rig, uint64_t bits);

#endif
