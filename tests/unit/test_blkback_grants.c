/* SPDX-License-Identifier: MIT */
/* Persistent grants: kept, found again, bounded, and given back. */
#include "suite.h"

#include "blkback_rig.h"

#define SECOND 1000000000ull

static void set_up_persistent(void)
{
	mock_host_reset();
	front_init(&front);
	open_backend((struct pvr_blkback_spec){.type = "mem", .params = DISK_BYTES});
	persistent = 1;
	CU_ASSERT_FATAL(connect_ring(PVR_BLKBACK_ABI_X86_64) == 0);
	persistent = 0;
	CU_ASSERT_PTR_NOT_NULL_FATAL(ring->grants);
}

/* The second time nothing is mapped. A page that was kept for writing serves a write, too. */
static void mapped_once(void)
{
	set_up_persistent();
	memset(data(0), 0x5c, 11 * 4096);
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 20, 11), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE, 0, 20, 11), BLKIF_RSP_OKAY);
	}
	CU_ASSERT_EQUAL(stats->grants_mapped, 11);
	CU_ASSERT_EQUAL(stats->grants_reused, 39 * 11);
	CU_ASSERT_EQUAL(mock_host_mapped(), 12);
	tear_down();
}

/* Kept for reading only: a request that must write the page has a mapping of its own. */
static void a_read_only_one_is_not_written(void)
{
	struct blkif_x86_64_request request;

	set_up_persistent();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE, 0, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->grants_mapped, 2);
	request = front_request(&front, BLKIF_OP_WRITE, 1, 0, 0, 1);
	request.seg[0].gref = mock_grant(FRONT_DATA + 1, 1);
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_OKAY);
	request.operation = BLKIF_OP_READ;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_ERROR);
	request.operation = BLKIF_OP_WRITE;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->grants_mapped, 3);
	tear_down();
}

/* The same page many times in one request and in one batch. */
static void one_page_many_times(void)
{
	struct blkif_x86_64_response response;
	struct blkif_x86_64_request request;

	set_up_persistent();
	for (unsigned i = 0; i < 8; i++) {
		request = front_request(&front, BLKIF_OP_READ, i, 0, 0, 3);
		request.seg[1].gref = request.seg[2].gref = request.seg[0].gref;
		front_put(&front, request);
	}
	pvr_ring_publish(&front.ring);
	serve();
	while (pvr_ring_pending(&front.ring) > 0) {
		front_response_take(&front.ring, &response);
		CU_ASSERT_EQUAL(response.status, BLKIF_RSP_OKAY);
	}
	CU_ASSERT_EQUAL(ring->grants->count, 1);
	CU_ASSERT_EQUAL(mock_host_mapped(), 2);
	tear_down();
}

/* Failures keep nothing that is not there. */
static void a_failure_keeps_what_was_mapped(void)
{
	set_up_persistent();
	mock_fail_map(3);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 5), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ring->grants->count, 4);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 5), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->grants_mapped, 5);
	tear_down();
}

/* No more mappings to be had: what is only kept makes room, what is in use does not. */
static void xsa_300_what_is_kept_makes_room(void)
{
	set_up_persistent();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 11), BLKIF_RSP_OKAY);
	mock_limit_maps(12); /* with the ring's */
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 20, 11), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ring->grants->count, 11);
	mock_limit_maps(11);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 40, 11), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 50, 10), BLKIF_RSP_OKAY);
	tear_down();
}

/* Unused for a minute: gone at the next look, and not before; the others stay. */
static void pruned_after_a_minute(void)
{
	uint64_t now;

	set_up_persistent();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 8), BLKIF_RSP_OKAY);
	now = pvr_back_now_ns();
	TAILQ_FIRST(&ring->grants->idle)->used_ns = now - 2 * SECOND;
	pvr_blkback_grants_prune(ring->grants, turn->base.host, now + 59 * SECOND - SECOND / 2);
	CU_ASSERT_EQUAL(ring->grants->count, 7);
	pvr_blkback_grants_prune(ring->grants, turn->base.host, now + 59 * SECOND - SECOND / 2 + 1);
	CU_ASSERT_EQUAL(ring->grants->count, 7);
	pvr_blkback_grants_prune(ring->grants, turn->base.host, now + 61 * SECOND);
	CU_ASSERT_EQUAL(ring->grants->count, 0);
	CU_ASSERT_EQUAL(mock_host_mapped(), 1);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 8), BLKIF_RSP_OKAY);
	tear_down();
}

/* The bound, by itself: pages of the mock mapped again and again under made-up references. */
static void bounded_and_least_recent_first(void)
{
	struct pvr_blkback_grants *grants = pvr_blkback_grants_create();
	struct pvr_blkback_grant *grant;
	unsigned kept = 0;

	set_up();
	CU_ASSERT_PTR_NOT_NULL_FATAL(grants);
	for (unsigned i = 0; i < PVR_BLKBACK_GRANTS_MAX + 10; i++) {
		struct pvr_host_map map = {.domid = MOCK_DOMID, .ref = front.data[0]};

		CU_ASSERT_EQUAL_FATAL(pvr_host_map(turn->base.host, &map, 1), 1);
		map.ref = 5000 + i; /* its handle is what unmaps it */
		grant = pvr_blkback_grants_keep(grants, &map);
		if (grant)
			pvr_blkback_grants_put(grants, grant, i);
		else
			pvr_host_unmap(turn->base.host, &map, 1);
		kept += grant != NULL;
	}
	CU_ASSERT_EQUAL(kept, PVR_BLKBACK_GRANTS_MAX);
	grant = pvr_blkback_grants_get(grants, 5000, 0); /* used again: the last to go */
	CU_ASSERT_PTR_NOT_NULL_FATAL(grant);
	pvr_blkback_grants_put(grants, grant, 5000);
	grant = pvr_blkback_grants_get(grants, 5001, 0); /* in use: stays */
	CU_ASSERT_PTR_NOT_NULL_FATAL(grant);
	pvr_blkback_grants_prune(grants, turn->base.host, SECOND);
	CU_ASSERT_EQUAL(grants->count, PVR_BLKBACK_GRANTS_MAX - PVR_BLKBACK_GRANTS_PRUNE);
	pvr_blkback_grants_put(grants, grant, 5000);
	CU_ASSERT_PTR_NULL(pvr_blkback_grants_get(grants, 5002, 0));
	grant = pvr_blkback_grants_get(grants, 5000, 0);
	CU_ASSERT_PTR_NOT_NULL(grant);
	pvr_blkback_grants_put(grants, grant, 5000);
	pvr_blkback_grants_destroy(grants, turn->base.host);
	CU_ASSERT_EQUAL(mock_host_mapped(), 1);
	tear_down();
}

PVR_SUITE(blkback_grants, CASE(mapped_once), CASE(a_read_only_one_is_not_written),
	CASE(one_page_many_times), CASE(a_failure_keeps_what_was_mapped),
	CASE(xsa_300_what_is_kept_makes_room), CASE(pruned_after_a_minute),
	CASE(bounded_and_least_recent_first))
