/* SPDX-License-Identifier: MIT */
/*
 * Guest pages of requests, mapped and unmapped by one call for many. A worker has one list: pages
 * are asked for one by one, mapped together, used, put back one by one, and unmapped together.
 */
#ifndef PVR_BLKBACK_PAGES_H
#define PVR_BLKBACK_PAGES_H

#include <pvring/host.h>

#include "request.h"

#define PVR_BLKBACK_BATCH_PAGES 1024u /* mapped by one call */

/* A page that was asked for. */
struct pvr_blkback_page {
	struct pvr_host_map map; /* when status is GNTST_okay, `address` is the page */
};

struct pvr_blkback_pages {
	unsigned asked, put;
	struct pvr_blkback_page *want[PVR_BLKBACK_BATCH_PAGES]; /* where an answer goes */
	struct pvr_host_map map[PVR_BLKBACK_BATCH_PAGES];
	struct pvr_host_map unmap[PVR_BLKBACK_BATCH_PAGES];
};

/* One more page to map; at most PVR_BLKBACK_BATCH_PAGES before pvr_blkback_pages_map. */
void pvr_blkback_page_ask(struct pvr_blkback_pages *pages, struct pvr_blkback_page *page,
	domid_t domid, grant_ref_t ref, int readonly);
/* Map what was asked for: how many are okay now. */
unsigned pvr_blkback_pages_map(struct pvr_blkback_pages *pages, struct pvr_host *host);

/* A page that is okay is not used any more. */
void pvr_blkback_page_put(
	struct pvr_blkback_pages *pages, struct pvr_host *host, struct pvr_blkback_page *page);
/* Unmap what was put back. */
void pvr_blkback_pages_flush(struct pvr_blkback_pages *pages, struct pvr_host *host);

#endif
