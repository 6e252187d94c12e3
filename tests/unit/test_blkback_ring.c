/* SPDX-License-Identifier: MIT */
/* The way of requests through one ring, driven step by step in one thread; hostile cases by their
 * XSA. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "blkback_rig.h"

/* ---- what works ---- */

/* Three hundred round trips, many times around the ring and once around 2^32. */
static void write_and_read_across_2_32(void)
{
	set_up();
	for (unsigned i = 0; i < 150; i++) {
		memset(data(0), (int)i, 11 * 4096);
		memset(data(20), 0xff, 11 * 4096);
		CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_WRITE, i * 8, 0, 11), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, i * 8, 20, 11), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(memcmp(data(0), data(20), 11 * 4096), 0);
	}
	CU_ASSERT_EQUAL(stats->reads, 150);
	CU_ASSERT_EQUAL(stats->sectors_written, 150 * 88);
	CU_ASSERT_EQUAL(stats->inflight, 0);
	CU_ASSERT_EQUAL(stats->grants_mapped, 300 * 11);
	tear_down();
}

/* A whole ring at once, out of one batch's reach or not, answered with one event. */
static void full_ring_one_event(void)
{
	struct blkif_x86_64_response response;
	uint32_t entries, seen = 0;

	set_up();
	entries = front.ring.entries;
	CU_ASSERT_EQUAL(entries, 32);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&front.ring), 0);
	for (uint32_t i = 0; i < entries; i++)
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, i * 8, i % 50, 1));
	pvr_ring_publish(&front.ring);
	serve();
	while (pvr_ring_pending(&front.ring) > 0) {
		front_response_take(&front.ring, &response);
		CU_ASSERT_EQUAL(response.status, BLKIF_RSP_OKAY);
		seen |= 1u << response.id;
	}
	CU_ASSERT_EQUAL(seen, UINT32_MAX);
	CU_ASSERT_EQUAL(mock_port_events(front.port, 0), 1);
	CU_ASSERT_EQUAL(stats->events_out, 1);
	tear_down();
}

static void part_of_pages(void)
{
	struct blkif_x86_64_request request;

	set_up();
	memset(data(0), 0x11, 4096);
	memset(data(1), 0x22, 4096);
	request = front_request(&front, BLKIF_OP_WRITE, 1, 5, 0, 2);
	request.seg[0].first_sect = 7; /* the last of one page, the first two of the next */
	request.seg[1].last_sect = 1;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 4, 2, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(data(2)[511], 0);
	CU_ASSERT_EQUAL(data(2)[512], 0x11);
	CU_ASSERT_EQUAL(data(2)[1023], 0x11);
	CU_ASSERT_EQUAL(data(2)[1024], 0x22);
	CU_ASSERT_EQUAL(data(2)[2047], 0x22);
	CU_ASSERT_EQUAL(data(2)[2048], 0);
	tear_down();
}

static void flush_with_and_without_data(void)
{
	set_up();
	memset(data(0), 0x77, 4096);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_FLUSH_DISKCACHE, 8, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 8, 1, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(data(1)[4095], 0x77);
	CU_ASSERT_EQUAL(stats->flushes, 2);
	tear_down();
}

static void unknown_op_is_not_supported(void)
{
	set_up();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_RESERVED_1, 0, 0, 0), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(ask_pages(200, 0, 0, 1), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, SECTORS, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(stats->others, 2);
	CU_ASSERT_EQUAL(stats->invalid, 3);
	CU_ASSERT_EQUAL(stats->errors, 3);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_OKAY);
	tear_down();
}

/* A write needs only to read the guest's page; a read must write it, and a read-only grant does not
 * allow that. */
static void read_only_grants(void)
{
	struct blkif_x86_64_request request;

	set_up();
	request = front_request(&front, BLKIF_OP_WRITE, 1, 0, 0, 1);
	request.seg[0].gref = mock_grant(FRONT_DATA, 1);
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_OKAY);
	request.operation = BLKIF_OP_READ;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_ERROR);
	tear_down();
}

/* The 32-bit layout: slots of 108 bytes, answers of 12. */
static void frontend_of_32_bits(void)
{
	struct blkif_x86_32_request *slot;
	struct blkif_x86_32_response answer;

	mock_host_reset();
	front_init(&front);
	front_init_ring(&front, 0);
	open_backend((struct pvr_blkback_spec){.type = "mem", .params = DISK_BYTES});
	CU_ASSERT_FATAL(connect_ring(PVR_BLKBACK_ABI_X86_32) == 0);
	slot = (void *)(front.shared + 1);
	slot[0] = (struct blkif_x86_32_request){.operation = BLKIF_OP_READ,
		.nr_segments = 1,
		.id = 0xabcdef,
		.sector_number = 8,
		.seg[0] = {front.data[0], 0, 7}};
	slot[1] = (struct blkif_x86_32_request){.operation = BLKIF_OP_READ,
		.nr_segments = 1,
		.id = 0xabcdf0,
		.sector_number = SECTORS,
		.seg[0] = {front.data[0], 0, 7}};
	memset(data(0), 0xff, 4096);
	atomic_store(&front.shared->req_prod, 2);
	serve();
	CU_ASSERT_EQUAL(atomic_load(&front.shared->rsp_prod), 2);
	CU_ASSERT_EQUAL(data(0)[0], 0);
	for (unsigned i = 0; i < 2; i++) {
		memcpy(&answer, slot + i, sizeof(answer));
		CU_ASSERT_EQUAL(answer.pad, 0);
		if (answer.id == 0xabcdef)
			CU_ASSERT_EQUAL(answer.status, BLKIF_RSP_OKAY);
		if (answer.id == 0xabcdf0)
			CU_ASSERT_EQUAL(answer.status, BLKIF_RSP_ERROR);
	}
	tear_down();
}

/* EIO is that request's alone. */
static void truncated_image_fails_only_its_requests(void)
{
	char path[] = "/var/tmp/pvring-test-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 1048576) == 0);
	set_up_on((struct pvr_blkback_spec){.params = path});
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, SECTORS - 88, 0, 11), BLKIF_RSP_OKAY);
	CU_ASSERT_FATAL(ftruncate(fd, 524288) == 0);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, SECTORS - 88, 0, 11), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 11), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(stats->errors, 1);
	CU_ASSERT_EQUAL(stats->invalid, 0);
	tear_down();
	close(fd);
	unlink(path);
}

/* ---- what must not work ---- */

static _Atomic int flipping;

static void *flip(void *opaque)
{
	volatile struct blkif_x86_64_request *slot = opaque;

	while (atomic_load(&flipping)) {
		slot->nr_segments = 200;
		slot->seg[0].last_sect = 255;
		slot->sector_number = UINT64_MAX;
		slot->operation = BLKIF_OP_WRITE;
		slot->nr_segments = 1;
		slot->seg[0].last_sect = 7;
		slot->sector_number = 0;
		slot->operation = BLKIF_OP_READ;
	}
	return NULL;
}

/*
 * XSA-155: the guest rewrites a slot while it is being parsed. The copy is taken once, so each
 * request is either refused whole or done whole, and nothing outside its page is ever touched.
 */
__attribute__((unused)) static void xsa_155_double_fetch(void)
{
	struct blkif_x86_64_request request;
	struct blkif_x86_64_response response;
	pthread_t thread;

	set_up();
	request = front_request(&front, BLKIF_OP_READ, 1, 0, 0, 1);
	memset(data(1), 0xee, 4096);
	for (uint32_t i = 0; i < front.ring.entries; i++)
		memcpy(front_slot_at_(&front.ring, i), &request, sizeof(request));
	atomic_store(&flipping, 1);
	CU_ASSERT_FATAL(
		pthread_create(&thread, NULL, flip, front_slot_at_(&front.ring, FRONT_START)) == 0);
	for (unsigned i = 0; i < 20000; i++) {
		/* Always the slot that is being flipped: a ring of one. */
		front.ring.prod = ring->ring.cons + 1;
		ring->ring.seen = ring->ring.cons + 1;
		ring->ring.entries = 1;
		ring->ring.slots = front_slot_at_(&front.ring, FRONT_START);
		pvr_blkback_ring_take(ring, turn);
		pvr_blkback_turn_finish(turn);
		memcpy(&response, ring->ring.slots, sizeof(response));
		CU_ASSERT_EQUAL(ring->inflight, 0);
		CU_ASSERT_EQUAL(mock_host_mapped(), 1);
		memcpy(front_slot_at_(&front.ring, FRONT_START), &request, sizeof(request));
	}
	atomic_store(&flipping, 0);
	pthread_join(thread, NULL);
	pvr_blkback_stats_add(stats, &ring->counts);
	CU_ASSERT_EQUAL(stats->reads + stats->writes + stats->invalid, 20000);
	CU_ASSERT(stats->reads > 0);
	for (unsigned i = 0; i < 4096; i++)
		CU_ASSERT_EQUAL_FATAL(data(1)[i], 0xee);
	tear_down();
}

/* XSA-216: every byte of an answer is written, the padding with zeroes. */
static void xsa_216_response_bytes(void)
{
	static const struct blkif_x86_64_response zero;
	uint8_t expect[sizeof(zero)], *slot;
	struct blkif_x86_64_response *fields = (void *)expect;

	set_up();
	slot = front_slot_at_(&front.ring, FRONT_START);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_OKAY);
	memset(expect, 0, sizeof(expect));
	memcpy(&fields->id, slot, sizeof(fields->id));
	CU_ASSERT_NOT_EQUAL(fields->id, 0);
	CU_ASSERT_EQUAL(memcmp(slot, expect, sizeof(expect)), 0);
	tear_down();
}

/* XSA-361 and its kin: the kth grant of n cannot be mapped. One error, nothing leaked, the next one
 * works. */
static void xsa_361_map_failures(void)
{
	set_up();
	for (unsigned n = 1; n <= 11; n++)
		for (unsigned k = 1; k <= n; k++) {
			mock_fail_map(k);
			CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, n), BLKIF_RSP_ERROR);
			CU_ASSERT_EQUAL(mock_host_mapped(), 1);
		}
	mock_fail_map(0);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 11), BLKIF_RSP_OKAY);
	tear_down();
}

/* The neighbours in the batch of a request that cannot be mapped are served. */
static void xsa_361_neighbours(void)
{
	struct blkif_x86_64_response response;
	unsigned errors = 0;

	set_up();
	for (unsigned i = 0; i < 5; i++)
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, 0, i * 4, 4));
	mock_fail_map(10); /* the second of the third */
	pvr_ring_publish(&front.ring);
	serve();
	CU_ASSERT_EQUAL(pvr_ring_pending(&front.ring), 5);
	for (unsigned i = 0; i < 5; i++) {
		front_response_take(&front.ring, &response);
		errors += response.status != BLKIF_RSP_OKAY;
		CU_ASSERT_EQUAL(response.status == BLKIF_RSP_ERROR, response.id == 2);
	}
	CU_ASSERT_EQUAL(errors, 1);
	CU_ASSERT_EQUAL(mock_host_mapped(), 1);
	tear_down();
}

/*
 * XSA-300: no more mappings to be had. What fits is served, the rest is an error, and it recovers.
 */
static void xsa_300_map_exhaustion(void)
{
	set_up();
	mock_limit_maps(6); /* with the ring's */
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 6), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 5), BLKIF_RSP_OKAY);
	mock_limit_maps(1);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
	mock_limit_maps(UINT32_MAX);
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 11), BLKIF_RSP_OKAY);
	tear_down();
}

static void bad_references(void)
{
	struct blkif_x86_64_request request;

	set_up();
	request = front_request(&front, BLKIF_OP_READ, 1, 0, 0, 3);
	request.seg[1].gref = UINT32_MAX;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_ERROR);
	request.seg[1].gref = 0;
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_ERROR);
	request.seg[1].gref = request.seg[0].gref; /* twice the same page is odd, and allowed */
	CU_ASSERT_EQUAL(ask(request), BLKIF_RSP_OKAY);
	tear_down();
}

/* The producer index runs away: this ring is over, and what it holds can still be given back. */
static void overflow_breaks_only_the_ring(void)
{
	set_up();
	CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_OKAY);
	atomic_store(&front.shared->req_prod, front.ring.prod + 33);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), -EPROTO);
	CU_ASSERT_EQUAL(pvr_back_ring_state(&ring->base), PVR_BACK_BROKEN);
	CU_ASSERT_PTR_NOT_NULL(ring->base.error);
	tear_down();
}

static void impossible_offers_are_refused(void)
{
	grant_ref_t good;

	mock_host_reset();
	front_init(&front);
	open_backend((struct pvr_blkback_spec){.type = "mem", .params = DISK_BYTES});
	good = front.ring_ref;
	front.ring_ref = 3;
	CU_ASSERT(connect_ring(PVR_BLKBACK_ABI_X86_64) < 0);
	pvr_blkback_ring_destroy(ring);
	front.ring_ref = good;
	front.port = 60;
	CU_ASSERT(connect_ring(PVR_BLKBACK_ABI_X86_64) < 0);
	pvr_blkback_ring_destroy(ring);
	front.port = 1;
	atomic_store(&front.shared->req_prod, FRONT_START + 33);
	CU_ASSERT(connect_ring(PVR_BLKBACK_ABI_X86_64) < 0);
	pvr_blkback_ring_destroy(ring);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	atomic_store(&front.shared->req_prod, FRONT_START);
	CU_ASSERT_EQUAL_FATAL(connect_ring(PVR_BLKBACK_ABI_X86_64), 0);
	tear_down();
}

static void latency_buckets(void)
{
	for (unsigned octave = 1; octave < 31; octave++)
		for (unsigned half = 0; half < 2; half++) {
			unsigned bucket = 2 * octave + half;
			uint64_t bound = pvr_blkback_stats_bound(bucket);

			CU_ASSERT_EQUAL(pvr_blkback_stats_bucket(bound - 1), bucket);
			CU_ASSERT_EQUAL(pvr_blkback_stats_bucket(bound), bucket + 1);
		}
	CU_ASSERT_EQUAL(pvr_blkback_stats_bucket(0), 0);
	CU_ASSERT_EQUAL(pvr_blkback_stats_bucket(UINT64_MAX), PVR_BLKBACK_STATS_BUCKETS - 1);
}

#ifdef __SANITIZE_THREAD__
#define XSA_155 /* the race is the test */
#else
#define XSA_155 CASE(xsa_155_double_fetch),
#endif

PVR_SUITE(blkback_ring, CASE(write_and_read_across_2_32), CASE(full_ring_one_event),
	CASE(part_of_pages), CASE(flush_with_and_without_data), CASE(unknown_op_is_not_supported),
	CASE(read_only_grants), CASE(frontend_of_32_bits),
	CASE(truncated_image_fails_only_its_requests), XSA_155 CASE(xsa_216_response_bytes),
	CASE(xsa_361_map_failures), CASE(xsa_361_neighbours), CASE(xsa_300_map_exhaustion),
	CASE(bad_references), CASE(overflow_breaks_only_the_ring),
	CASE(impossible_offers_are_refused), CASE(latency_buckets))
