/* SPDX-License-Identifier: MIT */
/*
 * Guest pages of requests, mapped and unmapped by one call for many. A worker has one list: pages
 * of one ring are asked for one by one, mapped together, used, put back one by one, and unmapped
 * together; what the ring keeps mapped (grants.h) is neither.
 */
#ifndef PVR_BLKBACK_PAGES_H
#define PVR_BLKBACK_PAGES_H

#include <pvring/host.h>

#include "grants.h"
#include "request.h"

#define PVR_BLKBACK_BATCH_PAGES 1024u /* mapped by one call */

/* A page that was asked for. */
struct pvr_blkback_page {
	struct pvr_host_map map;        /* when status is GNTST_okay, `address` is the page */
	struct pvr_blkback_grant *kept; /* or NULL: unmapped when it is put back */
};

struct pvr_blkback_pages {
	unsigned asked, put;
	unsigned reused; /* found mapped since the last pvr_blkback_pages_map */
	struct pvr_blkback_page *want[PVR_BLKBACK_BATCH_PAGES]; /* where an answer goes */
	struct pvr_host_map map[PVR_BLKBACK_BATCH_PAGES];
	struct pvr_host_map unmap[PVR_BLKBACK_BATCH_PAGES];
};

/*
 * One more page of domain domid; at most PVR_BLKBACK_BATCH_PAGES before pvr_blkback_pages_map. With
 * `grants` (or NULL) it may be there at once.
 */
void pvr_blkback_page_ask(struct pvr_blkback_pages *pages, struct pvr_blkback_page *page,
	struct pvr_blkback_grants *grants, domid_t domid, grant_ref_t ref, int readonly);
/*
 * `count` pages of one request, which are put back together. They are not asked for as one when they
 * may be kept, for each is then kept by itself.
 */
void pvr_blkback_pages_ask(struct pvr_blkback_pages *pages, struct pvr_blkback_page *page,
	const struct pvr_blkback_segment *segments, unsigned count,
	struct pvr_blkback_grants *grants, domid_t domid, int readonly);
/* Map what was asked for, and keep what there is room for in `grants`: how many were mapped. */
unsigned pvr_blkback_pages_map(
	struct pvr_blkback_pages *pages, struct pvr_host *host, struct pvr_blkback_grants *grants);

/* A page is not used any more; nothing is done for one that is not okay. */
void pvr_blkback_page_put(struct pvr_blkback_pages *pages, struct pvr_host *host,
	struct pvr_blkback_grants *grants, struct pvr_blkback_page *page, uint64_t now_ns);
/* Unmap what was put back. */
void pvr_blkback_pages_flush(struct pvr_blkback_pages *pages, struct pvr_host *host);

#endif
