/* SPDX-License-Identifier: MIT */
/*
 * Granted pages. Domain memory is mapped as a whole, so mapping a page means taking a pin in the
 * books: a function call, no system call. No copy is cheaper, so a brief mapping is one like any
 * other. Only an area, whose pages must lie side by side, is mapped anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

int grant_open(struct dom0 *host, int maptrack_fd, uint32_t entries)
{
	host->free = calloc(entries, sizeof(*host->free));
	host->owner = calloc(entries, sizeof(*host->owner));
	if (!host->free || !host->owner)
		return -ENOMEM;
	host->tracks = mmap(NULL, entries * sizeof(*host->tracks), PROT_READ | PROT_WRITE,
		MAP_SHARED, maptrack_fd, 0);
	if (host->tracks == MAP_FAILED) {
		host->tracks = NULL;
		return -ENOMEM;
	}
	host->tracks_count = entries;
	while (entries)
		host->free[host->free_count++] = --entries;
	return 0;
}

void grant_close(struct dom0 *host)
{
	for (uint32_t i = 0; i < host->tracks_count; i++)
		if (host->owner[i])
			pvr_gnttab_unmap(&host->owner[i]->table, &host->tracks[i]);
	if (host->tracks)
		munmap(host->tracks, host->tracks_count * sizeof(*host->tracks));
	free(host->free);
	free(host->owner);
}

static int16_t page_map(struct dom0 *host, struct foreign *foreign, struct pvr_host_map *map)
{
	uint32_t frame;

	if (!host->free_count)
		return GNTST_no_space;

	uint32_t handle = host->free[host->free_count - 1];
	int16_t status = pvr_gnttab_map(
		&foreign->table, 0, map->ref, map->readonly, &host->tracks[handle], &frame);

	if (status != GNTST_okay)
		return status;
	host->free_count--;
	host->owner[handle] = foreign;
	foreign->mapped++;
	map->handle = handle;
	map->address = foreign->memory + (size_t)frame * PAGE_SIZE;
	return GNTST_okay;
}

/*
 * Undo page_map. Where another client sits stopped or dead on the entry's lock, the handle stays
 * taken until this connection ends and the hypervisor recovers it.
 */
static void page_unmap(struct dom0 *host, uint32_t handle)
{
	if (handle >= host->tracks_count || !host->owner[handle])
		return;
	struct foreign *foreign = host->owner[handle];

	if (pvr_gnttab_unmap(&foreign->table, &host->tracks[handle]) != GNTST_okay)
		return;
	host->owner[handle] = NULL;
	host->free[host->free_count++] = handle;
	if (--foreign->mapped == 0)
		foreign_put(host, foreign);
}

static unsigned dom0_map(struct pvr_host *base, struct pvr_host_map *maps, unsigned count)
{
	struct dom0 *host = dom0_of(base);
	unsigned okay = 0;

	for (unsigned i = 0; i < count; i++) {
		struct foreign *foreign = foreign_get(host, maps[i].domid);

		maps[i].status = foreign ? page_map(host, foreign, &maps[i]) : GNTST_bad_domain;
		okay += maps[i].status == GNTST_okay;
		if (foreign && maps[i].status != GNTST_okay)
			foreign_put(host, foreign);
	}
	return okay;
}

static void dom0_unmap(struct pvr_host *base, struct pvr_host_map *maps, unsigned count)
{
	struct dom0 *host = dom0_of(base);
	for (unsigned i = 0; i < count; i++)
		page_unmap(host, maps[i].handle);
}

/* Map the pages whose pins are taken side by side into area->address. */
static int area_place(const struct foreign *foreign, struct pvr_host_area *area)
{
	size_t bytes = (size_t)area->count * PAGE_SIZE;
	char *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return -ENOMEM;
	for (unsigned i = 0; i < area->count; i++) {
		off_t offset = (char *)area->pages[i].address - foreign->memory;

		if (mmap(base + (size_t)i * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, foreign->memory_fd, offset) == MAP_FAILED) {
			munmap(base, bytes);
			return -ENOMEM;
		}
	}
	for (unsigned i = 0; i < area->count; i++)
		area->pages[i].address = base + (size_t)i * PAGE_SIZE;
	area->address = base;
	return 0;
}

static int dom0_map_area(struct pvr_host *base, domid_t domid, const grant_ref_t *refs,
	unsigned count, struct pvr_host_area *area, int16_t *status)
{
	struct dom0 *host = dom0_of(base);
	struct foreign *foreign;
	unsigned done = 0;

	*status = GNTST_bad_domain;
	memset(area, 0, sizeof(*area));
	if (count < 1 || count > sizeof(area->pages) / sizeof(area->pages[0]))
		return -EINVAL;
	int err = foreign_refresh(host, domid, &foreign);

	if (err)
		return err == -ECONNRESET ? err : -EACCES;
	/* Held like a page, so that undoing the first page does not close the domain under us. */
	foreign->mapped++;
	for (; done < count; done++) {
		area->pages[done] = (struct pvr_host_map){.domid = domid, .ref = refs[done]};
		*status = page_map(host, foreign, &area->pages[done]);
		area->pages[done].status = *status;
		if (*status != GNTST_okay)
			break;
	}
	area->count = count;
	err = done == count ? area_place(foreign, area) : -EACCES;
	if (err == -ENOMEM)
		*status = GNTST_general_error;
	if (err) {
		dom0_unmap(base, area->pages, done);
		area->count = 0;
	}
	if (--foreign->mapped == 0)
		foreign_put(host, foreign);
	if (!err) {
		area->memory = foreign->memory;
		area->memory_bytes = foreign->bytes;
	}
	return err ? -EACCES : 0;
}

static void dom0_unmap_area(struct pvr_host *base, struct pvr_host_area *area)
{
	if (!area->count)
		return;
	munmap(area->address, (size_t)area->count * PAGE_SIZE);
	dom0_unmap(base, area->pages, area->count);
	area->count = 0;
	area->address = NULL;
}

static unsigned dom0_copy(struct pvr_host *base, struct pvr_host_copy *copies, unsigned count)
{
	unsigned okay = 0;

	for (unsigned i = 0; i < count; i++) {
		struct pvr_host_copy *c = &copies[i];
		struct pvr_host_map map = {
			.domid = c->domid, .ref = c->ref, .readonly = !c->to_guest};

		if ((uint32_t)c->offset + c->length > PAGE_SIZE) {
			c->status = GNTST_bad_copy_arg;
			continue;
		}
		if (dom0_map(base, &map, 1)) {
			char *page = (char *)map.address + c->offset;

			memcpy(c->to_guest ? (void *)page : c->local,
				c->to_guest ? c->local : (void *)page, c->length);
			dom0_unmap(base, &map, 1);
			okay++;
		}
		c->status = map.status;
	}
	return okay;
}

const struct host_grant_ops dom0_grants = {
	.map = dom0_map,
	.unmap = dom0_unmap,
	.map_area = dom0_map_area,
	.unmap_area = dom0_unmap_area,
	.copy = dom0_copy,
};
