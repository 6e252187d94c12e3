/* SPDX-License-Identifier: MIT */
/* The domain's pages: a bitmap, first fit, one lock. Pages are zeroed when they are handed out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define WORD_BITS 64u

static struct {
	pthread_mutex_t lock;
	uint64_t *used; /* a bit a page; those beyond the end are set */
	uint32_t first; /* frame of bit 0 */
	uint32_t pages;
	uint32_t free;
	uint32_t hint; /* no page below is free */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int is_used(uint32_t page)
{
	return (int)(pool.used[page / WORD_BITS] >> page % WORD_BITS & 1);
}

static void set_used(uint32_t page, uint32_t count, int used)
{
	for (uint32_t i = page; i < page + count; i++) {
		uint64_t bit = 1ull << i % WORD_BITS;

		if (used)
			pool.used[i / WORD_BITS] |= bit;
		else
			pool.used[i / WORD_BITS] &= ~bit;
	}
}

int pages_init(uint32_t first)
{
	uint32_t pages = (uint32_t)(pvr_process.bytes / PVR_PAGE_SIZE) - first;

	pool.used = calloc((pages + WORD_BITS - 1) / WORD_BITS, sizeof(*pool.used));
	if (!pool.used)
		return -ENOMEM;
	pool.first = first;
	pool.pages = pages;
	pool.free = pages;
	pool.hint = 0;
	if (pages % WORD_BITS)
		set_used(pages, WORD_BITS - pages % WORD_BITS, 1);
	return 0;
}

void pages_fini(void)
{
	free(pool.used);
	pool.used = NULL;
	pool.pages = pool.free = 0;
}

/* The first run of `count` free pages, or pool.pages. */
static uint32_t find_run(uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t page = pool.hint; page < pool.pages; page++) {
		if (page % WORD_BITS == 0 && pool.used[page / WORD_BITS] == UINT64_MAX) {
			page += WORD_BITS - 1;
			run = 0;
		} else if (is_used(page)) {
			run = 0;
		} else if (++run == count) {
			return page + 1 - count;
		}
	}
	return pool.pages;
}

void *pvr_port_pages_alloc(unsigned count)
{
	char *pages = NULL;

	pthread_mutex_lock(&pool.lock);
	uint32_t page = count && count <= pool.free ? find_run(count) : pool.pages;

	if (page < pool.pages) {
		set_used(page, count, 1);
		pool.free -= count;
		/* Only a single page is the first free one for certain. */
		if (count == 1)
			pool.hint = page + 1;
		pages = pvr_process.memory + (size_t)(pool.first + page) * PVR_PAGE_SIZE;
	}
	pthread_mutex_unlock(&pool.lock);
	if (pages)
		memset(pages, 0, (size_t)count * PVR_PAGE_SIZE);
	return pages;
}

void pvr_port_pages_free(void *pages, unsigned count)
{
	uint32_t page = (uint32_t)(pvr_port_gfn(pages) - pool.first);

	pthread_mutex_lock(&pool.lock);
	set_used(page, count, 0);
	pool.free += count;
	if (page < pool.hint)
		pool.hint = page;
	pthread_mutex_unlock(&pool.lock);
}

uint64_t pvr_port_gfn(const void *address)
{
	return (uint64_t)((const char *)address - pvr_process.memory) / PVR_PAGE_SIZE;
}

void pages_count(uint64_t *total, uint64_t *available)
{
	pthread_mutex_lock(&pool.lock);
	*total = (uint64_t)pool.pages * PVR_PAGE_SIZE;
	*available = (uint64_t)pool.free * PVR_PAGE_SIZE;
	pthread_mutex_unlock(&pool.lock);
}
