/* SPDX-License-Identifier: MIT */
/*
 * Page tables of PAE and of 64-bit mode, through the hot table: two or three numbers differ. Tables lie in pages of the
 * kernel's own, whose linear address is their physical one.
 */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdint.h>

#include <pvring/xen/mmu.h>

/* Linear addresses that nobody uses at boot, in every way. */
#define PAGING_AREA       0x60000000ul
#define PAGING_AREA_PAGES 2048u

#ifdef __x86_64__
#define PAGING_LEVELS 4u
#else
#define PAGING_LEVELS 3u
#endif

void paging_init(uint64_t *root);

/* The entry for an address in the table of a level (1 maps pages), making tables on the way; NULL: out of memory or refused. */
uint64_t *paging_entry(unsigned long address, unsigned level);

/* What maps an address becomes `value`, at once. 0 or a negative errno. */
int paging_set(unsigned long address, uint64_t value);

/*
 * The same for `count` (512 at the most) pages from `address` on, in one batch and with one flush; the entries of
 * each table lie side by side in it.
 */
int paging_set_many(unsigned long address, const uint64_t *values, unsigned count);

/* A page that is empty or filled with entries becomes a table, kept checked, and back. */
int paging_table_make(void *page, unsigned level);
int paging_table_drop(void *page);

/*
 * A new root like the current one, but that `address` has level 1 entries of its own: a table that holds `value` for it
 * alone. NULL when something was refused. paging_root_use switches; dropping the current one is an error.
 */
uint64_t *paging_root_variant(unsigned long address, uint64_t value);
int paging_root_use(uint64_t *root);
uint64_t *paging_root(void);
int paging_root_drop(uint64_t *variant, unsigned long address);

#endif
