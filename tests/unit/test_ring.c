/* SPDX-License-Identifier: MIT */
/*
 * The shared ring in one thread: indices that wrap, hostile peers, and who has to be notified when.
 */
#include "suite.h"

#include <pvring/ring.h>
#include <pvring/xen/blkif.h>

#include <stdlib.h>

#define START (UINT32_MAX - 3)

struct small_req {
	uint32_t words[4];
};

struct small_rsp {
	uint32_t words[3];
};

PVR_RING_TYPE(blkif, struct blkif_request, struct blkif_response);
PVR_RING_TYPE(small, struct small_req, struct small_rsp);

static struct pvr_sring *page;
static struct pvr_ring front, back;

static void setup(uint32_t entries)
{
	free(page);
	page = aligned_alloc(4096, 4096 * 2);
	memset(page, 0x5a, 4096 * 2);
	pvr_ring_front_init(&front, page, entries, START);
	CU_ASSERT_EQUAL(pvr_ring_back_attach(&back, page, entries), 0);
}

static void put_requests(unsigned count, uint32_t value)
{
	for (unsigned i = 0; i < count; i++) {
		struct small_req req = {{value + i}};

		small_request_put(&front, &req);
	}
}

static void entries_of_all_orders(void)
{
	for (unsigned order = 0; order <= 4; order++)
		CU_ASSERT_EQUAL(blkif_entries((size_t)4096 << order), 32u << order);
	CU_ASSERT_EQUAL(small_entries(4096), 128); /* 252 fit; io/ring.h rounds down */
	CU_ASSERT_EQUAL(pvr_ring_entries(4096, 16), 128);
	CU_ASSERT_EQUAL(pvr_ring_entries(4096, 8), 256);
	CU_ASSERT_EQUAL(pvr_ring_entries(8192, 16), 256);
	CU_ASSERT_EQUAL(pvr_ring_entries(64 + 12, 12), 1);
}

static void wrap_is_the_normal_case(void)
{
	uint32_t next = 0, answered = 0;

	setup(8);
	for (int round = 0; round < 100; round++) {
		unsigned count = 1 + (unsigned)round % 8;
		struct small_req req;
		struct small_rsp rsp;

		CU_ASSERT_EQUAL(pvr_ring_free(&front), 8);
		put_requests(count, next);
		CU_ASSERT_EQUAL(pvr_ring_pending(&back), 0);
		pvr_ring_publish(&front);
		CU_ASSERT_EQUAL(pvr_ring_pending(&back), count);
		for (unsigned i = 0; i < count; i++) {
			small_request_take(&back, &req);
			CU_ASSERT_EQUAL(req.words[0], next++);
			rsp = (struct small_rsp){{~req.words[0]}};
			small_response_put(&back, &rsp);
		}
		CU_ASSERT_EQUAL(pvr_ring_free(&front), 8 - count);
		pvr_ring_publish(&back);
		while (pvr_ring_pending(&front) > 0) {
			small_response_take(&front, &rsp);
			CU_ASSERT_EQUAL(rsp.words[0], ~answered++);
		}
	}
	CU_ASSERT_EQUAL(next, answered);
	CU_ASSERT(front.prod < START); /* it did wrap */
}

static void front_sees_no_more_responses_than_requests(void)
{
	setup(8);
	put_requests(3, 0);
	pvr_ring_publish(&front);
	put_requests(2, 3); /* not published: no answer to them can be */
	for (uint32_t prod = 0; prod <= 3; prod++) {
		page->rsp_prod = START + prod;
		front.seen = front.cons;
		CU_ASSERT_EQUAL(pvr_ring_pending(&front), (int)prod);
	}
	front.seen = front.cons;
	for (unsigned bad = 0; bad < 5; bad++) {
		static const uint32_t beyond[] = {4, 5, 9, 0x80000000, UINT32_MAX};

		page->rsp_prod = START + beyond[bad];
		CU_ASSERT_EQUAL(pvr_ring_pending(&front), -EPROTO);
		CU_ASSERT_EQUAL(pvr_ring_final_check(&front), -EPROTO);
	}
	CU_ASSERT_EQUAL(front.cons, START);
}

static void back_sees_no_more_requests_than_slots(void)
{
	setup(8);
	page->req_prod = START + 8;
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 8);
	back.seen = back.cons;
	for (unsigned bad = 0; bad < 4; bad++) {
		static const uint32_t beyond[] = {9, 16, 0x80000000, UINT32_MAX};

		page->req_prod = START + beyond[bad];
		CU_ASSERT_EQUAL(pvr_ring_pending(&back), -EPROTO);
		CU_ASSERT_EQUAL(pvr_ring_final_check(&back), -EPROTO);
	}
}

/* Requests taken but not answered still occupy their slots. */
static void back_counts_unanswered_requests(void)
{
	struct small_req req;

	setup(8);
	page->req_prod = START + 8;
	while (pvr_ring_pending(&back) > 0)
		small_request_take(&back, &req);
	page->req_prod = START + 9;
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), -EPROTO);
	small_response_put(&back, &(struct small_rsp){{0}});
	pvr_ring_publish(&back);
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 1);
}

static void a_producer_index_is_believed_once(void)
{
	setup(8);
	page->req_prod = START + 4;
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 4);
	page->req_prod = START + 0x1000; /* the peer changes its mind */
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 4);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&back), 4);
}

static void attach_refuses_impossible_indices(void)
{
	setup(8);
	page->req_prod = START + 9;
	CU_ASSERT_EQUAL(pvr_ring_back_attach(&back, page, 8), -EPROTO);
	page->req_prod = START - 1;
	CU_ASSERT_EQUAL(pvr_ring_back_attach(&back, page, 8), -EPROTO);
	/* Taking over from one that died in the middle: what it did not answer is there again. */
	page->rsp_prod = START + 2;
	page->req_prod = START + 8;
	CU_ASSERT_EQUAL(pvr_ring_back_attach(&back, page, 8), 0);
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 6);
}

/* Notify exactly when the event index lies within what was just published: old < event <= new. */
static void notify_truth_table(void)
{
	for (int event = -2; event <= 6; event++) {
		setup(8);
		put_requests(1, 0);
		pvr_ring_publish(&front);
		put_requests(3, 1); /* old = START + 1, new = START + 4 */
		page->req_event = START + 1 + (uint32_t)event;
		CU_ASSERT_EQUAL(pvr_ring_publish_notify(&front), event >= 1 && event <= 3);
	}
	setup(8);
	page->req_event = START;
	CU_ASSERT_EQUAL(pvr_ring_publish_notify(&front), 0); /* nothing new */
}

static void first_request_of_a_new_ring_notifies(void)
{
	setup(8);
	put_requests(1, 0);
	CU_ASSERT_EQUAL(pvr_ring_publish_notify(&front), 1);
	put_requests(1, 1);
	CU_ASSERT_EQUAL(pvr_ring_publish_notify(&front), 0); /* the back did not ask again */
}

static void final_check_asks_and_looks_again(void)
{
	struct small_req req;

	setup(8);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&back), 0);
	CU_ASSERT_EQUAL(page->req_event, START + 1);
	put_requests(2, 0);
	pvr_ring_publish(&front);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&back), 2);
	small_request_take(&back, &req);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&back), 1); /* known ones are not forgotten */
	small_request_take(&back, &req);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&back), 0);
	CU_ASSERT_EQUAL(page->req_event, START + 3);
	put_requests(1, 2);
	CU_ASSERT_EQUAL(pvr_ring_publish_notify(&front), 1);
}

/*
 * A response takes the place of a request; the bytes of the larger one behind it stay where they
 * are.
 */
static void slots_are_a_union(void)
{
	struct small_req req = {{1, 2, 3, 4}};
	struct small_rsp rsp = {{9, 9, 9}};
	const uint32_t *slot;

	setup(8);
	small_request_put(&front, &req);
	pvr_ring_publish(&front);
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 1);
	small_request_take(&back, &req);
	small_response_put(&back, &rsp);
	slot = (const uint32_t *)(page + 1) + 4 * (START & 7);
	CU_ASSERT_EQUAL(slot[2], 9);
	CU_ASSERT_EQUAL(slot[3], 4);
	CU_ASSERT_EQUAL(slot[4], 0x5a5a5a5a); /* the next slot is untouched */
}

/* What a copy took is not read again: the peer may change the slot at any time. */
static void xsa_155_slot_is_copied_once(void)
{
	struct small_req req = {{11}};

	setup(8);
	small_request_put(&front, &req);
	pvr_ring_publish(&front);
	CU_ASSERT_EQUAL(pvr_ring_pending(&back), 1);
	small_request_take(&back, &req);
	memset(page + 1, 0xff, 8 * sizeof(req));
	CU_ASSERT_EQUAL(req.words[0], 11);
}

PVR_SUITE(ring, CASE(entries_of_all_orders), CASE(wrap_is_the_normal_case),
	CASE(front_sees_no_more_responses_than_requests),
	CASE(back_sees_no_more_requests_than_slots), CASE(back_counts_unanswered_requests),
	CASE(a_producer_index_is_believed_once), CASE(attach_refuses_impossible_indices),
	CASE(notify_truth_table), CASE(first_request_of_a_new_ring_notifies),
	CASE(final_check_asks_and_looks_again), CASE(slots_are_a_union),
	CASE(xsa_155_slot_is_copied_once))
