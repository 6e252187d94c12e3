/* SPDX-License-Identifier: MIT */
/*
 * Granted pages. Each mapping is an ioctl, an mmap and a hypercall, and as much again to undo, so
 * pages that go together (`joined`) are mapped as one run, and brief ones are copied (brief.c). A
 * run is all or nothing; where one fails its pages are mapped one by one, so that each has its own
 * status.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

#define RUN_MAX   256u /* pages of a run: the most that one request of a disk has */
#define RUNS_STEP 256u
#define NONE      UINT32_MAX
#define COPIES    128u /* by one call: more than a batch of packets has */

/* ---- runs ---- */

/* A free entry, or NONE without memory. */
static uint32_t run_get(struct xen *host)
{
	uint32_t at = host->run_free;

	if (host->run_count && at != NONE) {
		host->run_free = host->runs[at].count;
		return at;
	}
	struct xen_run *more =
		realloc(host->runs, (host->run_count + RUNS_STEP) * sizeof(*host->runs));

	if (!more)
		return NONE;
	host->runs = more;
	at = host->run_count;
	host->run_count += RUNS_STEP;
	for (uint32_t i = at; i < host->run_count; i++)
		more[i] = (struct xen_run){.count = i + 1 < host->run_count ? i + 1 : NONE};
	host->run_free = more[at].count;
	return at;
}

static void run_put(struct xen *host, uint32_t at)
{
	host->runs[at] = (struct xen_run){.count = host->run_free};
	host->run_free = at;
}

/* Map pages of one domain side by side: the entry, or NONE with errno. */
static uint32_t run_map(
	struct xen *host, domid_t domid, uint32_t *refs, unsigned count, int readonly)
{
	uint32_t at = run_get(host);

	if (at == NONE) {
		errno = ENOMEM;
		return NONE;
	}
	char *base = xengnttab_map_domain_grant_refs(
		host->gnttab, count, domid, refs, readonly ? PROT_READ : PROT_READ | PROT_WRITE);

	if (!base) {
		int error = errno;

		run_put(host, at);
		errno = error;
		return NONE;
	}
	host->runs[at] = (struct xen_run){.base = base, .count = count, .live = count};
	return at;
}

/* ---- mapping ---- */

/*
 * Why a page could not be mapped: the kernel says EINVAL whatever Xen said. A copy of one byte goes
 * through the same checks and comes back with Xen's own status; if that byte can be had, it is room
 * for mappings that is missing, or the right to write.
 */
static int16_t why(struct xen *host, const struct pvr_host_map *map)
{
	char byte;
	struct pvr_host_copy copy = {
		.domid = map->domid, .ref = map->ref, .length = 1, .local = &byte};

	if (!xen_copy(&host->base, &copy, 1))
		return copy.status;
	return GNTST_no_space;
}

static int map_run(struct xen *host, struct pvr_host_map *maps, unsigned count)
{
	uint32_t refs[RUN_MAX];

	for (unsigned i = 0; i < count; i++)
		refs[i] = maps[i].ref;

	uint32_t at = run_map(host, maps->domid, refs, count, maps->readonly);

	if (at == NONE)
		return -errno;
	for (unsigned i = 0; i < count; i++) {
		maps[i].status = GNTST_okay;
		maps[i].handle = at;
		maps[i].address = host->runs[at].base + (size_t)i * PAGE_SIZE;
	}
	return 0;
}

/* How many elements from the first on make one run. */
static unsigned run_length(const struct pvr_host_map *maps, unsigned count)
{
	unsigned n = 1;

	while (n < count && n < RUN_MAX && maps[n].joined && !maps[n].brief &&
		maps[n].domid == maps->domid && maps[n].readonly == maps->readonly)
		n++;
	return n;
}

static unsigned xen_map(struct pvr_host *base, struct pvr_host_map *maps, unsigned count)
{
	struct xen *host = xen_of(base);
	unsigned okay = xen_brief_map(host, maps, count), n;

	for (unsigned i = 0; i < count; i += n) {
		n = maps[i].brief ? 1 : run_length(maps + i, count - i);
		if (maps[i].brief)
			continue;
		if (!map_run(host, maps + i, n)) {
			okay += n;
			continue;
		}
		for (unsigned j = i; j < i + n; j++) {
			if (n > 1 && !map_run(host, &maps[j], 1))
				okay++;
			else
				maps[j].status = why(host, &maps[j]);
		}
	}
	return okay;
}

static void xen_unmap(struct pvr_host *base, struct pvr_host_map *maps, unsigned count)
{
	struct xen *host = xen_of(base);

	xen_brief_unmap(host, maps, count);
	for (unsigned i = 0; i < count; i++) {
		uint32_t at = maps[i].handle;

		if (maps[i].brief || at >= host->run_count || !host->runs[at].live ||
			--host->runs[at].live)
			continue;
		xengnttab_unmap(host->gnttab, host->runs[at].base, host->runs[at].count);
		run_put(host, at);
	}
}

static int xen_map_area(struct pvr_host *base, domid_t domid, const grant_ref_t *refs,
	unsigned count, struct pvr_host_area *area, int16_t *status)
{
	struct xen *host = xen_of(base);

	*status = GNTST_bad_gntref;
	memset(area, 0, sizeof(*area));
	if (count < 1 || count > sizeof(area->pages) / sizeof(area->pages[0]))
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		area->pages[i] =
			(struct pvr_host_map){.domid = domid, .ref = refs[i], .joined = i > 0};
	if (map_run(host, area->pages, count)) {
		for (unsigned i = 0; i < count && *status == GNTST_bad_gntref; i++)
			*status = why(host, &area->pages[i]);
		return -EACCES;
	}
	*status = GNTST_okay;
	area->address = area->pages[0].address;
	area->count = count;
	return 0;
}

static void xen_unmap_area(struct pvr_host *base, struct pvr_host_area *area)
{
	xen_unmap(base, area->pages, area->count);
	area->count = 0;
	area->address = NULL;
}

/* ---- copying ---- */

static void copy_describe(const struct pvr_host_copy *copy, xengnttab_grant_copy_segment_t *segment)
{
	union xengnttab_copy_ptr *local = copy->to_guest ? &segment->source : &segment->dest;
	union xengnttab_copy_ptr *guest = copy->to_guest ? &segment->dest : &segment->source;

	memset(segment, 0, sizeof(*segment));
	local->virt = copy->local;
	guest->foreign.ref = copy->ref;
	guest->foreign.offset = copy->offset;
	guest->foreign.domid = copy->domid;
	segment->len = copy->length;
	segment->flags = copy->to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	segment->status = GNTST_general_error;
}

static unsigned copy_some(struct xen *host, struct pvr_host_copy *copies, unsigned count)
{
	xengnttab_grant_copy_segment_t segments[COPIES];
	unsigned okay = 0, n = 0;
	int broken;

	/* The kernel refuses the whole call for one that leaves its page. */
	for (unsigned i = 0; i < count; i++) {
		copies[i].status = GNTST_bad_copy_arg;
		if ((uint32_t)copies[i].offset + copies[i].length <= PAGE_SIZE)
			copy_describe(&copies[i], &segments[n++]);
	}
	/* Where the call fails (a page of ours cannot be pinned), some say okay that are not done. */
	broken = n && xengnttab_grant_copy(host->gnttab, n, segments);
	n = 0;
	for (unsigned i = 0; i < count; i++) {
		if ((uint32_t)copies[i].offset + copies[i].length <= PAGE_SIZE)
			copies[i].status = segments[n++].status;
		if (broken && copies[i].status == GNTST_okay)
			copies[i].status = GNTST_general_error;
		okay += copies[i].status == GNTST_okay;
	}
	return okay;
}

unsigned xen_copy(struct pvr_host *base, struct pvr_host_copy *copies, unsigned count)
{
	unsigned okay = 0;

	for (unsigned i = 0; i < count; i += COPIES)
		okay += copy_some(
			xen_of(base), copies + i, count - i < COPIES ? count - i : COPIES);
	return okay;
}

const struct host_grant_ops xen_grants = {
	.map = xen_map,
	.unmap = xen_unmap,
	.map_area = xen_map_area,
	.unmap_area = xen_unmap_area,
	.copy = xen_copy,
};
