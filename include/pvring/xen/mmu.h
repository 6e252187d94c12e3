/* SPDX-License-Identifier: MIT */
/*
 * How a PV guest changes its page tables: mmu_update, update_va_mapping and mmuext_op, and the bits
 * of the entries themselves. Source: xen.h; for the bits, Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 3, chapter 4.
 *
 * mmu_update and mmuext_op take (array, count, pointer to the count done or NULL, domid),
 * update_va_mapping takes (address, entry, UVMF_*), and on a 32-bit guest the entry is two
 * arguments, low half first.
 */
#ifndef PVR_XEN_MMU_H
#define PVR_XEN_MMU_H

#include <stdint.h>
#include "pvring/xen/xen.h"

/* ptr: machine address of the entry, with a command in its two lowest bits; val: what to store. */
struct mmu_update {
	uint64_t ptr;
	uint64_t val;
};

#define MMU_NORMAL_PT_UPDATE      0
#define MMU_MACHPHYS_UPDATE       1 /* ptr is in a frame whose pseudo-physical number becomes val */
#define MMU_PT_UPDATE_PRESERVE_AD 2 /* keeps the accessed and dirty bits that are set */
#define MMU_PT_UPDATE_NO_TRANSLATE                                                                 \
	3 /* as NORMAL for a guest whose frame numbers are the machine's */

/* INVLPG and SET_LDT have an address, the other commands that name a page its mfn. */
struct mmuext_op {
	unsigned int cmd; /* MMUEXT_* */
	union {
		xen_pfn_t mfn;
		unsigned long linear_addr;
	} arg1;
	union {
		unsigned int nr_ents; /* SET_LDT */
		const void *vcpumask; /* *_MULTI */
		xen_pfn_t src_mfn;    /* COPY_PAGE */
	} arg2;
};

#define MMUEXT_PIN_L1_TABLE       0
#define MMUEXT_PIN_L2_TABLE       1
#define MMUEXT_PIN_L3_TABLE       2
#define MMUEXT_PIN_L4_TABLE       3
#define MMUEXT_UNPIN_TABLE        4
#define MMUEXT_NEW_BASEPTR        5
#define MMUEXT_TLB_FLUSH_LOCAL    6
#define MMUEXT_INVLPG_LOCAL       7
#define MMUEXT_TLB_FLUSH_MULTI    8
#define MMUEXT_INVLPG_MULTI       9
#define MMUEXT_TLB_FLUSH_ALL      10
#define MMUEXT_INVLPG_ALL         11
#define MMUEXT_FLUSH_CACHE        12
#define MMUEXT_SET_LDT            13
#define MMUEXT_NEW_USER_BASEPTR   15 /* 64-bit guests */
#define MMUEXT_CLEAR_PAGE         16
#define MMUEXT_COPY_PAGE          17
#define MMUEXT_FLUSH_CACHE_GLOBAL 18
#define MMUEXT_MARK_SUPER         19
#define MMUEXT_UNMARK_SUPER       20

/* update_va_mapping: what to flush, and whose. MULTI has a pointer to a vCPU bitmap or'ed in. */
#define UVMF_NONE           0UL
#define UVMF_TLB_FLUSH      1UL
#define UVMF_INVLPG         2UL
#define UVMF_FLUSHTYPE_MASK 3UL
#define UVMF_MULTI          0UL
#define UVMF_LOCAL          0UL
#define UVMF_ALL            (1UL << 2)

/* Bits of an entry, of all levels but where said. */
#define _PAGE_PRESENT  (1ULL << 0)
#define _PAGE_RW       (1ULL << 1)
#define _PAGE_USER     (1ULL << 2)
#define _PAGE_PWT      (1ULL << 3)
#define _PAGE_PCD      (1ULL << 4)
#define _PAGE_ACCESSED (1ULL << 5)
#define _PAGE_DIRTY    (1ULL << 6) /* level 1 */
#define _PAGE_PAT      (1ULL << 7) /* level 1 */
#define _PAGE_PSE      (1ULL << 7) /* levels 2 and 3: a large page instead of a table */
#define _PAGE_GLOBAL   (1ULL << 8) /* level 1 */
#define _PAGE_AVAIL    (7ULL << 9) /* the guest's own */
#define _PAGE_NX       (1ULL << 63)

#endif
