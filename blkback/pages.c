/* SPDX-License-Identifier: MIT */
/* Maps and unmaps guest pages in batches. See pages.h. */
#include "pages.h"

#include <assert.h>

void pvr_blkback_page_ask(struct pvr_blkback_pages *pages, struct pvr_blkback_page *page,
	struct pvr_blkback_grants *grants, domid_t domid, grant_ref_t ref, int readonly)
{
	page->kept = grants ? pvr_blkback_grants_get(grants, ref, readonly) : NULL;
	if (page->kept) {
		page->map = page->kept->map;
		pages->reused++;
		return;
	}
	assert(pages->asked < PVR_BLKBACK_BATCH_PAGES);
	pages->map[pages->asked] =
		(struct pvr_host_map){.domid = domid, .readonly = readonly != 0, .ref = ref};
	pages->want[pages->asked++] = page;
}

void pvr_blkback_pages_ask(struct pvr_blkback_pages *pages, struct pvr_blkback_page *page,
	const struct pvr_blkback_segment *segments, unsigned count,
	struct pvr_blkback_grants *grants, domid_t domid, int readonly)
{
	for (unsigned i = 0; i < count; i++) {
		pvr_blkback_page_ask(pages, &page[i], grants, domid, segments[i].ref, readonly);
		if (!grants && i)
			pages->map[pages->asked - 1].joined = 1;
	}
}

/* Mappings have run out: what is kept and not in use goes, and those that failed are tried again. */
static unsigned map_again(
	struct pvr_blkback_pages *pages, struct pvr_host *host, struct pvr_blkback_grants *grants)
{
	unsigned okay = 0, dropped = 0;

	for (unsigned i = 0; i < pages->asked; i++) {
		if (pages->map[i].status != GNTST_no_space)
			continue;
		if (!dropped)
			dropped = pvr_blkback_grants_drop(grants, host);
		if (!dropped)
			break;
		okay += pvr_host_map(host, &pages->map[i], 1);
	}
	return okay;
}

unsigned pvr_blkback_pages_map(
	struct pvr_blkback_pages *pages, struct pvr_host *host, struct pvr_blkback_grants *grants)
{
	unsigned okay = 0;

	if (pages->asked)
		okay = pvr_host_map(host, pages->map, pages->asked);
	if (grants && okay < pages->asked)
		okay += map_again(pages, host, grants);
	for (unsigned i = 0; i < pages->asked; i++) {
		struct pvr_blkback_page *page = pages->want[i];

		page->map = pages->map[i];
		if (grants && page->map.status == GNTST_okay)
			page->kept = pvr_blkback_grants_keep(grants, &page->map);
	}
	pages->asked = 0;
	pages->reused = 0;
	return okay;
}

void pvr_blkback_page_put(struct pvr_blkback_pages *pages, struct pvr_host *host,
	struct pvr_blkback_grants *grants, struct pvr_blkback_page *page, uint64_t now_ns)
{
	if (page->kept) {
		pvr_blkback_grants_put(grants, page->kept, now_ns);
		return;
	}
	if (page->map.status != GNTST_okay)
		return;
	if (pages->put == PVR_BLKBACK_BATCH_PAGES)
		pvr_blkback_pages_flush(pages, host);
	pages->unmap[pages->put++] = page->map;
}

void pvr_blkback_pages_flush(struct pvr_blkback_pages *pages, struct pvr_host *host)
{
	if (pages->put)
		pvr_host_unmap(host, pages->unmap, pages->put);
	pages->put = 0;
}
