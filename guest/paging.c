/* SPDX-License-Identifier: MIT */
/* See paging.h. */
#include <string.h>

#include "guest/hot.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define ENTRIES    512u
#define ADDRESS    0x000ffffffffff000ull
#define BATCH_MOST 512u

/* What an entry says that names a table; PAE's three top bits of an address are a level of four bare entries. */
#define TABLE      (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED)
#define BARE_LEVEL (PAGING_LEVELS == 3 ? 3u : 0u)

static uint64_t *root;

void paging_init(uint64_t *table)
{
	root = table;
}

static uint64_t table_entry(const void *table, unsigned level)
{
	return (unsigned long)table | (level == BARE_LEVEL ? _PAGE_PRESENT : TABLE);
}

static unsigned index_of(unsigned long address, unsigned level)
{
	return (unsigned)(address >> (PVR_PAGE_SHIFT + 9 * (level - 1))) % ENTRIES;
}

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(unsigned long)(entry & ADDRESS);
}

static int write_one(uint64_t *entry, uint64_t value)
{
	struct mmu_update update = {(unsigned long)entry | MMU_NORMAL_PT_UPDATE, value};

	return hot.write(&update, 1);
}

/* An empty table below an entry of `level`. */
static int table_add(uint64_t *entry, unsigned level)
{
	void *page = pvr_port_pages_alloc(1);

	if (!page)
		return -1;
	if (!hot.table(page, 1) && !write_one(entry, table_entry(page, level))) {
		if (level == BARE_LEVEL)
			hot.flush(0); /* the CPU holds these four in registers */
		return 0;
	}
	hot.table(page, 0);
	pvr_port_pages_free(page, 1);
	return -1;
}

static uint64_t *entry_below(uint64_t *table, unsigned long address, unsigned level)
{
	unsigned at = PAGING_LEVELS;
	uint64_t *entry = &table[index_of(address, at)];

	while (at > level) {
		if (!(*entry & _PAGE_PRESENT) && table_add(entry, at))
			return NULL;
		entry = &table_of(*entry)[index_of(address, --at)];
	}
	return entry;
}

uint64_t *paging_entry(unsigned long address, unsigned level)
{
	return entry_below(root, address, level);
}

int paging_set(unsigned long address, uint64_t value)
{
	uint64_t *entry = paging_entry(address, 1);

	return entry ? hot.set(entry, address, value) : -1;
}

int paging_set_many(unsigned long address, const uint64_t *values, unsigned count)
{
	static struct mmu_update updates[BATCH_MOST];

	for (unsigned i = 0; i < count; i++, address += PVR_PAGE_SIZE) {
		uint64_t *entry = paging_entry(address, 1);

		if (!entry)
			return -1;
		updates[i] = (struct mmu_update){(unsigned long)entry, values[i]};
	}
	int err = hot.write(updates, count);

	hot.flush(0);
	return err;
}

int paging_table_make(void *page, unsigned level)
{
	int err = hot.table(page, 1);

	return err ? err : hot.pin(page, level);
}

int paging_table_drop(void *page)
{
	int err = hot.pin(page, 0);

	return err ? err : hot.table(page, 0);
}

/* A table of `level` like `old`, but for one entry; pinned. */
static uint64_t *table_copy(
	const uint64_t *old, unsigned long address, unsigned level, uint64_t entry)
{
	uint64_t *copy = pvr_port_pages_alloc(1);

	if (!copy)
		return NULL;
	if (old)
		memcpy(copy, old, PVR_PAGE_SIZE);
	copy[index_of(address, level)] = entry;
	if (!paging_table_make(copy, level))
		return copy;
	paging_table_drop(copy);
	pvr_port_pages_free(copy, 1);
	return NULL;
}

uint64_t *paging_root_variant(unsigned long address, uint64_t value)
{
	uint64_t *copy = table_copy(NULL, address, 1, value);

	for (unsigned level = 2; copy && level <= PAGING_LEVELS; level++) {
		const uint64_t *old =
			level == PAGING_LEVELS ? root : table_of(*paging_entry(address, level + 1));

		copy = table_copy(old, address, level, table_entry(copy, level));
	}
	return copy;
}

int paging_root_use(uint64_t *table)
{
	int err = hot.root(table);

	if (!err)
		root = table;
	return err;
}

uint64_t *paging_root(void)
{
	return root;
}

int paging_root_drop(uint64_t *variant, unsigned long address)
{
	uint64_t *table = variant;

	for (unsigned level = PAGING_LEVELS; level; level--) {
		uint64_t *below = table_of(table[index_of(address, level)]);
		int err = paging_table_drop(table);

		if (err)
			return err;
		pvr_port_pages_free(table, 1);
		table = below;
	}
	return 0;
}
