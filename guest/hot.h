/* SPDX-License-Identifier: MIT */
/*
 * All that differs by what is below the kernel: the operations that are on a hot path, so that a fault and an emulation
 * would cost too much. Everything else is native code in every way.
 */
#ifndef GUEST_HOT_H
#define GUEST_HOT_H

#include <stdatomic.h>
#include <stdint.h>

#include <pvring/xen/mmu.h>

struct hot {
	/* Sleep unless *word is not `seen` any more; no wake-up comes between the look and the sleep. */
	void (*idle)(const _Atomic uint32_t *word, uint32_t seen);
	/* One interrupt at that time, or earlier; it replaces the last one. UINT64_MAX: none wanted. */
	void (*timer)(uint64_t deadline_ns);
	/* An interrupt has been taken. */
	void (*acknowledge)(void);

	/* Page tables; `ptr` is the linear address of an entry. 0, or a negative errno with nothing changed. */
	int (*write)(struct mmu_update *updates, unsigned count);
	/* One that maps `address`, and is flushed. */
	int (*set)(uint64_t *entry, unsigned long address, uint64_t value);
	/* Forget translations: of one address, or of all (0). */
	void (*flush)(unsigned long address);
	/* A page is going to be a table (1), or is not one any more (0): may it be written? */
	int (*table)(void *page, int is_table);
	/* Keep a table of a level checked, or no longer (level 0). */
	int (*pin)(void *table, unsigned level);
	int (*root)(void *table);
	/* Whether a table is guarded against the kernel itself. */
	int guards;
};

/* Interrupts of the timer so far. */
extern _Atomic uint32_t hot_timer_fired;

extern struct hot hot;

#endif
