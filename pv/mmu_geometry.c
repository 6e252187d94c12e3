/* SPDX-License-Identifier: MIT */
/*
 * What differs between PAE and 64-bit page tables. The window is what the process machine gives a
 * guest: one entry of L4, two of L3. Addresses below 64 KiB cannot be mapped in a process.
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, 4.4 and 4.5.
 */
#include "mmu.h"

#define FRAME_MASK 0x000ffffffffff000ull
#define LOWEST     0x10000u
#define WINDOW     0x70000000u

/* No PSE: a large page would have to be of one type whole, and the process machine has none. */
#define UPPER                                                                                      \
	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_PWT | _PAGE_PCD | _PAGE_ACCESSED |          \
		_PAGE_DIRTY | _PAGE_AVAIL | _PAGE_NX)
#define LEAF (UPPER | _PAGE_PAT | _PAGE_GLOBAL)

/* The four entries of a PAE root have no rights of their own; the processor reserves those bits. */
#define PAE_ROOT (_PAGE_PRESENT | _PAGE_PWT | _PAGE_PCD | _PAGE_AVAIL)

const struct mmu_geometry mmu_geometry_pae = {
	.levels = 3,
	.entries = {512, 512, 4},
	.frame_mask = FRAME_MASK,
	.allowed = {LEAF, UPPER, PAE_ROOT},
	.lowest = LOWEST,
	.window = WINDOW,
};

const struct mmu_geometry mmu_geometry_64 = {
	.levels = 4,
	.entries = {512, 512, 512, 512},
	.frame_mask = FRAME_MASK,
	.allowed = {LEAF, UPPER, UPPER, UPPER},
	.lowest = LOWEST,
	.window = WINDOW,
};
