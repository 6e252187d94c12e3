/* SPDX-License-Identifier: MIT */
/*
 * The kernel's pages: a byte for each, first fit from where the last search ended. Linear addresses are frames, but for
 * the hypervisor's, which are not allocated here.
 */
#include <string.h>

#include "x86.h"

#define PAGES_MAX 65536u

static uint8_t used[PAGES_MAX];
static unsigned long first_page;
static unsigned pages, next, available;

static void mark(unsigned page, unsigned count, uint8_t as)
{
	memset(used + page, as, count);
	available = as ? available - count : available + count;
}

void pages_init(unsigned long first, unsigned long end)
{
	first_page = (first + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE;
	pages = (unsigned)(end / PVR_PAGE_SIZE - first_page);
	if (pages > PAGES_MAX)
		pages = PAGES_MAX;
	available = pages;
}

void pages_reserve(unsigned long first, unsigned long end)
{
	for (unsigned long page = first / PVR_PAGE_SIZE; page * PVR_PAGE_SIZE < end; page++) {
		unsigned long index = page - first_page; /* one below is huge */

		if (index < pages && !used[index])
			mark((unsigned)index, 1, 1);
	}
}

unsigned pages_free_count(void)
{
	return available;
}

static int find(unsigned from, unsigned count, unsigned *found)
{
	unsigned run = 0;

	for (unsigned page = from; page < pages; page++) {
		run = used[page] ? 0 : run + 1;
		if (run == count) {
			*found = page + 1 - count;
			return 1;
		}
	}
	return 0;
}

void *pvr_port_pages_alloc(unsigned count)
{
	unsigned page;

	if (!count || (!find(next, count, &page) && !find(0, count, &page)))
		return NULL;
	mark(page, count, 1);
	next = page + count;
	return memset(
		(void *)((first_page + page) * PVR_PAGE_SIZE), 0, (size_t)count * PVR_PAGE_SIZE);
}

void pvr_port_pages_free(void *address, unsigned count)
{
	mark((unsigned)((unsigned long)address / PVR_PAGE_SIZE - first_page), count, 0);
}

uint64_t pvr_port_gfn(const void *address)
{
	return (unsigned long)address / PVR_PAGE_SIZE;
}
