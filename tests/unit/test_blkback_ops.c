/* SPDX-License-Identifier: MIT */
/* Indirect requests, barriers and discards through one ring, and what a hostile guest makes of
 * them. */
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

#include "blkback_rig.h"

#define LIST 300u /* frame of the list of segments */

static grant_ref_t list_ref;

static struct blkif_request_segment *list(void)
{
	return mock_page(LIST);
}

static void set_up_list(void)
{
	set_up();
	list_ref = mock_grant(LIST, 1);
}

/* An indirect request of whole pages; the test may spoil it or its list. */
static struct blkif_x86_64_request indirect(
	uint8_t inner, uint64_t sector, unsigned page, unsigned count)
{
	struct blkif_x86_64_request_indirect request;
	struct blkif_x86_64_request slot;

	memset(&request, 0, sizeof(request));
	request.operation = BLKIF_OP_INDIRECT;
	request.indirect_op = inner;
	request.nr_segments = (uint16_t)count;
	request.id = sector;
	request.sector_number = sector;
	request.indirect_grefs[0] = list_ref;
	for (unsigned i = 0; i < count && i < 512; i++)
		list()[i] =
			(struct blkif_request_segment){front.data[(page + i) % FRONT_PAGES], 0, 7};
	memset(&slot, 0, sizeof(slot));
	memcpy(&slot, &request, sizeof(request));
	return slot;
}

/* As ask, but the answer names what was done, not how it was asked. */
static int16_t ask_indirect(struct blkif_x86_64_request slot)
{
	struct blkif_x86_64_response response = {.status = 99};
	struct blkif_x86_64_request_indirect request;

	memcpy(&request, &slot, sizeof(request));
	front_put(&front, slot);
	pvr_ring_publish(&front.ring);
	serve();
	CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&front.ring), 1);
	front_response_take(&front.ring, &response);
	CU_ASSERT_EQUAL(response.id, request.id);
	CU_ASSERT_EQUAL(response.operation, request.indirect_op);
	CU_ASSERT_EQUAL(mock_host_mapped(), 1 + (ring->grants ? ring->grants->count : 0));
	return response.status;
}

static void fill_pages(unsigned seed)
{
	for (unsigned page = 0; page < FRONT_PAGES; page++)
		for (unsigned i = 0; i < 4096; i++)
			data(page)[i] = (uint8_t)(seed + page * 7 + i * 31 + (i >> 8));
}

/* ---- indirect ---- */

static void a_megabyte_at_once(void)
{
	static uint8_t copy[FRONT_PAGES * 4096];

	set_up_list();
	fill_pages(3);
	memcpy(copy, data(0), sizeof(copy));
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_WRITE, 0, 0, 256)), BLKIF_RSP_OKAY);
	memset(data(0), 0, sizeof(copy));
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 256)), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(memcmp(copy, data(0), sizeof(copy)), 0);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 8, 0, 256)), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(stats->indirect, 2);
	CU_ASSERT_EQUAL(stats->reads, 1);
	CU_ASSERT_EQUAL(stats->sectors_written, 2048);
	CU_ASSERT_EQUAL(stats->grants_mapped, 2 * 257 + 1);
	tear_down();
}

/* With grants that persist the list stays mapped, too. */
static void indirect_and_persistent(void)
{
	persistent = 1;
	set_up_list();
	persistent = 0;
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 100)), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->grants_mapped, 101);
	CU_ASSERT_EQUAL(stats->grants_reused, 9 * 101);
	CU_ASSERT_EQUAL(ring->grants->count, 101);
	tear_down();
}

/* More pages than one batch maps: the rest is taken next. */
static void a_ring_of_them(void)
{
	struct blkif_x86_64_response response;
	unsigned good = 0;

	set_up_list();
	for (unsigned i = 0; i < 32; i++)
		front_put(&front, indirect(BLKIF_OP_READ, 0, 0, 256));
	pvr_ring_publish(&front.ring);
	serve();
	while (pvr_ring_pending(&front.ring) > 0) {
		front_response_take(&front.ring, &response);
		good += response.status == BLKIF_RSP_OKAY;
	}
	CU_ASSERT_EQUAL(good, 32);
	CU_ASSERT_EQUAL(stats->inflight, 0);
	CU_ASSERT_EQUAL(mock_host_mapped(), 1);
	tear_down();
}

/* Neighbours in our memory become one piece; pages in another order, or in part, do not. */
static void xsa_229_only_what_is_contiguous_merges(void)
{
	static uint8_t expect[8 * 4096];
	struct blkif_x86_64_request request;

	set_up_list();
	fill_pages(9);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_WRITE, 0, 0, 8)), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->merges, 7);
	request = indirect(BLKIF_OP_WRITE, 0, 0, 8);
	for (unsigned i = 0; i < 8; i++) {
		list()[i].gref = front.data[7 - i];
		memcpy(expect + i * 4096, data(7 - i), 4096);
	}
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->merges, 7);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 100, 8)), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(memcmp(data(100), expect, sizeof(expect)), 0);

	request = indirect(BLKIF_OP_WRITE, 64, 0, 2); /* a gap of one sector between the two */
	list()[0].last_sect = 6;
	list()[1].last_sect = 0;
	memcpy(expect, data(0), 7 * 512);
	memcpy(expect + 7 * 512, data(1), 512);
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 64, 100, 1)), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(memcmp(data(100), expect, 4096), 0);
	tear_down();
}

static void hostile_lists(void)
{
	struct blkif_x86_64_request request;

	set_up_list();
	request = indirect(BLKIF_OP_READ, 0, 0, 256);
	list()[255].last_sect = 8;
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_ERROR);
	list()[255] = (struct blkif_request_segment){front.data[0], 7, 6};
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_ERROR);
	list()[255] = (struct blkif_request_segment){UINT32_MAX, 0, 7};
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_ERROR);
	list()[255].gref = list_ref; /* itself, and read-only */
	CU_ASSERT_EQUAL(ask_indirect(request), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 257)), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 65535)), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_INDIRECT, 0, 0, 1)), BLKIF_RSP_ERROR);
	list_ref = 9;
	mock_revoke(9);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 1)), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(stats->invalid, 8);
	list_ref = mock_grant(LIST, 1);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 1, 255)), BLKIF_RSP_OKAY);
	tear_down();
}

/* The kth page that an indirect request needs cannot be mapped, its list included. */
static void xsa_361_indirect_map_failures(void)
{
	set_up_list();
	for (unsigned k = 1; k <= 65; k += 4) {
		mock_fail_map(k);
		CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 64)), BLKIF_RSP_ERROR);
	}
	mock_fail_map(0);
	CU_ASSERT_EQUAL(ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 64)), BLKIF_RSP_OKAY);
	tear_down();
}

static _Atomic int flipping;

static void *flip(void *opaque)
{
	volatile struct blkif_request_segment *segment = opaque;

	while (atomic_load(&flipping)) {
		segment->last_sect = 255;
		segment->gref = UINT32_MAX;
		segment->first_sect = 200;
		segment->last_sect = 7;
		segment->gref = front.data[0];
		segment->first_sect = 0;
	}
	return NULL;
}

/*
 * XSA-155 again: the list is rewritten while it is parsed. Each request is refused whole or done
 * whole, and pages that no segment named stay as they are.
 */
__attribute__((unused)) static void xsa_155_list_double_fetch(void)
{
	unsigned good = 0;
	pthread_t thread;

	set_up_list();
	memset(data(2), 0xee, 4096);
	memset(mock_page(FRONT_DATA - 1), 0xee, 4096);
	atomic_store(&flipping, 1);
	CU_ASSERT_FATAL(pthread_create(&thread, NULL, flip, &list()[1]) == 0);
	for (unsigned i = 0; i < 20000; i++) {
		int16_t status = ask_indirect(indirect(BLKIF_OP_READ, 0, 0, 2));

		CU_ASSERT(status == BLKIF_RSP_OKAY || status == BLKIF_RSP_ERROR);
		good += status == BLKIF_RSP_OKAY;
	}
	atomic_store(&flipping, 0);
	pthread_join(thread, NULL);
	CU_ASSERT(good > 0);
	for (unsigned i = 0; i < 4096; i++) {
		CU_ASSERT_EQUAL_FATAL(data(2)[i], 0xee);
		CU_ASSERT_EQUAL_FATAL(((uint8_t *)mock_page(FRONT_DATA - 1))[i], 0xee);
	}
	tear_down();
}

/* ---- barriers ---- */

/* What was asked before is answered before, what came after is not begun. */
static void barrier_keeps_order(void)
{
	struct blkif_x86_64_response response;
	unsigned at = 0;

	set_up();
	fill_pages(1);
	for (unsigned i = 0; i < 4; i++)
		front_put(&front, front_request(&front, BLKIF_OP_WRITE, i, i * 8, i, 1));
	front_put(&front, front_request(&front, BLKIF_OP_WRITE_BARRIER, 4, 0, 8, 1));
	for (unsigned i = 5; i < 8; i++)
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, 0, 10 + i, 1));
	pvr_ring_publish(&front.ring);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 5);
	CU_ASSERT_EQUAL(ring->barrier_started, 0);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 0);
	CU_ASSERT_EQUAL(pvr_blkback_turn_finish(turn), 4);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 0);
	CU_ASSERT_EQUAL(pvr_blkback_ring_barrier(ring, turn), 1);
	CU_ASSERT_EQUAL(pvr_blkback_ring_barrier(ring, turn), 0);
	serve();
	CU_ASSERT_EQUAL(pvr_ring_pending(&front.ring), 8);
	for (; at < 8; at++) {
		front_response_take(&front.ring, &response);
		CU_ASSERT_EQUAL(response.status, BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(response.id >= 4, at >= 4);
		CU_ASSERT_EQUAL(response.id == 4, at == 4);
	}
	CU_ASSERT_EQUAL(memcmp(data(15), data(8), 4096), 0);
	CU_ASSERT_EQUAL(stats->barriers, 1);
	tear_down();
}

static void barrier_alone_and_refused(void)
{
	set_up();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE_BARRIER, 0, 0, 0), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE_BARRIER, SECTORS, 0, 1), BLKIF_RSP_ERROR);
	mock_fail_map(2);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE_BARRIER, 0, 0, 3), BLKIF_RSP_ERROR);
	CU_ASSERT_PTR_NULL(ring->barrier);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE_BARRIER, 0, 0, 3), BLKIF_RSP_OKAY);
	tear_down();
}

/* ---- discards ---- */

static int16_t ask_discard(uint8_t flag, uint64_t sector, uint64_t sectors)
{
	struct blkif_x86_64_request_discard request;
	struct blkif_x86_64_request slot;

	memset(&request, 0, sizeof(request));
	request.operation = BLKIF_OP_DISCARD;
	request.flag = flag;
	request.id = sector;
	request.sector_number = sector;
	request.nr_sectors = sectors;
	memset(&slot, 0, sizeof(slot));
	memcpy(&slot, &request, sizeof(request));
	return ask(slot);
}

/* Four gigabytes and some: the engine is asked for one at a time. */
static void discard_in_parts(void)
{
	set_up_on((struct pvr_blkback_spec){.type = "null", .params = "8589934592"});
	ring->facts.discard = 1;
	ring->facts.discard_secure = 0;
	CU_ASSERT_EQUAL(ask_discard(0, 8, 8388609), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_discard(0, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_discard(0, 8, 16777216), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_discard(BLKIF_DISCARD_SECURE, 0, 8), BLKIF_RSP_EOPNOTSUPP);
	ring->facts.discard = 0;
	CU_ASSERT_EQUAL(ask_discard(0, 0, 8), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(stats->discards, 2);
	CU_ASSERT_EQUAL(stats->invalid, 3);
	tear_down();
}

#ifdef __SANITIZE_THREAD__
#define XSA_155 /* the race is the test */
#else
#define XSA_155 CASE(xsa_155_list_double_fetch),
#endif

PVR_SUITE(blkback_ops, CASE(a_megabyte_at_once), CASE(indirect_and_persistent), CASE(a_ring_of_them),
	CASE(xsa_229_only_what_is_contiguous_merges), CASE(hostile_lists),
	XSA_155 CASE(xsa_361_indirect_map_failures), CASE(barrier_keeps_order),
	CASE(barrier_alone_and_refused), CASE(discard_in_parts))
