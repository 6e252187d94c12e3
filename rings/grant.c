/* SPDX-License-Identifier: MIT */
/*
 * The grant table of this domain: a stack of free references, and the protocol for changing an
 * entry the hypervisor is looking at (Xen's public grant_table.h, introduction to version 1).
 */
#include <pvring/grant.h>

#include "internal.h"
#include "text.h"

#include <errno.h>

#define ENTRIES_PER_FRAME (PVR_PAGE_SIZE / (uint32_t)sizeof(struct grant_entry_v1))

/*
 * How often pvr_grant_end tries again after the flags changed under it. The hypervisor changes them
 * only when the peer maps or unmaps, so a handful is plenty; a peer that does nothing else gets
 * -EBUSY.
 */
#define END_TRIES 8

static uint16_t *free_refs; /* 64 frames of 512 entries: a reference fits 16 bits */
static uint32_t free_count;
static _Atomic uint32_t leaked;

static struct grant_entry_v1 *entry_of(grant_ref_t ref)
{
	return &pvr_boot_facts.grant_table[ref];
}

/* Entries an earlier owner of this domain left in use by a peer stay out of the free list. */
int pvr_grant_init(void)
{
	uint32_t entries = pvr_boot_facts.grant_frames * ENTRIES_PER_FRAME;

	free_refs = pvr_port_pages_alloc(
		(unsigned)((entries * sizeof(*free_refs) + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE));
	if (!free_refs)
		return -ENOMEM;
	free_count = 0;
	for (uint32_t ref = entries; ref-- > GNTTAB_NR_RESERVED_ENTRIES;)
		if (pvr_grant_end(ref) == 0)
			free_refs[free_count++] = (uint16_t)ref;
	return 0;
}

int pvr_grant_alloc(grant_ref_t *refs, uint32_t count)
{
	int r = -ENOSPC;

	pvr_port_lock();
	if (count <= free_count) {
		for (uint32_t i = 0; i < count; i++)
			refs[i] = free_refs[--free_count];
		r = 0;
	}
	pvr_port_unlock();
	return r;
}

void pvr_grant_free(const grant_ref_t *refs, uint32_t count)
{
	pvr_port_lock();
	for (uint32_t i = count; i-- > 0;)
		free_refs[free_count++] = (uint16_t)refs[i];
	pvr_port_unlock();
}

uint32_t pvr_grant_available(void)
{
	pvr_port_lock();
	uint32_t count = free_count;

	pvr_port_unlock();
	return count;
}

void pvr_grant_access(grant_ref_t ref, domid_t peer, uint64_t gfn, int readonly)
{
	struct grant_entry_v1 *entry = entry_of(ref);
	uint16_t flags = (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0));

	if (gfn > UINT32_MAX)
		pvr_port_panic(
			"grant: a frame number beyond 32 bits does not fit a version 1 entry");
	__atomic_store_n(&entry->frame, (uint32_t)gfn, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->domid, peer, __ATOMIC_RELAXED);
	/*
	 * GRANT, partner: the hypervisor reads flags before frame and domid. Without it the peer
	 * could map whatever frame the entry named before.
	 */
	__atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
}

int pvr_grant_end(grant_ref_t ref)
{
	struct grant_entry_v1 *entry = entry_of(ref);
	uint16_t flags = __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);

	/*
	 * REVOKE, partner: the hypervisor's own compare-exchange that sets GTF_reading and
	 * GTF_writing. Test and clear are one step: with a test and then a store, the peer could
	 * map the page in between and keep a mapping of a page that is already used for something
	 * else (XSA-396). Sequentially consistent, so that nothing the caller does to the page
	 * later happens before it.
	 */
	for (int i = 0; i < END_TRIES; i++) {
		if (flags & (GTF_reading | GTF_writing))
			return -EBUSY;
		if (__atomic_compare_exchange_n(
			    &entry->flags, &flags, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return 0;
	}
	return -EBUSY;
}

void pvr_grant_leak(grant_ref_t ref)
{
	char line[96];
	struct pvr_text text;

	if (atomic_fetch_add_explicit(&leaked, 1, memory_order_relaxed))
		return;
	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add(&text, "grant: the peer keeps reference ");
	pvr_text_add_u64(&text, ref);
	pvr_text_add(&text, " in use; its page is lost (further ones are only counted)");
	pvr_port_log(line);
}

uint32_t pvr_grant_leaked(void)
{
	return atomic_load_explicit(&leaked, memory_order_relaxed);
}
