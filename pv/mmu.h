/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a deprivileged guest. The guest owns its tables but may only read them; it asks
 * for each change, and this validator accepts one only if afterwards these hold:
 *
 *  - no page that is in use as a page table is mapped writable;
 *  - every present entry of a table names a frame of the domain's own, and of the type its level
 *    needs;
 *  - type and reference counts say exactly how often a frame is used as what.
 *
 * Frames have Xen's types (none, writable, L1 to L4): a type lasts while its count is not 0, and a
 * frame whose count is 0 may change it. Pinning holds one more count. Entries have eight bytes at
 * every level, so 32-bit PAE and 64-bit tables are checked by the same code, and what differs is
 * data (struct mmu_geometry). Source: Xen's public xen.h (mmu_update, mmuext_op,
 * update_va_mapping) and its document of x86 paravirtualised memory management.
 *
 * Pure: no system call, no clock, no global. It reads and writes the guest's frames through one
 * pointer and reports what became of linear addresses by one callback. One thread at a time. Errors
 * are negative Xen errnos: -EINVAL for what no frame and no state could make right, -EPERM for a
 * frame that the guest may not use so, -EBUSY for one that is in use as something else, -ENOSYS
 * for an operation that does not exist here. A refused operation has changed nothing.
 *
 * A table that its owner also granted to a peer may change under this code. Nothing read from a
 * table is believed to be in range, so such a guest breaks its own counts and nobody's memory.
 */
#ifndef PV_MMU_H
#define PV_MMU_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/mmu.h> /* mmuext_op, UVMF_* */

#define MMU_LEVELS_MAX 4u

/*
 * A tree of tables. Level 1 maps pages; `levels` is the level of the root. Linear addresses from
 * `lowest` up to `window` are the guest's, the others nobody's: an entry whose index alone puts it
 * beyond the window is refused, and what else lies outside is counted but never reported.
 */
struct mmu_geometry {
	unsigned levels;
	unsigned entries
		[MMU_LEVELS_MAX]; /* of a table of level i + 1; a power of two, at most 512 */
	uint64_t frame_mask;      /* bits of an entry that hold the frame's address */
	uint64_t allowed[MMU_LEVELS_MAX]; /* flag bits that a guest may set at level i + 1 */
	uint64_t lowest, window;
};

extern const struct mmu_geometry mmu_geometry_pae, mmu_geometry_64;

enum mmu_type { MMU_NONE, MMU_L1, MMU_L2, MMU_L3, MMU_L4, MMU_WRITABLE };

/* One frame's standing; zero is a frame that nothing uses. */
struct mmu_frame {
	uint32_t refs; /* entries that name it, and its pin and its use as the root */
	uint32_t type_refs : 24;
	uint32_t type : 3;
	uint32_t pinned : 1;
	uint32_t reserved : 1; /* the hypervisor's (shared_info, grants): mappable, never a table */
	uint32_t hole : 1;     /* may not be mapped at all */
	/* Where a table was found in the current root, while its tree is the one of that generation. */
	uint64_t generation, place;
};

/*
 * What the current root says of `pages` linear pages from `va` on has become: frames from `frame`
 * on, or nothing where `flags` is 0. Flags are _PAGE_PRESENT, and _PAGE_RW and _PAGE_NX as all
 * levels together leave them. What is adjacent in both is joined, also from one operation to the
 * next, until mmu_flush.
 */
typedef void mmu_changed(void *arg, uint64_t va, uint64_t frame, uint64_t pages, uint64_t flags);

struct mmu {
	const struct mmu_geometry *geometry;
	uint8_t *memory; /* frame f at byte f * 4096; aligned to a page */
	struct mmu_frame *frame;
	uint64_t frames;
	mmu_changed *changed;
	void *arg;
	/* The caller fills in what is above, mmu_init what is below. */
	uint64_t root;       /* the frame of the current root */
	uint64_t generation; /* of the tree above level 1 */
	struct {
		uint64_t va, frame, pages, flags;
	} run; /* of changes not yet reported */
};

/*
 * Begin: `frame` has `frames` elements, zeroed but for reserved and hole, which the caller sets;
 * `root` is the top of tables that a loader has built and that are checked as the guest's own would
 * be. The root is pinned, as Xen's builder leaves it. Maps nothing by itself: mmu_walk reports it.
 */
int mmu_init(struct mmu *mmu, uint64_t root);

/* All that the current root maps, reported as changes from nothing. For a root just loaded. */
void mmu_walk(struct mmu *mmu);

/*
 * The hypercalls' elements, of which the caller has refused those for another domain: another's
 * frame is reached by a grant alone. Flushes of TLBs succeed and do nothing, as an accepted change
 * is in force once the caller has called mmu_flush. An update of a frame that is no table is a
 * store. -ENOSYS: MMU_MACHPHYS_UPDATE, and what mmuext_op has beside pins, NEW_BASEPTR and flushes.
 */
int mmu_update_one(struct mmu *mmu, uint64_t ptr, uint64_t value);
int mmu_update_va(struct mmu *mmu, uint64_t va, uint64_t value, uint64_t flags);
int mmu_ext_one(struct mmu *mmu, const struct mmuext_op *op);

/* CR3 was written: the frame must be a root, or can become one. */
int mmu_root_set(struct mmu *mmu, uint64_t frame);

/* End of a hypercall, before the guest runs again: what was joined is reported. */
void mmu_flush(struct mmu *mmu);

/*
 * The L1 entry behind a linear address under the current root, with _PAGE_RW and _PAGE_NX as the
 * levels above leave them; 0 where there is none.
 */
uint64_t mmu_entry(const struct mmu *mmu, uint64_t va);

/*
 * For debug builds and tests: count everything again from the tables, in `counted` of mmu->frames
 * elements, and compare. NULL when the invariants hold, else a sentence that names the first that
 * does not, and *frame.
 */
const char *mmu_check(const struct mmu *mmu, struct mmu_frame *counted, uint64_t *frame);

#endif
