/* SPDX-License-Identifier: MIT */
/*
 * Brief mappings, which are none: a page of our own stands in place of the granted one, and all
 * that a call maps or unmaps are copied by one ioctl, which the kernel makes hypercalls of, 16
 * copies each (gntdev.c of Linux). No page table changes, so nothing is flushed from a TLB.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

#define SLAB   256u /* pages */
#define NONE   UINT32_MAX
#define COPIES 128u /* collected before they are done */

/* ---- the pool ---- */

static char *page_of(const struct xen *host, uint32_t page)
{
	return host->pool.slab[page / SLAB] + (size_t)(page % SLAB) * PAGE_SIZE;
}

static int pool_grow(struct xen_pool *pool)
{
	uint32_t slabs = pool->pages / SLAB, *more;
	char *slab;

	if (slabs == XEN_POOL_SLABS)
		return -1;
	more = realloc(pool->free, (pool->pages + SLAB) * sizeof(*more));
	if (!more)
		return -1;
	pool->free = more;
	slab = mmap(NULL, (size_t)SLAB * PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slab == MAP_FAILED)
		return -1;
	pool->slab[slabs] = slab;
	pool->pages += SLAB;
	while (pool->free_count < SLAB) {
		pool->free[pool->free_count] = pool->pages - 1 - pool->free_count;
		pool->free_count++;
	}
	return 0;
}

/* The page that was put back last is taken first: it is in the caches. */
static uint32_t pool_get(struct xen_pool *pool)
{
	if (!pool->free_count && pool_grow(pool))
		return NONE;
	return pool->free[--pool->free_count];
}

static void pool_put(struct xen_pool *pool, uint32_t page)
{
	pool->free[pool->free_count++] = page;
}

void xen_brief_close(struct xen *host)
{
	for (uint32_t i = 0; i < host->pool.pages / SLAB; i++)
		munmap(host->pool.slab[i], (size_t)SLAB * PAGE_SIZE);
	free(host->pool.free);
}

/* ---- copying ---- */

/* Copies of a call, and which elements they are for. */
struct batch {
	struct pvr_host_copy copy[COPIES];
	struct pvr_host_map *map[COPIES];
	unsigned count;
};

static void batch_do(struct xen *host, struct batch *batch)
{
	if (batch->count)
		(void)xen_copy(&host->base, batch->copy, batch->count);
	for (unsigned i = 0; i < batch->count; i++)
		batch->map[i]->status = batch->copy[i].status;
	batch->count = 0;
}

static void batch_add(struct xen *host, struct batch *batch, struct pvr_host_map *map)
{
	if (batch->count == COPIES)
		batch_do(host, batch);
	batch->copy[batch->count] = (struct pvr_host_copy){.domid = map->domid,
		.to_guest = !map->readonly,
		.ref = map->ref,
		.offset = map->offset,
		.length = map->length,
		.local = page_of(host, map->handle) + map->offset};
	batch->map[batch->count++] = map;
}

/* ---- mapping ---- */

unsigned xen_brief_map(struct xen *host, struct pvr_host_map *maps, unsigned count)
{
	struct batch batch;
	unsigned okay = 0;

	batch.count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pvr_host_map *map = &maps[i];

		if (!map->brief)
			continue;
		map->handle = pool_get(&host->pool);
		map->status = map->handle == NONE ? GNTST_no_space : GNTST_okay;
		if (map->handle == NONE)
			continue;
		map->copied = 1;
		map->address = page_of(host, map->handle);
		if (map->readonly && map->length)
			batch_add(host, &batch, map);
	}
	batch_do(host, &batch);
	for (unsigned i = 0; i < count; i++) {
		if (!maps[i].brief)
			continue;
		okay += maps[i].status == GNTST_okay;
		if (maps[i].status != GNTST_okay && maps[i].handle != NONE)
			pool_put(&host->pool, maps[i].handle);
	}
	return okay;
}

void xen_brief_unmap(struct xen *host, struct pvr_host_map *maps, unsigned count)
{
	struct batch batch;

	batch.count = 0;
	for (unsigned i = 0; i < count; i++)
		if (maps[i].brief && !maps[i].readonly && maps[i].length)
			batch_add(host, &batch, &maps[i]);
	batch_do(host, &batch);
	for (unsigned i = 0; i < count; i++)
		if (maps[i].brief)
			pool_put(&host->pool, maps[i].handle);
}
