/* SPDX-License-Identifier: MIT */
/* The block frontend with a backend that lies, keeps pages, closes, vanishes or is replaced. */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"
#include "peer_blk.h"

#include <pvring/blkfront.h>
#include <pvring/grant.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 4

static struct pvr_blkfront *disk;
static struct pvr_blkfront_queue *queue;
static uint8_t *page;
static struct pvr_blk_segment segment;
static struct pvr_blk_request requests[REQUESTS];
static unsigned done_count;
static int errors[REQUESTS];
static struct blkif_request wire[REQUESTS];

static uint64_t soon(void)
{
	return pvr_port_now_ns() + 20000000000u;
}

static void note(struct pvr_blk_request *request, int error)
{
	done_count++;
	errors[request - requests] = error;
	/*
	 * A request submitted from here, into a disk that is in error by now, is refused and not
	 * lost.
	 */
	if (error == -EIO && request == &requests[0])
		pvr_blkfront_submit(queue, &request, 1);
}

static struct pvr_blk_request read_of(uint64_t sector)
{
	return (struct pvr_blk_request){.op = BLKIF_OP_READ,
		.segments_count = 1,
		.sector = sector,
		.segments = &segment,
		.done = note};
}

/* `count` reads in flight, of which the backend has taken all, and answered none. */
static void in_flight(unsigned count)
{
	blk_peer_start();
	CU_ASSERT_EQUAL_FATAL(pvr_blkfront_open(BLK_PATH, NULL, soon(), &disk), 0);
	queue = pvr_blkfront_queue(disk, 0);
	peer.manual = 1;
	page = pvr_port_pages_alloc(1);
	segment = (struct pvr_blk_segment){page, 4096};
	done_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pvr_blk_request *one = &requests[i];

		errors[i] = 1;
		requests[i] = read_of(i * 8);
		CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &one, 1), 1);
	}
	pvr_blkfront_kick(queue);
	for (unsigned i = 0; i < count; i++)
		CU_ASSERT(blk_peer_take(&wire[i]) > 0);
}

/*
 * All but the first `answered` requests end, with one line in the log, and the disk stays in error.
 */
static void ends_in_error(unsigned answered)
{
	struct pvr_blk_request late = read_of(0), *one = &requests[3];

	while (pvr_blkfront_poll(queue) >= 0)
		pvr_blkfront_wait(queue, soon());
	CU_ASSERT_EQUAL(pvr_blkfront_inflight(queue), 0);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(mock_log_last(), "device/vbd/51712"));
	for (unsigned i = answered; i < 3; i++)
		CU_ASSERT_EQUAL(errors[i], i == 0 ? -ENODEV : -EIO);
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(mock_grant_flags(wire[i].seg[0].gref), 0);
	requests[3] = late;
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &one, 1), 1);
	CU_ASSERT_EQUAL(errors[3], -ENODEV);
	CU_ASSERT_EQUAL(pvr_blkfront_wait(queue, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), -ENODEV);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, page, 512), -ENODEV);
	CU_ASSERT_EQUAL(pvr_blkfront_serve(disk, UINT64_MAX), -ENODEV);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	pvr_blkfront_close(disk);
}

static void xsa_405_id_out_of_range(void)
{
	static const uint64_t ids[] = {32, 33, 0xffffffff, 0x100000000, UINT64_MAX};

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		in_flight(3);
		blk_peer_answer(ids[i], BLKIF_OP_READ, BLKIF_RSP_OKAY);
		ends_in_error(0);
	}
}

static void xsa_405_id_never_in_flight(void)
{
	in_flight(3);
	blk_peer_answer(31, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ends_in_error(0);
}

static void xsa_405_id_answered_twice(void)
{
	in_flight(3);
	blk_peer_answer(wire[0].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	blk_peer_answer(wire[0].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ends_in_error(1);
	CU_ASSERT_EQUAL(errors[0], 0);
}

/* Queued but not yet shown to the backend: it can only have guessed the id. */
static void xsa_405_id_not_published(void)
{
	struct pvr_blk_request *one = &requests[3];

	in_flight(3);
	requests[3] = requests[2];
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &one, 1), 1);
	blk_peer_answer(3, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ends_in_error(0);
}

static void answer_to_another_operation(void)
{
	in_flight(3);
	blk_peer_answer(wire[1].id, BLKIF_OP_WRITE, BLKIF_RSP_OKAY);
	ends_in_error(0);
}

static void rsp_prod_too_far(void)
{
	in_flight(3);
	atomic_fetch_add(blk_peer.queue[0].ring.out_prod, 4);
	mock_raise(blk_peer.queue[0].port);
	ends_in_error(0);
	in_flight(3);
	atomic_fetch_sub(blk_peer.queue[0].ring.out_prod, 1);
	mock_raise(blk_peer.queue[0].port);
	ends_in_error(0);
}

/*
 * The backend answers, but does not unmap. The request ends with -EBUSY, the page's grant stays,
 * its reference never comes back, and the other requests' pages are theirs again.
 */
static void xsa_396_page_kept_after_the_answer(void)
{
	struct pvr_blkfront_stats stats;
	uint32_t available = 0;

	in_flight(3);
	CU_ASSERT_PTR_EQUAL(mock_grant_map(wire[1].seg[0].gref, 0, 1), page);
	available = pvr_grant_available();
	blk_peer_answer(wire[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	CU_ASSERT(pvr_blkfront_poll(queue) <= 0);
	CU_ASSERT_EQUAL(errors[1], -EBUSY);
	CU_ASSERT_EQUAL(errors[2], -EIO);
	CU_ASSERT_NOT_EQUAL(mock_grant_flags(wire[1].seg[0].gref) & GTF_writing, 0);
	CU_ASSERT_EQUAL(mock_grant_flags(wire[2].seg[0].gref), 0);
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT_EQUAL(stats.grants_leaked, 1);
	pvr_blkfront_close(disk);
	/* All of the disk's references came back but that one. */
	CU_ASSERT_EQUAL(pvr_grant_available(), available + 32 * 11 + 1 - 1);
}

/* One that lets go a little late is given the time. */
static void *let_go(void *arg)
{
	usleep(20000);
	mock_grant_unmap(*(grant_ref_t *)arg);
	return NULL;
}

static void page_kept_for_a_moment(void)
{
	pthread_t thread;

	in_flight(3);
	mock_grant_map(wire[1].seg[0].gref, 0, 1);
	blk_peer_answer(wire[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	pthread_create(&thread, NULL, let_go, &wire[1].seg[0].gref);
	ends_in_error(0);
	pthread_join(thread, NULL);
}

/* The ring page itself: kept by the backend, it is lost and not reused. */
static void xsa_396_ring_page_kept(void)
{
	unsigned used;

	blk_peer_start();
	used = mock_pages_used();
	CU_ASSERT_EQUAL_FATAL(pvr_blkfront_open(BLK_PATH, NULL, soon(), &disk), 0);
	queue = pvr_blkfront_queue(disk, 0);
	peer.deaf = 1;
	peer_state(XenbusStateClosed);
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), used + 1);
	CU_ASSERT_NOT_EQUAL(mock_grant_flags(blk_peer.queue[0].ref[0]) & GTF_writing, 0);
}

/* Random answers of all kinds: never a crash, and every request ends exactly once. */
static void xsa_405_random_answers(void)
{
	uint32_t random = 7;

	for (unsigned i = 0; i < 500; i++) {
		in_flight(3);
		for (unsigned n = 0; n < 3; n++) {
			random = random * 1664525 + 1013904223;
			blk_peer_answer(random >> 28, random >> 27 & 1, (int16_t)(random >> 8));
		}
		while (pvr_blkfront_inflight(queue) && pvr_blkfront_poll(queue) >= 0)
			;
		for (unsigned n = 1; n < 3; n++)
			CU_ASSERT_NOT_EQUAL(errors[n], 1);
		pvr_blkfront_close(disk);
	}
}

/* ---- the backend's states ---- */

static void closing_backend_may_still_answer(void)
{
	in_flight(3);
	peer_state(XenbusStateClosing);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(done_count, 0);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateConnected);
	for (unsigned i = 0; i < 3; i++)
		blk_peer_answer(wire[i].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 3);
	CU_ASSERT_EQUAL(errors[2], 0);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), -ENODEV);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	pvr_blkfront_close(disk);
}

static void ends_in_enodev(void)
{
	while (pvr_blkfront_poll(queue) >= 0)
		CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	CU_ASSERT_EQUAL(errors[0], 0);
	CU_ASSERT_EQUAL(errors[1], -ENODEV);
	CU_ASSERT_EQUAL(errors[2], -ENODEV);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	pvr_blkfront_close(disk);
}

/* What was answered before the end counts, the rest ends. */
static void closed_backend_answers_no_more(void)
{
	in_flight(3);
	blk_peer_answer(wire[0].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	mock_grant_unmap(blk_peer.queue[0].ref[0]);
	peer_state(XenbusStateClosed);
	ends_in_enodev();
}

static void vanished_backend(void)
{
	in_flight(3);
	blk_peer_answer(wire[0].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	mock_grant_unmap(blk_peer.queue[0].ref[0]);
	mock_xs_rm(BLK_BACK);
	ends_in_enodev();
}

static _Atomic int blocked_error;

static void *blocked_main(void *arg)
{
	(void)arg;
	blocked_error = pvr_blkfront_read(disk, 0, page, 4096);
	return NULL;
}

/* A thread that sleeps in a blocking call, with nobody else there, hears of it too. */
static void blocking_call_ends_with_its_backend(void)
{
	pthread_t thread;

	in_flight(0);
	blocked_error = 1;
	pthread_create(&thread, NULL, blocked_main, NULL);
	usleep(20000);
	mock_grant_unmap(blk_peer.queue[0].ref[0]);
	mock_xs_rm(BLK_BACK);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(blocked_error, -ENODEV);
	pvr_blkfront_close(disk);
}

static void serve_lets_an_idle_disk_go(void)
{
	in_flight(0);
	CU_ASSERT_EQUAL(pvr_blkfront_serve(disk, pvr_port_now_ns() + 1000000), -ETIMEDOUT);
	peer_state(XenbusStateClosing);
	while (pvr_blkfront_serve(disk, soon()) == 0)
		;
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_BACK "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(pvr_blkfront_serve(disk, soon()), -ENODEV);
	pvr_blkfront_close(disk);
}

/* Facts of the disk that cannot be: refused by name, and everything is given back. */
static void senseless_facts(void)
{
	static const char *const rows[][2] = {{"sectors", NULL}, {"sectors", "-1"},
		{"sectors", "36028797018963968"}, {"sectors", "abc"}, {"sector-size", "0"},
		{"sector-size", "511"}, {"sector-size", "8192"}, {"sector-size", "1536"},
		{"sector-size", "99999999999999999999999999"}, {"physical-sector-size", "256"},
		{"physical-sector-size", "5000"}, {"info", "x\x1b[2J"},
		{"feature-flush-cache", "4294967296"}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned used;
		uint32_t grants;

		blk_peer_start();
		peer_node(rows[i][0], rows[i][1]);
		used = mock_pages_used();
		grants = pvr_grant_available();
		CU_ASSERT_EQUAL(pvr_blkfront_open(BLK_PATH, NULL, soon(), &disk), -EPROTO);
		CU_ASSERT_EQUAL(mock_log_lines(), 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(mock_log_last(), rows[i][0]));
		CU_ASSERT_PTR_NULL(strchr(mock_log_last(), 0x1b));
		CU_ASSERT_EQUAL(mock_pages_used(), used);
		CU_ASSERT_EQUAL(pvr_grant_available(), grants);
		CU_ASSERT_EQUAL(mock_xs_watches(), 0);
	}
}

PVR_SUITE(blkfront_hostile, CASE(xsa_405_id_out_of_range), CASE(xsa_405_id_never_in_flight),
	CASE(xsa_405_id_answered_twice), CASE(xsa_405_id_not_published),
	CASE(answer_to_another_operation), CASE(rsp_prod_too_far),
	CASE(xsa_396_page_kept_after_the_answer), CASE(page_kept_for_a_moment),
	CASE(xsa_396_ring_page_kept), CASE(xsa_405_random_answers),
	CASE(closing_backend_may_still_answer), CASE(closed_backend_answers_no_more),
	CASE(vanished_backend), CASE(blocking_call_ends_with_its_backend),
	CASE(serve_lets_an_idle_disk_go), CASE(senseless_facts))
