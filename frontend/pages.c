/* SPDX-License-Identifier: MIT */
/* Pages and channels a backend is given for as long as a ring exists, and grants taken back. */
#include "frontend.h"

#include <errno.h>

#define RETRY_NS 1000000ull

unsigned pvr_front_pages_for(size_t bytes)
{
	return (unsigned)((bytes + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE);
}

int pvr_front_grant_end(grant_ref_t ref, uint64_t deadline_ns)
{
	while (pvr_grant_end(ref)) {
		if (pvr_port_now_ns() >= deadline_ns)
			return -EBUSY;
		pvr_pause(RETRY_NS);
	}
	return 0;
}

unsigned pvr_front_grant_drop(grant_ref_t ref, uint64_t deadline_ns)
{
	if (pvr_front_grant_end(ref, deadline_ns) == 0) {
		pvr_grant_free(&ref, 1);
		return 0;
	}
	pvr_grant_leak(ref);
	return 1;
}

int pvr_front_pages_make(struct pvr_front *front, struct pvr_front_pages *pages, unsigned count)
{
	int r;

	pages->at = pvr_port_pages_alloc(count);
	if (!pages->at)
		return -ENOMEM;
	pages->count = count;
	r = pvr_grant_alloc(pages->ref, count);
	if (r)
		return r;
	pages->granted = count;
	for (unsigned i = 0; i < count; i++)
		pvr_grant_access(pages->ref[i], front->bus.backend_id,
			pvr_port_gfn((char *)pages->at + i * PVR_PAGE_SIZE), 0);
	return 0;
}

unsigned pvr_front_pages_free(struct pvr_front_pages *pages, uint64_t deadline_ns)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < pages->granted; i++)
		kept += pvr_front_grant_drop(pages->ref[i], deadline_ns);
	if (pages->at && !kept)
		pvr_port_pages_free(pages->at, pages->count);
	*pages = (struct pvr_front_pages){0};
	return kept;
}

int pvr_front_channel_make(struct pvr_front *front, evtchn_port_t *port)
{
	int r = pvr_evtchn_alloc_unbound(front->bus.backend_id);

	if (r <= 0)
		return r ? r : -ENOSPC;
	*port = (evtchn_port_t)r;
	return 0;
}
