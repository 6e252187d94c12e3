/* SPDX-License-Identifier: MIT */
/* Page tables of a PV guest: entries, pins, roots and batches of random numbers, which the validator is to refuse or bear. */
#include <string.h>

#include <pvring/xen/mmu.h>

#include "guest/paging.h"
#include "hostile.h"
#include "ports/x86/x86.h"

#define BATCH_MAX 24u

static unsigned long table_frame[8]; /* of tables that there are */
static unsigned tables;

static void table_note(unsigned long address, unsigned level)
{
	uint64_t *entry = paging_entry(address, level);

	if (entry && tables < sizeof(table_frame) / sizeof(table_frame[0]))
		table_frame[tables++] = (unsigned long)entry / PVR_PAGE_SIZE;
}

static uint64_t random_flags(void)
{
	uint64_t flags = _PAGE_PRESENT;

	if (random_once(8))
		flags = 0;
	flags |= random_bits() & (_PAGE_RW | _PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY);
	if (random_once(16))
		flags |= random_bits() & 0xfff;
	if (random_once(16))
		flags |= random_bits() & 0xfff0000000000000;
	return flags;
}

/* Whose: a victim's, a table's, the kernel's own code's, the hypervisor's. */
static unsigned long some_frame(void)
{
	switch (random_below(8)) {
	case 0:
		return table_frame[random_below(tables)];
	case 1:
		return 512 + random_below(100);
	case 2:
		return random_frame();
	default:
		return victims / PVR_PAGE_SIZE + random_below(VICTIM_PAGES);
	}
}

static uint64_t random_entry(void)
{
	return random_once(24) ? random_bits()
			       : (uint64_t)some_frame() * PVR_PAGE_SIZE | random_flags();
}

/* Where: an entry of a table for the test area, mostly; of a victim that may have become one; or of none. */
static uint64_t entry_address(void)
{
	unsigned long frame = table_frame[random_below(tables)];
	/* The root and what is under it map the kernel too: of them only what nobody lives by. */
	uint64_t at = (uint64_t)((unsigned long)paging_entry(PAGING_AREA, 1) & ~4095ul) +
		      random_below(512) * 8;

	if (random_once(4))
		at = (victims / PVR_PAGE_SIZE + random_below(VICTIM_PAGES)) *
			     (uint64_t)PVR_PAGE_SIZE +
		     random_below(512) * 8;
	if (random_once(16))
		at = (uint64_t)frame * PVR_PAGE_SIZE + (256 + random_below(256)) * 8;
	if (random_once(32))
		at = random_once(2) ? random_bits() : random_word();
	return (at & ~3ull) | (random_once(4) ? random_below(4) : 0);
}

static unsigned long area_address(void)
{
	if (random_once(16))
		return random_once(2) ? (unsigned long)random_bits()
				      : (unsigned long)hypervisor_page(random_below(80));
	if (random_once(3))
		return victims + random_below(VICTIM_PAGES) * PVR_PAGE_SIZE;
	return PAGING_AREA + random_below(PAGING_AREA_PAGES + 4) * PVR_PAGE_SIZE;
}

static unsigned long where_done(void)
{
	return random_once(4) ? 0 : random_once(4) ? random_pointer() : random_place();
}

static unsigned long whose(void)
{
	return random_once(16) ? random_word() : DOMID_SELF;
}

/* ---- a call of each kind, its arguments ---- */

static unsigned update_make(unsigned long args[5], unsigned long at)
{
	struct mmu_update *updates = (void *)at;
	const unsigned count = 1 + random_below(BATCH_MAX);

	for (unsigned i = 0; i < count; i++)
		updates[i] = (struct mmu_update){entry_address(), random_entry()};
	args[0] = random_once(32) ? random_pointer() : at;
	args[1] = random_once(64) ? random_word() : count;
	args[2] = where_done();
	args[3] = whose();
	return __HYPERVISOR_mmu_update;
}

static unsigned extended_make(unsigned long args[5], unsigned long at)
{
	struct mmuext_op *ops = (void *)at;
	const unsigned count = 1 + random_below(4);

	for (unsigned i = 0; i < count; i++) {
		ops[i].cmd = random_once(32) ? random_word() : random_below(21);
		ops[i].arg1.mfn = some_frame();
		ops[i].arg2.src_mfn = some_frame();
		/* It may well be granted, and then this kernel has no more words. */
		if (ops[i].cmd == MMUEXT_CLEAR_PAGE || ops[i].cmd == MMUEXT_COPY_PAGE)
			ops[i].arg1.mfn = victims / PVR_PAGE_SIZE + random_below(VICTIM_PAGES);
	}
	args[0] = random_once(32) ? random_pointer() : at;
	args[1] = random_once(64) ? random_word() : count;
	args[2] = where_done();
	args[3] = whose();
	return __HYPERVISOR_mmuext_op;
}

static unsigned va_make(unsigned long args[5], unsigned long at)
{
	uint64_t entry = random_entry();
	const unsigned long flags = random_once(4) ? random_word() : random_below(8);

	(void)at;
	args[0] = area_address();
	/* What is written to a victim is not to be written to the kernel. */
	if (args[0] - victims < VICTIM_PAGES * PVR_PAGE_SIZE)
		entry = (victims / PVR_PAGE_SIZE + random_below(VICTIM_PAGES)) *
				(uint64_t)PVR_PAGE_SIZE |
			random_flags();
	args[1] = (unsigned long)entry;
	args[2] = sizeof(long) == 8 ? flags : (unsigned long)(entry >> 32);
	args[3] = flags;
	return __HYPERVISOR_update_va_mapping;
}

static unsigned simple_make(unsigned long args[5], unsigned long at)
{
	switch (random_below(3)) {
	case 0:
		return update_make(args, at);
	case 1:
		return extended_make(args, at);
	default:
		return va_make(args, at);
	}
}

static unsigned multi_make(unsigned long args[5], unsigned long at)
{
	struct multicall_entry *entries = (void *)at;
	const unsigned count = 1 + random_below(6);

	for (unsigned i = 0; i < count; i++) {
		unsigned long inner[5] = {0};

		entries[i].op = simple_make(inner, at + (1 + i) * PVR_PAGE_SIZE);
		if (random_once(8))
			entries[i].op =
				random_once(2) ? __HYPERVISOR_multicall : __HYPERVISOR_xen_version;
		for (unsigned k = 0; k < 5; k++)
			entries[i].args[k] = inner[k];
	}
	args[0] = random_once(32) ? random_pointer() : at;
	args[1] = random_once(64) ? random_word() : count;
	return __HYPERVISOR_multicall;
}

/* A victim is filled as a table would be, where it may be written. */
static void victim_fill(void)
{
	const unsigned long page = victims + random_below(VICTIM_PAGES) * PVR_PAGE_SIZE;
	uint64_t entry[8];

	for (unsigned i = 0; i < 8; i++)
		entry[i] = random_once(2) ? 0 : random_entry();
	for (unsigned i = 0; i < 8; i++) {
		trap_begin();
		TRAPPING("mov %1, (%2)",
			 : "r"((unsigned long)entry[i]), "r"(page + random_below(512) * 8));
		if (trap_end().taken)
			return;
	}
}

void tables_part(unsigned rounds)
{
	unsigned long args[5];

	if (!is_pv)
		return;
	tables = 0;
	for (unsigned level = 1; level <= PAGING_LEVELS; level++)
		table_note(PAGING_AREA, level);
	table_note(PAGING_AREA + (1ul << 21), 1);
	if (!tables)
		return;
	while (rounds-- && !part_over()) {
		const unsigned long at = arena + random_below(ARENA_PAGES - 8) * PVR_PAGE_SIZE;

		memset(args, 0, sizeof(args));
		victim_fill();
		const unsigned number =
			random_once(4) ? multi_make(args, at) : simple_make(args, at);

		calls_made++;
		calls_done += !hypercall(number, args);
	}
}
