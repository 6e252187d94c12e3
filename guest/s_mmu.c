/* SPDX-License-Identifier: MIT */
/*
 * `mmu=stress[,N]`: N random changes of page tables, single and in batches, each checked by reading, by writing and by the
 * faults it must cause; tables and roots that come and go; and what a guarded table must refuse.
 */
#include <string.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define PAGES       1024u /* of the area; two tables of level 1 */
#define DATA        32u   /* pages that are mapped there */
#define BATCH       32u
#define TREES_EVERY 64u
#define STAMP       0x51a3c000u
#define ERROR_THERE 1ul
#define ERROR_WRITE 2ul

static uint8_t *data[DATA];
static uint64_t model[PAGES]; /* the entry each page must have */
static uint32_t random_state = 1;

/* xorshift32 */
static uint32_t below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static unsigned long address_of(unsigned page)
{
	return PAGING_AREA + page * (unsigned long)PVR_PAGE_SIZE;
}

static uint64_t entry_of(unsigned which, int writable)
{
	return (unsigned long)data[which] | _PAGE_PRESENT | (writable ? _PAGE_RW : 0);
}

/* ---- looking ---- */

static struct trap_seen read_at(unsigned long address, uint32_t *value)
{
	trap_begin();
	TRAPPING("movl %2, %1", , "=r"(*value) : "m"(*(const uint32_t *)address));
	return trap_end();
}

static struct trap_seen write_at(unsigned long address, uint32_t value)
{
	trap_begin();
	TRAPPING("movl %2, %1", , "=m"(*(uint32_t *)address) : "r"(value));
	return trap_end();
}

static int fault_is(const struct trap_seen *s, unsigned long error, unsigned long address)
{
	return s->taken && s->vector == TRAP_PAGE && s->error == error && s->address == address;
}

/* The page behaves as an entry says. */
static int check(unsigned long address, uint64_t entry)
{
	uint32_t stamp, value = 0;
	struct trap_seen s = read_at(address, &value);

	if (!(entry & _PAGE_PRESENT)) {
		if (!fault_is(&s, 0, address))
			return failed(
				"%lx is mapped (trap %lu, error %lx)", address, s.vector, s.error);
		s = write_at(address, 0);
		return fault_is(&s, ERROR_WRITE, address)
			       ? 0
			       : failed("%lx can be written, and not read", address);
	}
	memcpy(&stamp, (void *)(unsigned long)(entry & ~0xfffull), sizeof(stamp));
	if (s.taken || value != stamp)
		return failed("%lx holds %x instead of %x (trap %u)", address, value, stamp,
			(unsigned)s.taken);
	s = write_at(address, stamp);
	if (entry & _PAGE_RW)
		return s.taken ? failed("%lx cannot be written", address) : 0;
	return fault_is(&s, ERROR_THERE | ERROR_WRITE, address)
		       ? 0
		       : failed("%lx can be written (error %lx)", address, s.error);
}

/* ---- changing ---- */

/* A mapping goes, changes its rights, or becomes another one. */
static uint64_t new_entry(uint64_t old)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return old ? old ^ _PAGE_RW : 0;
	default:
		return entry_of(below(DATA), below(2) == 0);
	}
}

static int change_one(void)
{
	unsigned page = below(PAGES);
	uint64_t entry = new_entry(model[page] & ~(uint64_t)(_PAGE_ACCESSED | _PAGE_DIRTY));

	if (paging_set(address_of(page), entry))
		return failed("an entry is refused");
	model[page] = entry;
	return check(address_of(page), entry);
}

static int change_batch(void)
{
	unsigned first = below(PAGES - BATCH);
	uint64_t entries[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		entries[i] = new_entry(model[first + i]);
	if (paging_set_many(address_of(first), entries, BATCH))
		return failed("a batch is refused");
	memcpy(&model[first], entries, sizeof(entries));
	for (unsigned i = 0; i < 4; i++) {
		unsigned page = first + below(BATCH);

		if (check(address_of(page), model[page]))
			return -1;
	}
	return 0;
}

/* ---- tables and roots ---- */

/* A filled page becomes a table and is linked in place of another; then all is put back. */
static int table_exchange(void)
{
	unsigned page = below(PAGES), which = below(DATA);
	unsigned long address = address_of(page);
	uint64_t *link = paging_entry(address, 2), before, *table = pvr_port_pages_alloc(1);
	struct mmu_update update;

	if (!table || !link)
		return failed("no page for a table");
	before = *link;
	table[page % 512] = entry_of(which, 0);
	if (paging_table_make(table, 1))
		return failed("a table is not accepted");
	update = (struct mmu_update){(unsigned long)link, (unsigned long)table | (before & 0xfff)};
	if (hot.write(&update, 1))
		return failed("a table is not linked");
	hot.flush(0);
	if (check(address, entry_of(which, 0)))
		return -1;
	update = (struct mmu_update){(unsigned long)link, before};
	if (hot.write(&update, 1))
		return failed("a table is not linked again");
	hot.flush(0);
	if (paging_table_drop(table))
		return failed("a table stays one");
	table[0] = 0; /* it can be written again */
	pvr_port_pages_free(table, 1);
	return check(address, model[page]);
}

static int root_switch(void)
{
	unsigned page = below(PAGES), which = below(DATA);
	unsigned long address = address_of(page);
	uint64_t *before = paging_root();
	uint64_t *variant = paging_root_variant(address, entry_of(which, 1));

	if (!variant)
		return failed("another root is not accepted");
	if (paging_root_use(variant))
		return failed("another root is not used");
	if (check(address, entry_of(which, 1)) || paging_root_use(before))
		return -1;
	if (paging_root_drop(variant, address))
		return failed("tables of another root stay tables");
	return check(address, model[page]);
}

/* A table of the current root, mapped for writing by itself: never. */
static int guard(void)
{
	unsigned page = below(PAGES);
	uint64_t *entry = paging_entry(address_of(page), 1);
	unsigned long table = (unsigned long)entry & ~(PVR_PAGE_SIZE - 1ul);
	struct trap_seen s;

	if (!entry)
		return failed("no table");
	if (!hot.guards)
		return 0;
	if (!paging_set(address_of(page), table | _PAGE_PRESENT | _PAGE_RW))
		return failed("a page table can be mapped for writing");
	if (!hot.table((void *)table, 0))
		return failed("a page table can be made writable");
	s = write_at((unsigned long)entry, 0);
	if (!s.taken)
		return failed("a page table can be written");
	return check(address_of(page), model[page]);
}

static int trees(void)
{
	return table_exchange() || root_switch() || guard() ? -1 : 0;
}

static int stress(unsigned count)
{
	uint64_t start = pvr_port_now_ns(), took;
	unsigned changes = 0;

	for (unsigned i = 0; i < count; i++) {
		int batch = i % 8 == 7;

		if (batch ? change_batch() : change_one())
			return -1;
		changes += batch ? BATCH : 1;
		if (i % TREES_EVERY == TREES_EVERY - 1 && trees())
			return -1;
	}
	took = pvr_port_now_ns() - start;
	for (unsigned page = 0; page < PAGES; page += BATCH) {
		static const uint64_t nothing[BATCH];

		memset(&model[page], 0, sizeof(nothing));
		if (paging_set_many(address_of(page), nothing, BATCH) ||
			check(address_of(page + below(BATCH)), 0))
			return failed("the area is not empty at the end");
	}
	say("mmu: %u operations, %u entries, %u trees and roots, each checked, %llu ms", count,
		changes, count / TREES_EVERY, (unsigned long long)divide(took, MS));
	return 0;
}

int mmu_scenario(const char *args)
{
	int result;

	if (!word_is(args, "stress"))
		return failed("mmu=stress is all there is");
	for (uint32_t i = 0; i < DATA; i++) {
		uint32_t stamp = STAMP + i;

		data[i] = pvr_port_pages_alloc(1);
		if (!data[i])
			return failed("no pages");
		memcpy(data[i], &stamp, sizeof(stamp));
	}
	result = stress((unsigned)number_of(after_comma(args), 1000));
	for (unsigned i = 0; i < DATA; i++)
		pvr_port_pages_free(data[i], 1);
	return result;
}
