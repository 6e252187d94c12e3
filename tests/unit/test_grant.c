/* SPDX-License-Identifier: MIT */
/* Grants: who gets which reference, and when a page may be used again. */
#include "suite.h"
#include "mock_port.h"

#include <pvring/grant.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define PEER  3
#define TOTAL (MOCK_FRAMES * 512u - GNTTAB_NR_RESERVED_ENTRIES)

static void all_or_none(void)
{
	static grant_ref_t refs[TOTAL + 1];
	uint8_t seen[MOCK_FRAMES * 512] = {0};

	mock_start();
	CU_ASSERT_EQUAL(pvr_grant_available(), TOTAL);
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs, TOTAL + 1), -ENOSPC);
	CU_ASSERT_EQUAL(pvr_grant_available(), TOTAL);
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs, TOTAL), 0);
	for (unsigned i = 0; i < TOTAL; i++) {
		CU_ASSERT(refs[i] >= GNTTAB_NR_RESERVED_ENTRIES && refs[i] < sizeof(seen));
		CU_ASSERT_EQUAL(seen[refs[i]]++, 0);
	}
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs + TOTAL, 1), -ENOSPC);
	pvr_grant_free(refs, TOTAL);
	CU_ASSERT_EQUAL(pvr_grant_available(), TOTAL);
}

static void access_is_as_the_wire_has_it(void)
{
	const struct grant_entry_v1 *table;
	grant_ref_t ref;

	mock_start();
	table = mock_boot()->grant_table;
	CU_ASSERT_EQUAL(pvr_grant_alloc(&ref, 1), 0);
	CU_ASSERT_EQUAL(table[ref].flags, 0);
	pvr_grant_access(ref, PEER, 0xfedcba98, 1);
	CU_ASSERT_EQUAL(table[ref].flags, GTF_permit_access | GTF_readonly);
	CU_ASSERT_EQUAL(table[ref].domid, PEER);
	CU_ASSERT_EQUAL(table[ref].frame, 0xfedcba98);
	CU_ASSERT_EQUAL(pvr_grant_end(ref), 0);
	CU_ASSERT_EQUAL(table[ref].flags, 0);
	pvr_grant_access(ref, PEER, 1, 0);
	CU_ASSERT_EQUAL(table[ref].flags, GTF_permit_access);
	CU_ASSERT_EQUAL(pvr_grant_end(ref), 0);
	CU_ASSERT_EQUAL(pvr_grant_end(ref), 0); /* twice is harmless */
}

/* A mapped page stays granted, whatever the owner tries, until the peer lets go. */
static void xsa_396_page_not_reused_while_mapped(void)
{
	void *page;
	grant_ref_t ref;

	mock_start();
	page = pvr_port_pages_alloc(1);
	CU_ASSERT_EQUAL(pvr_grant_alloc(&ref, 1), 0);
	for (int write = 0; write < 2; write++) {
		pvr_grant_access(ref, PEER, pvr_port_gfn(page), !write);
		CU_ASSERT_PTR_EQUAL(mock_grant_map(ref, PEER, write), page);
		for (int i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(pvr_grant_end(ref), -EBUSY);
		CU_ASSERT(mock_grant_flags(ref) & GTF_permit_access);
		mock_grant_unmap(ref);
		CU_ASSERT_EQUAL(pvr_grant_end(ref), 0);
		CU_ASSERT_PTR_NULL(mock_grant_map(ref, PEER, write));
	}
}

static void leaked_reference_never_comes_back(void)
{
	static grant_ref_t refs[TOTAL];
	uint32_t before, left;

	mock_start();
	before = pvr_grant_leaked();
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs, 2), 0);
	for (int i = 0; i < 2; i++) {
		pvr_grant_access(refs[i], PEER, 1, 0);
		mock_grant_map(refs[i], PEER, 1);
		pvr_grant_leak(refs[i]);
	}
	CU_ASSERT_EQUAL(pvr_grant_leaked(), before + 2);
	CU_ASSERT(mock_log_lines() <= 1);
	left = pvr_grant_available();
	CU_ASSERT_EQUAL(left, TOTAL - 2);
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs, left), 0);
	for (uint32_t i = 0; i < left; i++)
		CU_ASSERT_EQUAL(mock_grant_flags(refs[i]), 0);
}

/* A table somebody used before: what a peer still maps is left alone. */
static void init_leaves_used_entries_alone(void)
{
	mock_reset();
	mock_boot()->grant_table[20].flags = GTF_permit_access | GTF_reading;
	mock_boot()->grant_table[21].flags = GTF_permit_access;
	mock_boot()->grant_table[1].flags = GTF_permit_access; /* the builder's */
	CU_ASSERT_EQUAL(pvr_init(mock_boot()), 0);
	CU_ASSERT_EQUAL(pvr_grant_available(), TOTAL - 1);
	CU_ASSERT_EQUAL(mock_grant_flags(20), GTF_permit_access | GTF_reading);
	CU_ASSERT_EQUAL(mock_grant_flags(21), 0);
	CU_ASSERT_EQUAL(mock_grant_flags(1), GTF_permit_access);
}

static grant_ref_t raced;
static _Atomic int stop, granted;
static _Atomic unsigned maps;

/*
 * The peer maps whenever it can; while it has the page, the owner must not believe that it ended.
 */
static void *mapper(void *arg)
{
	(void)arg;
	while (!stop) {
		uint32_t *page = mock_grant_map(raced, PEER, 1);

		if (!page)
			continue;
		maps++;
		if (!granted)
			return "mapped a page that was taken back";
		++*page;
		mock_grant_unmap(raced);
	}
	return NULL;
}

static void xsa_230_peer_that_maps_all_the_time(void)
{
	pthread_t thread;
	uint32_t *page;
	void *wrong;
	unsigned busy = 0, ended = 0;

	mock_start();
	page = pvr_port_pages_alloc(1);
	pvr_grant_alloc(&raced, 1);
	stop = granted = 0;
	maps = 0;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, mapper, NULL), 0);
	for (int i = 0; i < 20000 || (!maps && i < 2000000); i++) {
		granted = 1;
		pvr_grant_access(raced, PEER, pvr_port_gfn(page), 0);
		while (pvr_grant_end(raced))
			busy++;
		granted = 0;
		++*page; /* ours alone: a data race here is ThreadSanitizer's to report */
		ended++;
	}
	stop = 1;
	pthread_join(thread, &wrong);
	CU_ASSERT_PTR_NULL(wrong);
	CU_ASSERT_EQUAL(*page, ended + maps);
	(void)busy;
}

PVR_SUITE(grant, CASE(all_or_none), CASE(access_is_as_the_wire_has_it),
	CASE(xsa_396_page_not_reused_while_mapped), CASE(leaked_reference_never_comes_back),
	CASE(init_leaves_used_entries_alone), CASE(xsa_230_peer_that_maps_all_the_time))
