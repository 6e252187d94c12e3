/* SPDX-License-Identifier: MIT */
/* Several rings of one device, on several workers. */
#include "blkback_device_rig.h"

#include <errno.h>

#define QUEUES 3u

static struct front queue[QUEUES];

/* Its rings side by side; all use the data pages of `front`. */
static void init_queues(void)
{
	for (unsigned i = 0; i < QUEUES; i++) {
		queue[i].shared = mock_page(FRONT_RING + 1 + i);
		pvr_ring_front_init(
			&queue[i].ring, queue[i].shared, front_entries(4096), FRONT_START);
		queue[i].ring_ref = mock_grant(FRONT_RING + 1 + i, 0);
		queue[i].port = mock_port();
		memcpy(queue[i].data, front.data, sizeof(front.data));
	}
}

static void write_queue(unsigned i, grant_ref_t ref)
{
	char path[96];

	snprintf(path, sizeof(path), FRONT "/queue-%u/ring-ref", i);
	mock_store_write(path, "%u", ref);
	snprintf(path, sizeof(path), FRONT "/queue-%u/event-channel", i);
	mock_store_write(path, "%u", queue[i].port);
}

static void offer_queues(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		write_queue(i, queue[i].ring_ref);
	mock_store_write(FRONT "/multi-queue-num-queues", "%u", count);
	mock_store_write(FRONT "/protocol", "x86_64-abi");
	mock_store_write(FRONT "/state", "3");
}

static void start_queues(void)
{
	start();
	init_queues();
	mock_store_write(BACK "/queues", "%u", QUEUES);
	attach_mem();
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
}

/* A request on one queue, data from its own page; 99 when no answer comes. */
static int16_t ask_queue(unsigned i, uint8_t operation, uint64_t sector)
{
	struct blkif_x86_64_response response = {.status = 99};

	front_put(&queue[i], front_request(&queue[i], operation, sector, sector, i, 1));
	if (pvr_ring_publish_notify(&queue[i].ring))
		mock_port_send(queue[i].port);
	for (unsigned tries = 0; tries < 5 && pvr_ring_final_check(&queue[i].ring) == 0; tries++)
		mock_port_events(queue[i].port, 1000);
	if (pvr_ring_pending(&queue[i].ring) > 0)
		front_response_take(&queue[i].ring, &response);
	return response.status;
}

static void three_queues_one_disk(void)
{
	start_queues();
	CU_ASSERT(node_is(BACK "/multi-queue-max-queues", "3"));
	offer_queues(QUEUES);
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	for (unsigned i = 0; i < QUEUES; i++) {
		memset(mock_page(FRONT_DATA + i), (int)(i + 1), 4096);
		CU_ASSERT_EQUAL(ask_queue(i, BLKIF_OP_WRITE, i * 8), BLKIF_RSP_OKAY);
	}
	/* What one has written the next one reads. */
	for (unsigned i = 0; i < QUEUES; i++) {
		unsigned other = (i + 1) % QUEUES;

		CU_ASSERT_EQUAL(ask_queue(i, BLKIF_OP_READ, other * 8), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(*(uint8_t *)mock_page(FRONT_DATA + i), other + 1);
	}
	mock_store_write(FRONT "/state", "5");
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

#define EACH 2000u

static void *hammer(void *opaque)
{
	unsigned i = (unsigned)(uintptr_t)opaque;
	uintptr_t bad = 0;

	for (unsigned n = 0; n < EACH; n++)
		bad += ask_queue(i, n % 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE, (i * 64 + n % 8) * 8) !=
		       BLKIF_RSP_OKAY;
	return (void *)bad;
}

/* Counters of rings on different workers lose nothing. */
static void counters_of_all_queues_are_exact(void)
{
	static char directory[] = "/tmp/pvring-test-XXXXXX";
	char path[96], remove[96];
	struct pvr_blkback_stats *stats;
	pthread_t threads[QUEUES];
	FILE *file;

	CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
	start_in(directory);
	init_queues();
	mock_store_write(BACK "/queues", "%u", QUEUES);
	attach_mem();
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	offer_queues(QUEUES);
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	for (uintptr_t i = 0; i < QUEUES; i++)
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, hammer, (void *)i) == 0);
	for (unsigned i = 0; i < QUEUES; i++) {
		void *bad = (void *)1;

		pthread_join(threads[i], &bad);
		CU_ASSERT_PTR_NULL(bad);
	}
	snprintf(path, sizeof(path), "%s/stats/vbd-7-51712", directory);
	file = fopen(path, "r");
	stats = calloc(1, sizeof(*stats));
	CU_ASSERT_FATAL(file != NULL && stats != NULL);
	CU_ASSERT_EQUAL(fread(stats, sizeof(*stats), 1, file), 1);
	CU_ASSERT_EQUAL(stats->reads, QUEUES * EACH / 2);
	CU_ASSERT_EQUAL(stats->writes, QUEUES * EACH / 2);
	CU_ASSERT_EQUAL(stats->grants_mapped, QUEUES * EACH);
	CU_ASSERT_EQUAL(stats->inflight, 0);
	fclose(file);
	free(stats);
	stop();
	snprintf(remove, sizeof(remove), "%s/stats", directory);
	CU_ASSERT_EQUAL(rmdir(remove), 0);
	snprintf(remove, sizeof(remove), "%s/inflight", directory);
	CU_ASSERT_EQUAL(rmdir(remove), 0);
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* The middle one of three cannot be mapped: none is kept, and a good offer works. */
static void one_bad_queue_refuses_all(void)
{
	start_queues();
	write_queue(0, queue[0].ring_ref);
	write_queue(1, 3);
	write_queue(2, queue[2].ring_ref);
	mock_store_write(FRONT "/multi-queue-num-queues", "3");
	mock_store_write(FRONT "/state", "3");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	mock_store_write(FRONT "/state", "1");
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	offer_queues(QUEUES);
	CU_ASSERT(becomes(XenbusStateConnected));
	stop();
}

/* One of them breaks the protocol: the connection ends, with all of its rings. */
static void one_broken_queue_ends_all(void)
{
	start_queues();
	offer_queues(QUEUES);
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	CU_ASSERT_EQUAL(ask_queue(0, BLKIF_OP_READ, 0), BLKIF_RSP_OKAY);
	atomic_store(&queue[1].shared->req_prod, queue[1].ring.prod + 1000);
	mock_port_send(queue[1].port);
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

static void impossible_numbers_of_queues(void)
{
	static const char *const numbers[] = {"0", "4", "17", "-1", "", "4294967297"};

	start_queues();
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		write_queue(0, queue[0].ring_ref);
		mock_store_write(FRONT "/multi-queue-num-queues", "%s", numbers[i]);
		mock_store_write(FRONT "/state", "3");
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		mock_store_write(FRONT "/state", "1");
		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	}
	stop();
}

/* The toolstack's own number is wrong: it is told. */
static void queues_node_out_of_range(void)
{
	start();
	mock_store_write(BACK "/queues", "17");
	attach_mem();
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT(node_is(BACK "/hotplug-error", "queues: not a number from 1 to 16"));
	stop();
}

PVR_SUITE(blkback_queues, CASE(three_queues_one_disk), CASE(counters_of_all_queues_are_exact),
	CASE(one_bad_queue_refuses_all), CASE(one_broken_queue_ends_all),
	CASE(impossible_numbers_of_queues), CASE(queues_node_out_of_range))
