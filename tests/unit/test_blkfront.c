/* SPDX-License-Identifier: MIT */
/*
 * The block frontend with a backend that behaves: handshake, data, batches, waiting, many threads.
 */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"
#include "peer_blk.h"

#include <pvring/blkfront.h>
#include <pvring/grant.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct pvr_blkfront *disk;
static struct pvr_blkfront_queue *queue;
static unsigned pages_before;
static uint32_t grants_before;

static uint64_t soon(void)
{
	return pvr_port_now_ns() + 20000000000u;
}

static void open_disk(void)
{
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	CU_ASSERT_EQUAL_FATAL(pvr_blkfront_open(BLK_PATH, NULL, soon(), &disk), 0);
	queue = pvr_blkfront_queue(disk, 0);
}

/* Whatever was done, closing gives everything back. */
static void close_disk(void)
{
	pvr_blkfront_close(disk);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(mock_port_open(blk_peer.queue[0].port), 0);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

static void start(void)
{
	blk_peer_start();
	open_disk();
}

static void handshake(void)
{
	const struct pvr_blkfront_info *info;

	blk_peer_start();
	peer_node("physical-sector-size", "4096");
	peer_node("info", "4");
	open_disk();
	info = pvr_blkfront_info(disk);
	CU_ASSERT_EQUAL(info->sectors, BLK_SECTORS);
	CU_ASSERT_EQUAL(info->sector_size, 512);
	CU_ASSERT_EQUAL(info->physical_sector_size, 4096);
	CU_ASSERT_EQUAL(info->readonly, 1);
	CU_ASSERT_EQUAL(info->flush, 1);
	CU_ASSERT_EQUAL(info->entries, 32);
	CU_ASSERT_EQUAL(info->max_segments, 11);
	CU_ASSERT_EQUAL(mock_xs_number(BLK_FRONT "/state"), XenbusStateConnected);
	close_disk();
	CU_ASSERT_EQUAL(mock_xs_number(BLK_BACK "/state"), XenbusStateClosed);
	open_disk(); /* and again, from Closed */
	close_disk();
}

/* An earlier owner died without closing: everybody still says Connected. */
static void leftover_state_is_closed_first(void)
{
	blk_peer_start();
	mock_xs_write(BLK_FRONT "/state", "4");
	peer_state(XenbusStateConnected);
	open_disk();
	close_disk();
	mock_xs_write(BLK_FRONT "/state", "5");
	peer_state(XenbusStateClosing);
	open_disk();
	close_disk();
}

static void backend_that_never_comes(void)
{
	blk_peer_start();
	pages_before = mock_pages_used();
	CU_ASSERT_EQUAL(pvr_blkfront_open("device/vbd/1", NULL, soon(), &disk), -ENOENT);
	peer.deaf = 1;
	CU_ASSERT_EQUAL(
		pvr_blkfront_open(BLK_PATH, NULL, pvr_port_now_ns() + 20000000, &disk), -ETIMEDOUT);
	peer_state(XenbusStateInitialising);
	CU_ASSERT_EQUAL(
		pvr_blkfront_open(BLK_PATH, NULL, pvr_port_now_ns() + 20000000, &disk), -ETIMEDOUT);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

/* ---- asynchronous ---- */

static unsigned done_count;
static int done_error;

static void note(struct pvr_blk_request *request, int error)
{
	(void)request;
	done_count++;
	done_error = error;
}

static void drain(void)
{
	while (pvr_blkfront_inflight(queue)) {
		CU_ASSERT_FATAL(pvr_blkfront_poll(queue) >= 0);
		if (pvr_blkfront_inflight(queue))
			CU_ASSERT_EQUAL_FATAL(pvr_blkfront_wait(queue, soon()), 0);
	}
}

static void batch_costs_one_event(void)
{
	struct pvr_blk_segment segment = {NULL, 4096};
	struct pvr_blk_request request[40], *batch[40];
	struct pvr_blkfront_stats stats;

	start();
	segment.address = pvr_port_pages_alloc(1);
	done_count = 0;
	for (int i = 0; i < 40; i++) {
		request[i] = (struct pvr_blk_request){.op = BLKIF_OP_READ,
			.segments_count = 1,
			.sector = (uint64_t)i * 8,
			.segments = &segment,
			.done = note};
		batch[i] = &request[i];
	}
	CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, batch, 40), 32);
	CU_ASSERT_EQUAL(pvr_blkfront_free(queue), 0);
	CU_ASSERT_EQUAL(mock_sends(blk_peer.queue[0].port), 0);
	CU_ASSERT_EQUAL(peer_serve(), 0); /* nothing is visible before the kick */
	pvr_blkfront_kick(queue);
	CU_ASSERT_EQUAL(mock_sends(blk_peer.queue[0].port), 1);
	drain();
	CU_ASSERT_EQUAL(done_count, 32);
	pvr_blkfront_stats(disk, &stats);
	CU_ASSERT(stats.requests == 32 && stats.responses == 32 && stats.notifies == 1);
	CU_ASSERT(stats.sectors_read == 32 * 8 && stats.errors == 0);
	pvr_port_pages_free(segment.address, 1);
	close_disk();
}

/* Requests of every shape the contract refuses end at once, and the backend sees none of them. */
static void impossible_requests_end_at_once(void)
{
	uint8_t *page;
	static const struct {
		uint8_t op;
		uint32_t count, offset, length;
		uint64_t sector;
		int error;
	} rows[] = {
		{BLKIF_OP_READ, 0, 0, 512, 0, -EINVAL},
		{BLKIF_OP_READ, 12, 0, 512, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 0, 0, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 0, 513, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 256, 512, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 3584, 1024, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 0, 8192, 0, -EINVAL},
		{BLKIF_OP_READ, 1, 512, 0xfffffe00, 0, -EINVAL},
		{BLKIF_OP_READ, 2, 0, 512, BLK_SECTORS - 1, -EINVAL},
		{BLKIF_OP_READ, 1, 0, 512, BLK_SECTORS, -EINVAL},
		{BLKIF_OP_READ, 1, 0, 512, UINT64_MAX, -EINVAL},
		{BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 512, BLK_SECTORS, -EINVAL},
		{BLKIF_OP_WRITE_BARRIER, 1, 0, 512, 0, -EOPNOTSUPP},
		{BLKIF_OP_DISCARD, 0, 0, 0, 0, -EOPNOTSUPP},
		{200, 1, 0, 512, 0, -EOPNOTSUPP},
	};

	start();
	page = pvr_port_pages_alloc(1);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pvr_blk_segment segments[12];
		struct pvr_blk_request request = {.op = rows[i].op,
			.segments_count = rows[i].count,
			.sector = rows[i].sector,
			.segments = segments,
			.done = note};
		struct pvr_blk_request *one = &request;

		for (int s = 0; s < 12; s++)
			segments[s] =
				(struct pvr_blk_segment){page + rows[i].offset, rows[i].length};
		done_count = 0;
		CU_ASSERT_EQUAL(pvr_blkfront_submit(queue, &one, 1), 1);
		CU_ASSERT_EQUAL(done_count, 1);
		CU_ASSERT_EQUAL(done_error, rows[i].error);
	}
	pvr_blkfront_kick(queue);
	CU_ASSERT_EQUAL(blk_peer.serves, 0);
	pvr_port_pages_free(page, 1);
	close_disk();
}

static void wait_has_a_deadline(void)
{
	uint64_t start_ns;

	start();
	start_ns = pvr_port_now_ns();
	CU_ASSERT_EQUAL(pvr_blkfront_wait(queue, start_ns + 10000000), -ETIMEDOUT);
	CU_ASSERT(pvr_port_now_ns() - start_ns >= 10000000);
	CU_ASSERT_EQUAL(pvr_blkfront_poll(queue), 0);
	close_disk();
}

/* ---- blocking ---- */

static void fill_bytes(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 512);
}

/* Larger than one request and than all of a call's requests, and not at the start of a page. */
static void large_buffers_are_split(void)
{
	static const size_t sizes[] = {
		512, 4096, 11 * 4096, 11 * 4096 + 512, 60 * 4096, 800 * 1024};
	uint8_t *out, *in;

	start();
	out = pvr_port_pages_alloc(202);
	in = pvr_port_pages_alloc(202);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned offset = 0; offset < 4096; offset += 1536) {
			fill_bytes(out + offset, sizes[i], i);
			memset(in, 0, 202 * 4096);
			CU_ASSERT_EQUAL(pvr_blkfront_write(disk, 3, out + offset, sizes[i]), 0);
			CU_ASSERT_EQUAL(memcmp(blk_peer.disk + 3 * 512, out + offset, sizes[i]), 0);
			CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 3, in + offset, sizes[i]), 0);
			CU_ASSERT_EQUAL(memcmp(in + offset, out + offset, sizes[i]), 0);
			CU_ASSERT_EQUAL(in[offset + sizes[i]], 0);
		}
	CU_ASSERT_EQUAL(pvr_blkfront_flush(disk), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, BLK_SECTORS - 1, in, 1024), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, in + 1, 512), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, in, 500), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, in, 0), 0);
	pvr_port_pages_free(in, 202);
	pvr_port_pages_free(out, 202);
	close_disk();
}

/* A request never ends inside a 4 KiB sector, though its buffer begins inside a page. */
static void sectors_of_4k_are_not_torn(void)
{
	uint8_t *buffer;

	blk_peer_start();
	peer_node("sector-size", "4096");
	open_disk();
	buffer = pvr_port_pages_alloc(33);
	fill_bytes(buffer + 512, 32 * 4096, 9);
	CU_ASSERT_EQUAL(pvr_blkfront_write(disk, 8, buffer + 512, 32 * 4096), 0);
	CU_ASSERT_EQUAL(memcmp(blk_peer.disk + 4096, buffer + 512, 32 * 4096), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 4, buffer, 4096), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, buffer, 512), -EINVAL);
	pvr_port_pages_free(buffer, 33);
	close_disk();
}

static void readonly_and_no_flush(void)
{
	void *page;

	blk_peer_start();
	peer_node("info", "4");
	peer_node("feature-flush-cache", NULL);
	open_disk();
	page = pvr_port_pages_alloc(1);
	CU_ASSERT_EQUAL(pvr_blkfront_write(disk, 0, page, 4096), -EROFS);
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, page, 4096), 0);
	CU_ASSERT_EQUAL(pvr_blkfront_flush(disk), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(blk_peer.serves, 1);
	pvr_port_pages_free(page, 1);
	close_disk();
}

static void errors_are_those_of_the_request(void)
{
	void *page;

	start();
	page = pvr_port_pages_alloc(1);
	blk_peer.status = BLKIF_RSP_ERROR;
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, page, 4096), -EIO);
	blk_peer.status = BLKIF_RSP_EOPNOTSUPP;
	CU_ASSERT_EQUAL(pvr_blkfront_flush(disk), -EOPNOTSUPP);
	blk_peer.status = -77;
	CU_ASSERT_EQUAL(pvr_blkfront_write(disk, 0, page, 4096), -EIO);
	blk_peer.status = BLKIF_RSP_OKAY;
	CU_ASSERT_EQUAL(pvr_blkfront_read(disk, 0, page, 4096), 0);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	pvr_port_pages_free(page, 1);
	close_disk();
}

#define THREADS 5
#define ROUNDS  60

static _Atomic unsigned wrong;

/* Each thread has its own part of the disk, in buffers of 1 to 60 pages. */
static void *user_main(void *arg)
{
	unsigned self = *(unsigned *)arg;
	uint8_t *out = pvr_port_pages_alloc(20), *in = pvr_port_pages_alloc(20);

	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t size = (1 + (i * 7 + self) % 40) * 2048;
		uint64_t sector = self * 200 + i % 8;

		fill_bytes(out, size, self * 31 + i);
		if (pvr_blkfront_write(disk, sector, out, size) || pvr_blkfront_flush(disk) ||
			pvr_blkfront_read(disk, sector, in, size) || memcmp(in, out, size))
			wrong++;
	}
	pvr_port_pages_free(in, 20);
	pvr_port_pages_free(out, 20);
	return NULL;
}

static _Atomic int stop;

/* A backend that is a while behind: events come when everybody sleeps already. */
static void *backend_main(void *arg)
{
	(void)arg;
	while (!stop) {
		peer_serve();
		usleep(50);
	}
	return NULL;
}

static void *keeper_main(void *arg)
{
	(void)arg;
	while (!stop)
		pvr_blkfront_serve(disk, pvr_port_now_ns() + 1000000);
	return NULL;
}

static void many_threads(int slow)
{
	pthread_t user[THREADS], backend, keeper;
	unsigned names[THREADS];

	start();
	wrong = 0;
	stop = 0;
	peer.manual = slow;
	if (slow)
		pthread_create(&backend, NULL, backend_main, NULL);
	pthread_create(&keeper, NULL, keeper_main, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		names[i] = i;
		pthread_create(&user[i], NULL, user_main, &names[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(user[i], NULL);
	stop = 1;
	pthread_join(keeper, NULL);
	if (slow)
		pthread_join(backend, NULL);
	peer.manual = 0;
	CU_ASSERT_EQUAL(wrong, 0);
	close_disk();
}

static void threads_beside_a_fast_backend(void)
{
	many_threads(0);
}

static void threads_beside_a_slow_backend(void)
{
	many_threads(1);
}

static _Atomic unsigned reads_done;

static void *reader_main(void *arg)
{
	(void)arg;
	if (pvr_blkfront_read(disk, 0, pvr_port_pages_alloc(1), 4096))
		wrong++;
	reads_done++;
	return NULL;
}

static void await(const _Atomic unsigned *number, unsigned value)
{
	for (int i = 0; i < 20000 && *number != value; i++)
		usleep(1000);
	CU_ASSERT_EQUAL_FATAL(*number, value);
}

/* The leader's call ends first: the one that followed must wake up and wait for itself. */
static void leader_hands_over(void)
{
	struct blkif_request request[2];
	pthread_t reader[2];

	start();
	wrong = 0;
	reads_done = 0;
	peer.manual = 1;
	for (unsigned i = 0; i < 2; i++) {
		pthread_create(&reader[i], NULL, reader_main, NULL);
		for (int n = 0; n < 20000 && !blk_peer_take(&request[i]); n++)
			usleep(1000);
		usleep(10000); /* until it sleeps */
	}
	blk_peer_answer(request[0].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	await(&reads_done, 1);
	usleep(10000);
	blk_peer_answer(request[1].id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	await(&reads_done, 2);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(reader[i], NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	pages_before += 2; /* the readers' */
	close_disk();
}

PVR_SUITE(blkfront, CASE(handshake), CASE(leftover_state_is_closed_first),
	CASE(backend_that_never_comes), CASE(batch_costs_one_event),
	CASE(impossible_requests_end_at_once), CASE(wait_has_a_deadline),
	CASE(large_buffers_are_split), CASE(sectors_of_4k_are_not_torn),
	CASE(readonly_and_no_flush), CASE(errors_are_those_of_the_request),
	CASE(threads_beside_a_fast_backend), CASE(threads_beside_a_slow_backend),
	CASE(leader_hands_over))
