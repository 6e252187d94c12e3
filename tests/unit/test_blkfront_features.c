/* SPDX-License-Identifier: MIT */
/*
 * What a block frontend and its backend may agree on: larger rings, more segments, more queues, other
 * operations, persistent grants; and a backend that is not trusted.
 */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"
#include "peer_blk.h"

#include <pvring/blkfront.h>
#include <pvring/grant.h>

#include "../../blkfront/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGES 64u

static struct pvr_blkfront *disk;
static struct pvr_blkfront_queue *queue;
static const struct pvr_blkfront_info *info;
static uint8_t *buffer;
static struct pvr_blk_segment segments[PAGES];
static struct pvr_blk_request requests[600];
static int errors[600];
static unsigned done_count, pages_before;
static uint32_t grants_before;

static uint64_t soon(void)
{
	return pvr_port_now_ns() + 20000000000u;
}

static void note(struct pvr_blk_request *request, int error)
{
	done_count++;
	errors[request - requests] = error;
}

static void open_disk(struct pvr_blkfront_options options)
{
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	CU_ASSERT_EQUAL_FATAL(pvr_blkfront_open(BLK_PATH, &options, soon(), &disk), 0);
	queue = pvr_blkfront_queue(disk, 0);
	info = pvr_blkfront_info(disk);
	buffer = pvr_port_pages_alloc(PAGES);
	done_count = 0;
	for (unsigned i = 0; i < PAGES; i++)
		segments[i] = (struct pvr_blk_segment){buffer + i * 4096, 4096};
}

static void close_disk(void)
{
	pvr_port_pages_free(buffer, PAGES);
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

static void near_the_wrap(unsigned index)
{
	struct blkfront_ring *live = &pvr_blkfront_queue(disk, index)->live;

	pvr_ring_front_init(&live->ring, live->pages.at, live->ring.entries, UINT32_MAX - 2);
	blk_peer_attach(index);
}

static void drain(struct pvr_blkfront_queue *which)
{
	while (pvr_blkfront_inflight(which)) {
		CU_ASSERT_FATAL(pvr_blkfront_poll(which) >= 0);
		if (pvr_blkfront_inflight(which))
			CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(which, soon()), 0);
	}
}

/* One request of `count` pages from sector 0; how it ended. */
static int one(uint8_t op, unsigned count)
{
	struct pvr_blk_request *request = &requests[0];

	requests[0] = (struct pvr_blk_request){
		.op = op, .segments_count = count, .segments = segments, .done = note};
	errors[0] = 1;
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &request, 1), 1);
	pvr_blkfront_kick(queue);
	drain(queue);
	return errors[0];
}

static void fill(unsigned count, unsigned seed)
{
	for (unsigned i = 0; i < count * 4096; i++)
		buffer[i] = (uint8_t)(seed + i * 7 + i / 4096);
}

/* ---- rings ---- */

static void rings_of_every_order(void)
{
	for (uint32_t order = 0; order <= 4; order++) {
		struct pvr_blk_request *batch[600];
		uint32_t entries = 32u << order;

		blk_peer_start();
		peer_node("max-ring-page-order", "4");
		mock_xs_write(BLK_FRONT "/ring-page-order", "7"); /* an earlier owner's */
		open_disk((struct pvr_blkfront_options){.ring_order = order, .max_segments = 1});
		CU_ASSERT_EQUAL(info->ring_order, order);
		CU_ASSERT_EQUAL(info->entries, entries);
		CU_ASSERT_EQUAL(
			mock_xs_number(BLK_FRONT "/ring-page-order"), order ? (long)order : -1);
		near_the_wrap(0);
		for (unsigned round = 0; round < 3; round++) {
			for (unsigned i = 0; i < 600; i++) {
				batch[i] = &requests[i];
				errors[i] = 1;
				requests[i] = (struct pvr_blk_request){.op = BLKIF_OP_READ,
					.segments_count = 1,
					.sector = i,
					.segments = &segments[i % PAGES],
					.done = note};
			}
			CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, batch, 600), entries);
			pvr_blkfront_kick(queue);
			drain(queue);
			for (unsigned i = 0; i < entries; i++)
				CU_ASSERT_EQUAL(errors[i], 0);
		}
		CU_ASSERT_EQUAL(done_count, 3 * entries);
		close_disk();
	}
}

static void ring_is_bounded_by_the_backend(void)
{
	blk_peer_start();
	peer_node("max-ring-page-order", "1");
	open_disk((struct pvr_blkfront_options){.ring_order = 4, .queues = 9, .max_segments = 999});
	CU_ASSERT(info->ring_order == 1 && info->entries == 64);
	CU_ASSERT(info->queues == 1 && info->max_segments == 11);
	CU_ASSERT_PTR_NULL(pvr_blkfront_queue(disk, 1));
	close_disk();
}

/* The new backend has a smaller ring: what does not fit goes when there is room. */
static void smaller_ring_after_a_reconnect(void)
{
	struct pvr_blk_request *batch[64];

	blk_peer_start();
	peer_node("max-ring-page-order", "1");
	open_disk((struct pvr_blkfront_options){.ring_order = 1});
	peer.manual = 1;
	for (unsigned i = 0; i < 64; i++) {
		batch[i] = &requests[i];
		errors[i] = 1;
		requests[i] = (struct pvr_blk_request){.op = BLKIF_OP_READ,
			.segments_count = 1,
			.segments = &segments[0],
			.done = note};
	}
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, batch, 64), 64);
	pvr_blkfront_kick(queue);
	peer_kill();
	peer.manual = 0;
	peer_node("max-ring-page-order", "0");
	peer_state(XenbusStateInitWait);
	drain(queue);
	CU_ASSERT_EQUAL(done_count, 64);
	for (unsigned i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(errors[i], 0);
	CU_ASSERT_EQUAL(info->entries, 32);
	close_disk();
}

/* ---- segments ---- */

static void indirect_segments(void)
{
	struct pvr_blkfront_stats stats;

	blk_peer_start();
	peer_node("feature-max-indirect-segments", "64");
	open_disk((struct pvr_blkfront_options){.max_segments = 256});
	near_the_wrap(0);
	CU_ASSERT_EQUAL(info->max_segments, 64);
	for (unsigned count = 1; count <= 64; count++) {
		fill(count, count);
		CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, count), 0);
		CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, count * 4096), 0);
		memset(buffer, 0, count * 4096);
		CU_ASSERT_EQUAL(one(BLKIF_OP_READ, count), 0);
		CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, count * 4096), 0);
	}
	CU_ASSERT_EQUAL(blk_peer.most_segments, 64);
	CU_ASSERT_EQUAL(blk_peer.ops[BLKIF_OP_INDIRECT], 2 * (64 - 11));
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT_EQUAL(stats.indirect, 2 * (64 - 11));
	close_disk();
}

/* A request of more segments than the next backend takes goes in parts. */
static void fewer_segments_after_a_reconnect(void)
{
	struct pvr_blk_request *request = &requests[0];

	blk_peer_start();
	peer_node("feature-max-indirect-segments", "64");
	open_disk((struct pvr_blkfront_options){.max_segments = 64});
	fill(40, 3);
	peer.manual = 1;
	requests[0] = (struct pvr_blk_request){
		.op = BLKIF_OP_WRITE, .segments_count = 40, .segments = segments, .done = note};
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &request, 1), 1);
	pvr_blkfront_kick(queue);
	peer_kill();
	peer.manual = 0;
	peer_node("feature-max-indirect-segments", NULL);
	peer_state(XenbusStateInitWait);
	drain(queue);
	CU_ASSERT(done_count == 1 && errors[0] == 0);
	CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 40 * 4096), 0);
	CU_ASSERT(blk_peer.most_segments == 11 && blk_peer.serves == 4);
	CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 12), -EINVAL);
	close_disk();
}

/* A part that fails is the end of its request. */
static void failed_part_ends_the_request(void)
{
	blk_peer_start();
	peer_node("feature-max-indirect-segments", "64");
	open_disk((struct pvr_blkfront_options){.max_segments = 64});
	blk_peer.status = BLKIF_RSP_ERROR;
	CU_ASSERT_EQUAL(one(BLKIF_OP_FLUSH_DISKCACHE, 30), -EIO);
	CU_ASSERT_EQUAL(blk_peer.serves, 1);
	close_disk();
}

/* ---- queues ---- */

static void requests_on_every_queue(void)
{
	blk_peer_start();
	peer_node("multi-queue-max-queues", "4");
	peer_node("max-ring-page-order", "1");
	open_disk((struct pvr_blkfront_options){.queues = 3, .ring_order = 1, .max_segments = 4});
	CU_ASSERT_EQUAL(info->queues, 3);
	CU_ASSERT_EQUAL(peer.queues, 3);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/multi-queue-num-queues"), 3);
	CU_ASSERT(mock_xs_number(BLK_FRONT "/queue-2/ring-ref1") > 0);
	CU_ASSERT_PTR_NULL(pvr_blkfront_queue(disk, 3));
	for (unsigned q = 0; q < 3; q++) {
		queue = pvr_blkfront_queue(disk, q);
		near_the_wrap(q);
		for (unsigned i = 0; i < 5; i++) {
			fill(4, q * 5 + i);
			CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 4), 0);
			CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 4 * 4096), 0);
		}
		CU_ASSERT(mock_sends(blk_peer.queue[q].port) >= 5);
	}
	close_disk();
	open_disk((struct pvr_blkfront_options){.queues = 1}); /* and back to one */
	CU_ASSERT_EQUAL(peer.queues, 1);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/multi-queue-num-queues"), -1);
	CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 1), 0);
	close_disk();
}

#define OWNERS 3

static _Atomic int owners_stop;
static _Atomic unsigned rounds[OWNERS], wrong;

struct owned {
	struct pvr_blk_request request;
	int error;
};

static void owned_done(struct pvr_blk_request *request, int error)
{
	((struct owned *)request)->error = error;
}

static void *owner_main(void *arg)
{
	unsigned self = *(unsigned *)arg;
	struct pvr_blkfront_queue *own = pvr_blkfront_queue(disk, self);
	struct owned mine[8];
	struct pvr_blk_request *one_request;

	while (!owners_stop) {
		for (unsigned i = 0; i < 8; i++) {
			mine[i].request = (struct pvr_blk_request){.op = BLKIF_OP_READ,
				.segments_count = 1,
				.sector = (self * 8 + i) * 8,
				.segments = &segments[self * 8 + i],
				.done = owned_done};
			one_request = &mine[i].request;
			if (!pvr_blkfront_submit(own, &one_request, 1))
				wrong++;
		}
		pvr_blkfront_kick(own);
		while (pvr_blkfront_inflight(own))
			if (pvr_blkfront_poll(own) == 0)
				pvr_blkfront_wait(own, soon());
		for (unsigned i = 0; i < 8; i++)
			wrong += mine[i].error != 0 ||
				 memcmp(segments[self * 8 + i].address,
					 blk_peer.disk + (self * 8 + i) * 4096, 4096) != 0;
		rounds[self]++;
	}
	return NULL;
}

/* Each queue has its own thread, and the backend dies again and again below all of them. */
static void owners_ride_through(void)
{
	pthread_t owner[OWNERS];
	unsigned names[OWNERS];
	struct pvr_blkfront_stats stats;

	blk_peer_start();
	peer_node("multi-queue-max-queues", "4");
	open_disk((struct pvr_blkfront_options){.queues = OWNERS, .max_segments = 1});
	for (unsigned i = 0; i < sizeof(blk_peer.disk); i++)
		blk_peer.disk[i] = (uint8_t)(i / 512 + i * 3);
	owners_stop = 0;
	wrong = 0;
	for (unsigned i = 0; i < OWNERS; i++) {
		names[i] = i;
		rounds[i] = 0;
		pthread_create(&owner[i], NULL, owner_main, &names[i]);
	}
	for (unsigned i = 0; i < 10; i++) {
		unsigned before = rounds[0] + rounds[1] + rounds[2];

		peer_kill();
		peer_state(XenbusStateInitWait);
		for (int n = 0; n < 3000 && rounds[0] + rounds[1] + rounds[2] < before + 30; n++)
			usleep(1000);
		CU_ASSERT(rounds[0] + rounds[1] + rounds[2] >= before + 30);
	}
	owners_stop = 1;
	for (unsigned i = 0; i < OWNERS; i++)
		pthread_join(owner[i], NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT(stats.reconnects >= 1);
	close_disk();
}

/* Fewer queues than there are owners cannot be served. */
static void fewer_queues_after_a_reconnect(void)
{
	blk_peer_start();
	peer_node("multi-queue-max-queues", "2");
	open_disk((struct pvr_blkfront_options){.queues = 2});
	peer_kill();
	peer_node("multi-queue-max-queues", "1");
	peer_state(XenbusStateInitWait);
	while (pvr_blkfront_poll(queue) >= 0)
		CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(pvr_blkfront_queue(disk, 1)), -ENODEV);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateClosed);
	close_disk();
}

/* ---- operations ---- */

static void barrier_and_flush_with_data(void)
{
	blk_peer_start();
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE_BARRIER, 1), -EOPNOTSUPP);
	close_disk();
	blk_peer_start();
	peer_node("feature-barrier", "1");
	peer_node("feature-max-indirect-segments", "32");
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT(info->barrier == 1 && info->max_segments == 32);
	fill(32, 5);
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE_BARRIER, 3), 0);
	CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 3 * 4096), 0);
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE_BARRIER, 0), 0);
	CU_ASSERT_EQUAL(blk_peer.ops[BLKIF_OP_WRITE_BARRIER], 2);
	CU_ASSERT_EQUAL(one(BLKIF_OP_FLUSH_DISKCACHE, 32), 0); /* three parts of at most 11 */
	CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 32 * 4096), 0);
	CU_ASSERT_EQUAL(blk_peer.ops[BLKIF_OP_FLUSH_DISKCACHE], 3);
	close_disk();
}

static void discard(void)
{
	blk_peer_start();
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, 0, 8, 0), -EOPNOTSUPP);
	close_disk();
	blk_peer_start();
	peer_node("feature-discard", "1");
	peer_node("discard-granularity", "65536");
	peer_node("discard-alignment", "4096");
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT(info->discard == 1 && info->secure == 0);
	CU_ASSERT(info->discard_granularity == 65536 && info->discard_alignment == 4096);
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, 16, 1000, 0), 0);
	CU_ASSERT(blk_peer.discard.sector_number == 16 && blk_peer.discard.nr_sectors == 1000);
	CU_ASSERT(blk_peer.discard.flag == 0 && blk_peer.discard.handle == 51712);
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, 0, 8, 1), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, BLK_SECTORS - 1, 2, 0), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, 0, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(blk_peer.serves, 1);
	close_disk();
	peer_node("discard-secure", "1");
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT_EQUAL(pvr_blkfront_discard(disk, 0, 8, 1), 0);
	CU_ASSERT_EQUAL(blk_peer.discard.flag, BLKIF_DISCARD_SECURE);
	close_disk();
}

static void resized_while_connected(void)
{
	blk_peer_start();
	open_disk((struct pvr_blkfront_options){0});
	peer_node("sectors", "1024");
	peer_state(XenbusStateConnected);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(info->sectors, 1024);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 1024, buffer, 512), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 1023, buffer, 512), 0);
	peer_node("sectors", "2048");
	peer_state(XenbusStateConnected);
	pvr_blkfront_serve(disk, pvr_port_now_ns() + 1000000);
	pvr_blkfront_poll(queue);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 2047, buffer, 512), 0);
	peer_node("sectors", "rubbish"); /* is no size */
	peer_state(XenbusStateConnected);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	CU_ASSERT_EQUAL(info->sectors, 2048);
	close_disk();
}

/* ---- persistent grants, and a backend that is not trusted ---- */

static void persistent_grants_are_reused(void)
{
	struct pvr_blkfront_stats stats;

	blk_peer_start();
	peer_node("feature-persistent", "1");
	open_disk((struct pvr_blkfront_options){.persistent = 1});
	CU_ASSERT_EQUAL(info->persistent, 1);
	near_the_wrap(0);
	for (unsigned i = 0; i < 100; i++) {
		fill(8, i);
		CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8), 0);
		CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 8 * 4096), 0);
		memset(buffer, 0, 8 * 4096);
		CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 8), 0);
		CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 8 * 4096), 0);
	}
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT_EQUAL(stats.grants_reused, 200 * 8 - 8); /* eight pages in all */
	close_disk();
}

static void persistent_only_where_both_are(void)
{
	struct pvr_blkfront_stats stats;

	blk_peer_start();
	open_disk((struct pvr_blkfront_options){.persistent = 1});
	CU_ASSERT_EQUAL(info->persistent, 0);
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8), 0);
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8), 0);
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT_EQUAL(stats.grants_reused, 0);
	close_disk();
	blk_peer_start();
	peer_node("feature-persistent", "1");
	open_disk((struct pvr_blkfront_options){0});
	CU_ASSERT_EQUAL(blk_peer.persistent, 0);
	CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 8), 0);
	close_disk();
}

/* The successor has persistent grants no more, and again. */
static void persistent_across_reconnects(void)
{
	static const char *const offers[] = {"0", "1", "0"};

	blk_peer_start();
	peer_node("feature-persistent", "1");
	open_disk((struct pvr_blkfront_options){.persistent = 1});
	for (unsigned i = 0; i < 3; i++) {
		fill(8, i);
		CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8), 0);
		CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 3), 0);
		peer_kill();
		peer_node("feature-persistent", offers[i]);
		peer_state(XenbusStateInitWait);
		while (peer.connects != i + 2 || mock_xs_number(BLK_FRONT "/state") != 4)
			CU_ASSERT_FATAL(pvr_blkfront_poll(queue) >= 0);
		fill(8, i + 10);
		CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 8), 0);
		CU_ASSERT_EQUAL(memcmp(blk_peer.disk, buffer, 8 * 4096), 0);
		CU_ASSERT_EQUAL(info->persistent, i == 1);
	}
	close_disk();
}

/* A full ring of large requests wants more pages than the pool has: they wait for each other. */
static void pool_is_bounded(void)
{
	struct pvr_blk_request *batch[32];
	grant_ref_t others[MOCK_FRAMES * 512];

	blk_peer_start();
	/* Most references are somebody else's. */
	CU_ASSERT_EQUAL(pvr_grant_alloc(others, pvr_grant_available() - 1000), 0);
	peer_node("feature-max-indirect-segments", "64");
	peer_node("feature-persistent", "1");
	open_disk((struct pvr_blkfront_options){.max_segments = 64, .persistent = 1});
	CU_ASSERT(queue->pool_count < 32 * 64);
	peer.manual = 1;
	for (unsigned i = 0; i < 32; i++) {
		batch[i] = &requests[i];
		errors[i] = 1;
		requests[i] = (struct pvr_blk_request){.op = BLKIF_OP_READ,
			.segments_count = 64,
			.segments = segments,
			.done = note};
	}
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, batch, 32), 32);
	pvr_blkfront_kick(queue);
	CU_ASSERT(peer_serve() < 32);
	peer.manual = 0;
	drain(queue);
	CU_ASSERT_EQUAL(done_count, 32);
	for (unsigned i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(errors[i], 0);
	close_disk();
}

static int is_zero(const uint8_t *bytes, size_t count)
{
	while (count--)
		if (*bytes++)
			return 0;
	return 1;
}

/* Of a page whose middle is sent, the backend sees the middle. */
static void xsa_403_only_the_payload_is_visible(void)
{
	for (uint32_t persistent = 0; persistent < 2; persistent++) {
		blk_peer_start();
		peer_node("feature-persistent", "1");
		open_disk((struct pvr_blkfront_options){.untrusting = 1, .persistent = persistent});
		memset(buffer, 0xaa, 4096);
		segments[0] = (struct pvr_blk_segment){buffer + 1024, 1536};
		CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 1), 0);
		CU_ASSERT(is_zero(blk_peer.page, 1024));
		CU_ASSERT_EQUAL(memcmp(blk_peer.page + 1024, buffer, 1536), 0);
		CU_ASSERT(is_zero(blk_peer.page + 2560, 1536));
		CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 1), 0);
		CU_ASSERT(is_zero(blk_peer.page, 4096)); /* as it was before the read */
		CU_ASSERT_EQUAL(memcmp(buffer + 1024, blk_peer.disk, 1536), 0);
		CU_ASSERT(buffer[1023] == 0xaa && buffer[2560] == 0xaa);
		close_disk();
	}
}

/* Without that option the whole page is the backend's to see: the test above can tell. */
static void trusted_backend_sees_the_page(void)
{
	blk_peer_start();
	open_disk((struct pvr_blkfront_options){0});
	memset(buffer, 0xaa, 4096);
	segments[0] = (struct pvr_blk_segment){buffer + 1024, 1536};
	CU_ASSERT_EQUAL(one(BLKIF_OP_WRITE, 1), 0);
	CU_ASSERT_EQUAL(blk_peer.page[0], 0xaa);
	close_disk();
}

/* A page of ours that the backend keeps is lost, but the request's own pages are not. */
static void untrusted_backend_keeps_only_our_page(void)
{
	struct pvr_blk_request *request = &requests[0];
	struct blkif_request wire;

	blk_peer_start();
	open_disk((struct pvr_blkfront_options){.untrusting = 1});
	peer.manual = 1;
	requests[0] = (struct pvr_blk_request){
		.op = BLKIF_OP_READ, .segments_count = 1, .segments = segments, .done = note};
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &request, 1), 1);
	pvr_blkfront_kick(queue);
	CU_ASSERT(blk_peer_take(&wire) > 0);
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(wire.seg[0].gref, 0, 1));
	blk_peer_answer(wire.id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	while (pvr_blkfront_poll(queue) >= 0)
		pvr_blkfront_wait(queue, soon());
	CU_ASSERT_EQUAL(errors[0], -EIO);
	pvr_port_pages_free(buffer, PAGES);
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before + 1);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
}

PVR_SUITE(blkfront_features, CASE(rings_of_every_order), CASE(ring_is_bounded_by_the_backend),
	CASE(smaller_ring_after_a_reconnect), CASE(indirect_segments),
	CASE(fewer_segments_after_a_reconnect), CASE(failed_part_ends_the_request),
	CASE(requests_on_every_queue), CASE(owners_ride_through),
	CASE(fewer_queues_after_a_reconnect), CASE(barrier_and_flush_with_data), CASE(discard),
	CASE(resized_while_connected), CASE(persistent_grants_are_reused),
	CASE(persistent_only_where_both_are), CASE(persistent_across_reconnects),
	CASE(pool_is_bounded), CASE(xsa_403_only_the_payload_is_visible),
	CASE(trusted_backend_sees_the_page), CASE(untrusted_backend_keeps_only_our_page))
