/* SPDX-License-Identifier: MIT */
/* The block frontend when its backend dies, closes for a while, or is another one afterwards. */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"
#include "peer_blk.h"

#include <pvring/blkfront.h>
#include <pvring/grant.h>
#include <pvring/store.h>

#include "../../blkfront/internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 40

static struct pvr_blkfront *disk;
static struct pvr_blkfront_queue *queue;
static uint8_t *page;
static struct pvr_blk_segment segment;
static struct pvr_blk_request requests[REQUESTS];
static unsigned done_count, order[REQUESTS];
static int errors[REQUESTS];
static unsigned pages_before;
static uint32_t grants_before;

static uint64_t soon(void)
{
	return pvr_port_now_ns() + 20000000000u;
}

static void note(struct pvr_blk_request *request, int error)
{
	order[done_count++] = (unsigned)(request - requests);
	errors[request - requests] = error;
}

static unsigned submit(unsigned first, unsigned count)
{
	unsigned taken = 0;

	for (unsigned i = first; i < first + count; i++) {
		struct pvr_blk_request *one = &requests[i];

		errors[i] = 1;
		requests[i] = (struct pvr_blk_request){.op = BLKIF_OP_READ,
			.segments_count = 1,
			.sector = i * 8,
			.segments = &segment,
			.done = note};
		taken += pvr_blkfront_submit(queue, &one, 1);
	}
	pvr_blkfront_kick(queue);
	return taken;
}

static void open_disk(const struct pvr_blkfront_options *options)
{
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	CU_ASSERT_EQUAL_FATAL(pvr_blkfront_open(BLK_PATH, options, soon(), &disk), 0);
	queue = pvr_blkfront_queue(disk, 0);
	page = pvr_port_pages_alloc(1);
	segment = (struct pvr_blk_segment){page, 4096};
	done_count = 0;
}

/* The ring's indices are about to wrap. */
static void near_the_wrap(void)
{
	pvr_ring_front_init(
		&queue->live.ring, queue->live.pages.at, queue->live.ring.entries, UINT32_MAX - 1);
	blk_peer_attach(0);
}

static void close_disk(void)
{
	pvr_port_pages_free(page, 1);
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

static void drain(void)
{
	while (pvr_blkfront_inflight(queue)) {
		CU_ASSERT_FATAL(pvr_blkfront_poll(queue) >= 0);
		if (pvr_blkfront_inflight(queue))
			CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	}
}

/* Killed with four requests taken and one of them answered; its successor gets the other three. */
static void unanswered_requests_are_issued_again(void)
{
	struct pvr_blkfront_stats stats;
	struct blkif_request wire[4];

	blk_peer_start();
	open_disk(NULL);
	near_the_wrap();
	peer.manual = 1;
	CU_ASSERT_EQUAL(submit(0, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT(blk_peer_take(&wire[i]) > 0);
	blk_peer_answer(wire[2].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	peer_kill();
	peer.manual = 0;
	peer_state(XenbusStateInitWait);
	drain();
	CU_ASSERT_EQUAL(done_count, 4);
	CU_ASSERT(order[0] == 2 && order[1] == 0 && order[2] == 1 && order[3] == 3);
	for (unsigned i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(errors[i], 0);
	CU_ASSERT_EQUAL(blk_peer.serves, 3);
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT(stats.reconnects == 1 && stats.reissued == 3 && stats.responses == 4);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateConnected);
	close_disk();
}

/* What was submitted but not published must not be lost either. */
static void unpublished_requests_go_to_the_next_backend(void)
{
	struct pvr_blk_request *one = &requests[0];

	blk_peer_start();
	open_disk(NULL);
	submit(0, 0);
	requests[0] = (struct pvr_blk_request){.op = BLKIF_OP_FLUSH_DISKCACHE, .done = note};
	errors[0] = 1;
	pvr_blkfront_submit(queue, &one, 1);
	peer_kill();
	peer_state(XenbusStateInitWait);
	drain();
	CU_ASSERT_EQUAL(errors[0], 0);
	CU_ASSERT_EQUAL(blk_peer.ops[BLKIF_OP_FLUSH_DISKCACHE], 1);
	close_disk();
}

static void *let_go(void *arg)
{
	usleep(30000);
	mock_grant_unmap(*(grant_ref_t *)arg);
	return NULL;
}

/* The hypervisor takes a moment to unmap what the dead backend had. */
static void page_of_the_dead_is_released_late(void)
{
	struct blkif_request wire;
	pthread_t thread;

	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 1);
	CU_ASSERT(blk_peer_take(&wire) > 0);
	peer_kill();
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(wire.seg[0].gref, 0, 1));
	pthread_create(&thread, NULL, let_go, &wire.seg[0].gref);
	peer.manual = 0;
	peer_state(XenbusStateInitWait);
	drain();
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(errors[0], 0);
	close_disk();
}

/* Closed, but the toolstack wants the disk: requests are taken meanwhile, as many as ever. */
static void closed_and_online_is_waited_for(void)
{
	blk_peer_start();
	peer_node("online", "1");
	open_disk(NULL);
	peer.deaf = 1;
	peer_kill();
	peer_state(XenbusStateClosed);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateInitialising);
	CU_ASSERT_EQUAL(submit(0, REQUESTS), 32);
	CU_ASSERT_EQUAL(pvr_blkfront_free(queue), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(done_count, 0);
	peer.deaf = 0;
	peer_state(XenbusStateInitWait);
	drain();
	CU_ASSERT_EQUAL(done_count, 32);
	for (unsigned i = 0; i < 32; i++)
		CU_ASSERT(order[i] == i && errors[i] == 0);
	close_disk();
}

/* An orderly restart: Closing, Closed, and InitWait again when the front begins anew. */
static void orderly_restart(void)
{
	blk_peer_start();
	peer_node("online", "1");
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 3);
	peer_state(XenbusStateClosing);
	pvr_blkfront_poll(queue);
	peer.manual = 0;
	drain();
	CU_ASSERT_EQUAL(done_count, 3);
	CU_ASSERT_EQUAL(errors[2], 0);
	CU_ASSERT_EQUAL(peer.connects, 2);
	close_disk();
}

static void patience_has_an_end(void)
{
	struct pvr_blkfront_options options = {.reconnect_ns = 50000000};
	uint64_t start = pvr_port_now_ns();

	blk_peer_start();
	open_disk(&options);
	peer.deaf = 1;
	peer.manual = 1;
	submit(0, 2);
	peer_kill();
	peer_state(XenbusStateInitWait);
	while (pvr_blkfront_poll(queue) >= 0)
		CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	CU_ASSERT(errors[0] == -ENODEV && errors[1] == -ENODEV);
	CU_ASSERT(pvr_port_now_ns() - start >= 50000000);
	CU_ASSERT_EQUAL(submit(2, 1), 1);
	CU_ASSERT_EQUAL(errors[2], -ENODEV);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateClosed);
	close_disk();
}

/* The successor dies too, before it is Connected; the third one serves. */
static void successor_dies_too(void)
{
	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 2);
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateInitWait);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateInitialised);
	peer_state(XenbusStateInitialising);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateInitialising);
	peer.deaf = peer.manual = 0;
	peer_state(XenbusStateInitWait);
	drain();
	CU_ASSERT(done_count == 2 && errors[0] == 0 && errors[1] == 0);
	close_disk();
}

/* A smaller disk: what lies beyond it now cannot be done. */
static void another_disk_may_be_too_small(void)
{
	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 2);
	peer_kill();
	peer.manual = 0;
	peer_node("sectors", "8");
	peer_state(XenbusStateInitWait);
	drain();
	CU_ASSERT(errors[0] == 0 && errors[1] == -EIO);
	CU_ASSERT_EQUAL(pvr_blkfront_info(disk)->sectors, 8);
	close_disk();
}

static void senseless_successor(void)
{
	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 1);
	peer_kill();
	peer_node("sector-size", "513");
	peer_state(XenbusStateInitWait);
	while (pvr_blkfront_poll(queue) >= 0)
		CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	CU_ASSERT_EQUAL(errors[0], -ENODEV);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	pvr_port_pages_free(page, 1);
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
}

static void gone_with_the_store(void (*lose)(void))
{
	uint64_t start;

	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	submit(0, 2);
	lose();
	start = pvr_port_now_ns();
	while (pvr_blkfront_poll(queue) >= 0)
		CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	CU_ASSERT(errors[0] == -ENODEV && errors[1] == -ENODEV);
	CU_ASSERT_EQUAL(submit(2, 1), 1);
	CU_ASSERT_EQUAL(errors[2], -ENODEV);
	CU_ASSERT_EQUAL(pvr_blkfront_serve(disk, soon()), -ENODEV);
	CU_ASSERT(pvr_port_now_ns() - start < PVR_FRONT_PATIENCE_NS);
}

/*
 * Nobody is left who could tell of a backend: neither a connected disk nor a lost one waits. Nor does a
 * close, for a backend that keeps the ring.
 */
static void store_is_lost(void)
{
	uint64_t start;

	gone_with_the_store(pvr_store_lost);
	start = pvr_port_now_ns();
	pvr_port_pages_free(page, 1);
	pvr_blkfront_close(disk);
	CU_ASSERT(pvr_port_now_ns() - start < PVR_FRONT_PATIENCE_NS);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before + 1);
}

static void lose_both(void)
{
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateInitWait);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	pvr_store_lost();
}

static void store_is_lost_after_the_backend(void)
{
	gone_with_the_store(lose_both);
	close_disk();
}

static void *reader_main(void *arg)
{
	*(int *)arg = pvr_blkfront_read(disk, 0, page, 4096);
	return NULL;
}

/* Threads asleep in a blocking call and in serve wake up by themselves. */
static void store_is_lost_under_sleepers(void)
{
	pthread_t reader;
	int error = 1;

	blk_peer_start();
	open_disk(NULL);
	peer.manual = 1;
	pthread_create(&reader, NULL, reader_main, &error);
	while (!pvr_blkfront_inflight(queue))
		usleep(1000);
	usleep(20000);
	pvr_store_lost();
	pthread_join(reader, NULL);
	CU_ASSERT_EQUAL(error, -ENODEV);
	peer_kill();
	close_disk();
}

static _Atomic int stop, wrong;

static void *writer_main(void *arg)
{
	unsigned self = *(unsigned *)arg;
	uint8_t *out = pvr_port_pages_alloc(16), *in = pvr_port_pages_alloc(16);

	for (unsigned i = 0; !stop; i++) {
		memset(out, (int)(i + self), 16 * 4096);
		if (pvr_blkfront_write(disk, self * 256, out, 16 * 4096) ||
			pvr_blkfront_read(disk, self * 256, in, 16 * 4096) ||
			memcmp(in, out, 16 * 4096))
			wrong++;
	}
	pvr_port_pages_free(in, 16);
	pvr_port_pages_free(out, 16);
	return NULL;
}

static void *keeper_main(void *arg)
{
	(void)arg;
	while (!stop)
		pvr_blkfront_serve(disk, pvr_port_now_ns() + 1000000);
	return NULL;
}

/* Threads that block notice nothing of twenty deaths. */
static void blocking_calls_ride_through(void)
{
	pthread_t writer[3], keeper;
	unsigned names[3];

	blk_peer_start();
	open_disk(NULL);
	stop = wrong = 0;
	pthread_create(&keeper, NULL, keeper_main, NULL);
	for (unsigned i = 0; i < 3; i++) {
		names[i] = i;
		pthread_create(&writer[i], NULL, writer_main, &names[i]);
	}
	for (unsigned i = 0; i < 20; i++) {
		unsigned connects = peer.connects;

		usleep(5000);
		peer_kill();
		peer_state(XenbusStateInitWait);
		for (int n = 0; n < 20000 && peer.connects == connects; n++)
			usleep(1000);
		CU_ASSERT_EQUAL_FATAL(peer.connects, connects + 1);
	}
	usleep(5000);
	stop = 1;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(writer[i], NULL);
	pthread_join(keeper, NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	close_disk();
}

PVR_SUITE(blkfront_reconnect, CASE(unanswered_requests_are_issued_again),
	CASE(unpublished_requests_go_to_the_next_backend), CASE(page_of_the_dead_is_released_late),
	CASE(closed_and_online_is_waited_for), CASE(orderly_restart), CASE(patience_has_an_end),
	CASE(successor_dies_too), CASE(another_disk_may_be_too_small), CASE(senseless_successor),
	CASE(store_is_lost), CASE(store_is_lost_after_the_backend),
	CASE(store_is_lost_under_sleepers), CASE(blocking_calls_ride_through))
