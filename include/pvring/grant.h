/* SPDX-License-Identifier: MIT */
/*
 * Grants, the guest's half: which other domain may touch which of our pages. Grant table version 1 only.
 * Entry layout and the rules for changing a live entry: Xen's public grant_table.h ("Reference to a grant
 * entry in a specified domain's grant table", introduction to version 1).
 *
 * References 0 to 7 are reserved by Xen's header (GNTTAB_NR_RESERVED_ENTRIES) and never handed out.
 *
 * Freestanding. A reference belongs to whoever allocated it until it is freed; granting, ending and
 * testing one's own reference takes no lock and may be done in any context.
 */
#ifndef PVR_GRANT_H
#define PVR_GRANT_H

#include <stdint.h>

#include <pvring/xen/grant_table.h>
#include <pvring/xen/xen.h>

/* No reference; Xen's header gives 0 no use in a guest. */
#define PVR_GRANT_NONE 0u

/*
 * Take `count` unused references into refs[]. All or none: 0, or -ENOSPC when fewer are free. Takes the
 * port lock. Entries come cleared: they grant nothing yet.
 */
int pvr_grant_alloc(grant_ref_t *refs, uint32_t count);

/* Give references back. None may grant anything any more (pvr_grant_end returned 0). Takes the port lock. */
void pvr_grant_free(const grant_ref_t *refs, uint32_t count);

/* References that can still be allocated. */
uint32_t pvr_grant_available(void);

/*
 * Let domain `peer` map or copy frame `gfn` through `ref`, for reading only when readonly. The entry
 * becomes visible to the hypervisor complete.
 */
void pvr_grant_access(grant_ref_t ref, domid_t peer, uint64_t gfn, int readonly);

/*
 * End the access of `ref`. 0: ended, nobody can reach the page through it any more, and page and reference
 * may be used again. -EBUSY: the peer still has it mapped (GTF_reading or GTF_writing); nothing has
 * changed, the page must not be reused; try again later, or pvr_grant_leak.
 */
int pvr_grant_end(grant_ref_t ref);

/*
 * Give up on a reference that the peer does not let go of: it is never handed out again, and neither may
 * the caller reuse the page behind it. Logged once; counted.
 */
void pvr_grant_leak(grant_ref_t ref);

/* Pages leaked so far. */
uint32_t pvr_grant_leaked(void);

#endif
