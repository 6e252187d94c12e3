/* SPDX-License-Identifier: MIT */
/* What the files of Xen's port share: a handle, and what it has mapped. */
#ifndef PVR_XEN_INTERNAL_H
#define PVR_XEN_INTERNAL_H

#include "../host/internal.h"

/* The ABI is defined by our own headers; the libraries' need no second definition of it. */
#define __XEN_PUBLIC_GRANT_TABLE_H__
#define __XEN_PUBLIC_EVENT_CHANNEL_H__

#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE_SIZE      4096u
#define XEN_POOL_SLABS 256u /* of 1 MiB */

/* Pages that were mapped by one call and are unmapped by one. */
struct xen_run {
	char *base;     /* NULL: the entry is free, */
	uint32_t count; /* and this is the next free one */
	uint32_t live;  /* pages not unmapped yet */
};

/* Pages of our own, which granted ones are copied to or from. They stay until the handle is closed. */
struct xen_pool {
	char *slab[XEN_POOL_SLABS];
	uint32_t *free; /* pages not in use, a stack; room for all there are */
	uint32_t pages, free_count;
};

struct xen {
	struct pvr_host base;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct xen_run *runs; /* a mapping's handle is its index here */
	uint32_t run_count, run_free;
	struct xen_pool pool; /* in place of brief mappings; their handle is the page's index */
};

static inline struct xen *xen_of(struct pvr_host *base)
{
	return (struct xen *)base;
}

/*
 * brief.c: what xen_map and xen_unmap do with elements that are brief; others are left alone.
 */
unsigned xen_brief_map(struct xen *host, struct pvr_host_map *maps, unsigned count);
void xen_brief_unmap(struct xen *host, struct pvr_host_map *maps, unsigned count);
void xen_brief_close(struct xen *host);

/* grant.c, evtchn.c */
unsigned xen_copy(struct pvr_host *base, struct pvr_host_copy *copies, unsigned count);
extern const struct host_grant_ops xen_grants;
extern const struct host_evtchn_ops xen_evtchns;

#endif
