/* SPDX-License-Identifier: MIT */
/*
 * The whole backend, control thread and workers, on the mock host and the real store core:
 * handshakes as the toolstack and a frontend drive them, and what hostile ones do.
 */
#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "blkback_device_rig.h"

/* ---- life ---- */

static void connect_use_close(void)
{
	start();
	attach_mem();
	connect_front();
	CU_ASSERT(node_is(BACK "/sectors", "2048"));
	CU_ASSERT(node_is(BACK "/sector-size", "512"));
	CU_ASSERT(node_is(BACK "/physical-sector-size", "512"));
	CU_ASSERT(node_is(BACK "/info", "0"));
	CU_ASSERT(node_is(BACK "/feature-flush-cache", "1"));
	CU_ASSERT(node_is(BACK "/feature-barrier", "1"));
	CU_ASSERT(node_is(BACK "/feature-persistent", "1"));
	CU_ASSERT(node_is(BACK "/feature-max-indirect-segments", "256"));
	CU_ASSERT(node_is(BACK "/hotplug-status", "connected"));
	for (unsigned i = 0; i < 100; i++)
		write_and_read();
	mock_store_write(FRONT "/state", "5");
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

/* An image on a file system: writes complete in a kernel thread while the worker sleeps, and wake
 * it. */
static void completions_wake_a_sleeping_worker(void)
{
	char path[] = "/var/tmp/pvring-test-XXXXXX";
	int fd = mkstemp(path);
	unsigned good = 0;

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 16 << 20) == 0);
	start();
	attach("file", path, FRONT);
	connect_front();
	for (unsigned i = 0; i < 350; i++)
		good += ask(BLKIF_OP_WRITE, i * 88, 0, 11) == BLKIF_RSP_OKAY;
	CU_ASSERT_EQUAL(good, 350);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
	stop();
	close(fd);
	unlink(path);
}

/* The image grows and shrinks under a connected frontend. */
static void resize_while_running(void)
{
	char path[] = "/var/tmp/pvring-test-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 1048576) == 0);
	start();
	attach("file", path, FRONT);
	connect_front();
	CU_ASSERT_EQUAL(ask(BLKIF_OP_READ, 2048, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT(ftruncate(fd, 2097152) == 0);
	mock_store_write(BACK "/resize", "1");
	CU_ASSERT(node_becomes(BACK "/sectors", "4096"));
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateConnected);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_WRITE, 4088, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT(ftruncate(fd, 524288) == 0);
	mock_store_write(BACK "/resize", "1");
	CU_ASSERT(node_becomes(BACK "/sectors", "1024"));
	CU_ASSERT_EQUAL(ask(BLKIF_OP_WRITE, 1024, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_WRITE, 1016, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), 524288);
	CU_ASSERT(ftruncate(fd, 0) == 0); /* nothing left: it stays as it was */
	mock_store_write(BACK "/resize", "1");
	pause_ms(50);
	CU_ASSERT(node_is(BACK "/sectors", "1024"));
	CU_ASSERT_EQUAL(ask(BLKIF_OP_READ, 0, 0, 1), BLKIF_RSP_ERROR);
	stop();
	close(fd);
	unlink(path);
}

static void bad_limits_are_told_to_the_operator(void)
{
	start();
	mock_store_write(BACK "/iops", "many");
	attach_mem();
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT(node_is(BACK "/hotplug-status", "error"));
	mock_store_write(BACK "/iops", "100000");
	attach_mem();
	connect_front();
	write_and_read();
	stop();
}

/* Requests that a limit keeps waiting are done in the end, and a device that has some closes. */
static void limited_device(void)
{
	start();
	mock_store_write(BACK "/iops", "200");
	attach_mem();
	connect_front();
	for (unsigned i = 0; i < 8; i++)
		write_and_read();
	for (unsigned i = 0; i < 20; i++)
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, i, 0, 1));
	pvr_ring_publish(&front.ring);
	mock_port_send(front.port);
	mock_store_write(FRONT "/state", "5");
	CU_ASSERT(becomes(XenbusStateClosing));
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

/* What a disk says of discards depends on what it can. */
static void discard_nodes(void)
{
	struct pvr_blkback_disk disk = {
		.facts = {.sectors = 8, .sector_size = 512}, .physical_size = 512};
	struct pvr_back_nodes without = {0}, nodes = {0}, secure = {0};

	pvr_blkback_features(&disk, &without);
	disk.facts.discard = 1;
	disk.facts.discard_granularity = 4096;
	pvr_blkback_features(&disk, &nodes);
	CU_ASSERT_EQUAL_FATAL(nodes.count, without.count + 3);
	CU_ASSERT_STRING_EQUAL(nodes.node[nodes.count - 3].name, "feature-discard");
	CU_ASSERT_STRING_EQUAL(nodes.node[nodes.count - 2].value, "4096");
	CU_ASSERT_STRING_EQUAL(nodes.node[nodes.count - 1].name, "discard-alignment");
	disk.facts.discard_secure = 1;
	pvr_blkback_features(&disk, &secure);
	CU_ASSERT_EQUAL(secure.count, without.count + 4);
	CU_ASSERT_STRING_EQUAL(secure.node[nodes.count].name, "discard-secure");
}

static void facts_wait_for_connected(void)
{
	char value[16];

	start();
	attach_mem();
	CU_ASSERT(becomes(XenbusStateInitWait));
	CU_ASSERT(node_is(BACK "/max-ring-page-order", "4"));
	CU_ASSERT(mock_store_read(BACK "/sectors", value, sizeof(value)) < 0);
	stop();
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateClosed);
}

static void frontend_comes_back(void)
{
	start();
	attach_mem();
	for (unsigned i = 0; i < 5; i++) {
		connect_front();
		write_and_read();
		mock_store_write(FRONT "/state", "6");
		CU_ASSERT_FATAL(becomes(XenbusStateClosed));
		front_init_ring(&front, FRONT_START);
		mock_store_write(FRONT "/state", "1");
	}
	stop();
}

/* It skips Closed and begins anew at once: the backend lets the old ring go by itself. */
static void frontend_restarts_without_closing(void)
{
	start();
	attach_mem();
	connect_front();
	write_and_read();
	mock_store_write(FRONT "/state", "1");
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	front_init_ring(&front, FRONT_START);
	connect_front();
	write_and_read();
	stop();
}

static void offline_stays_closed(void)
{
	start();
	attach_mem();
	connect_front();
	mock_store_write(BACK "/online", "0");
	mock_store_write(BACK "/state", "5"); /* as libxl detaches */
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	mock_store_write(FRONT "/state", "1");
	pause_ms(20);
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	stop();
}

/* The directory vanishes under a running device: all is released, and nothing is written there
 * again. */
static void vanished_device_is_not_made_again(void)
{
	char value[16];

	start();
	attach_mem();
	connect_front();
	write_and_read();
	mock_store_rm(BACK);
	for (unsigned i = 0; i < 5000 && mock_host_mapped(); i++)
		pause_ms(1);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	pause_ms(20);
	CU_ASSERT(mock_store_read(BACK "/state", value, sizeof(value)) < 0);
	front_init_ring(&front, FRONT_START);
	attach_mem();
	connect_front();
	write_and_read();
	stop();
}

/* The same seen from one write: no directory, no transaction. */
static void nodes_are_not_published_into_nothing(void)
{
	struct pvr_back_node node = {.name = "sectors", .value = "8"};
	struct pvr_host *host;
	char value[16];

	mock_host_reset();
	CU_ASSERT_FATAL(pvr_host_open(NULL, &host) == 0);
	CU_ASSERT_EQUAL(
		pvr_back_nodes_publish(host, BACK, &node, 1, XenbusStateConnected), -ENOENT);
	CU_ASSERT(mock_store_read(BACK "/sectors", value, sizeof(value)) < 0);
	CU_ASSERT(mock_store_read(BACK "/state", value, sizeof(value)) < 0);
	mock_store_write(BACK "/state", "1");
	CU_ASSERT_EQUAL(pvr_back_nodes_publish(host, BACK, &node, 1, XenbusStateConnected), 0);
	CU_ASSERT(node_is(BACK "/sectors", "8"));
	CU_ASSERT(node_is(BACK "/state", "4"));
	pvr_host_close(host);
	CU_ASSERT_EQUAL(mock_host_held(), 0);
}

/* A backend that starts where another died finds Connected everywhere, and waits for a new ring. */
static void old_ring_of_a_dead_backend_is_not_used(void)
{
	start();
	attach_mem();
	connect_front();
	stop();
	mock_store_write(BACK "/state", "4");
	start_backend(NULL);
	CU_ASSERT(becomes(XenbusStateInitWait));
	pause_ms(20);
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateInitWait);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	front_init_ring(&front, FRONT_START);
	offer();
	CU_ASSERT(becomes(XenbusStateConnected));
	write_and_read();
	stop();
}

static void bad_disk_is_told_to_the_operator(void)
{
	start();
	attach("file", "/nonexistent/image", FRONT);
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT(node_is(BACK "/hotplug-status", "error"));
	CU_ASSERT(node_is(BACK "/hotplug-error",
		"/nonexistent/image: cannot open: No such file or directory; check the path"));
	attach_mem(); /* made anew */
	connect_front();
	write_and_read();
	stop();
}

/* Four pages of ring, 128 slots. */
static void multi_page_ring(void)
{
	start();
	attach_mem();
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	front.ring.entries = front_entries(4 * 4096);
	CU_ASSERT_EQUAL(front.ring.entries, 128);
	mock_store_write(FRONT "/ring-page-order", "2");
	mock_store_write(FRONT "/ring-ref0", "%u", front.ring_ref);
	mock_store_write(FRONT "/ring-ref1", "%u", mock_grant(FRONT_RING + 1, 0));
	mock_store_write(FRONT "/ring-ref2", "%u", mock_grant(FRONT_RING + 2, 0));
	mock_store_write(FRONT "/ring-ref3", "%u", mock_grant(FRONT_RING + 3, 0));
	mock_store_write(FRONT "/event-channel", "%u", front.port);
	mock_store_write(FRONT "/state", "3");
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	for (unsigned i = 0; i < 100; i++)
		write_and_read();
	stop();
}

/* ---- hostile ---- */

/* XSA-175: the frontend path leads out of the guest's own tree. */
static void xsa_175_hostile_frontend_path(void)
{
	static const char *const paths[] = {"/local/domain/8/device/vbd/51712",
		"/local/domain/70/x", "/local/domain/7", "/vm/0", "device/vbd/51712", "",
		"/local/domain/7//x", "/local/domain/0/backend/vbd/7/51712"};

	start();
	mock_store_write("/local/domain/8/device/vbd/51712/state", "3");
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		attach("mem", "1048576", paths[i]);
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT(node_is(BACK "/hotplug-status", "error"));
	}
	stop();
}

static void hostile_numbers(void)
{
	static const char *const rows[][2] = {
		{"ring-ref", "4294967296"},
		{"ring-ref", "-1"},
		{"ring-ref", ""},
		{"ring-ref", "8 "},
		{"ring-ref", "0x8"},
		{"ring-ref", "99999999999999999999"},
		{"ring-page-order", "5"},
		{"ring-page-order", "31"},
		{"event-channel", "4294967295"},
		{"event-channel", "60"},
		{"protocol", "x86_16-abi"},
		{"protocol", "a name much longer than any"},
		{"multi-queue-num-queues", "2"},
	};

	start();
	attach_mem();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[128];

		CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
		mock_store_write(FRONT "/ring-ref", "%u", front.ring_ref);
		mock_store_write(FRONT "/event-channel", "%u", front.port);
		snprintf(path, sizeof(path), FRONT "/%s", rows[i][0]);
		mock_store_write(path, "%s", rows[i][1]);
		mock_store_write(FRONT "/state", "3");
		CU_ASSERT(becomes(XenbusStateClosed));
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		mock_store_rm(path);
		mock_store_write(FRONT "/state", "1");
	}
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	connect_front();
	write_and_read();
	stop();
}

/* A runaway index ends this connection with an error node; a new one works. */
static void overflow_ends_the_connection(void)
{
	char value[128];

	start();
	attach_mem();
	connect_front();
	write_and_read();
	atomic_store(&front.shared->req_prod, front.ring.prod + 1000);
	mock_port_send(front.port);
	CU_ASSERT(becomes(XenbusStateClosed));
	CU_ASSERT(mock_store_read(BACK "/error", value, sizeof(value)) > 0);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	front_init_ring(&front, FRONT_START);
	mock_store_write(FRONT "/state", "1");
	connect_front();
	write_and_read();
	stop();
}

/* XSA-350: connect and disconnect over and over, never waiting for the backend to finish. */
static void xsa_350_connect_loop(void)
{
	unsigned rng = 1;

	start();
	attach_mem();
	for (unsigned i = 0; i < 300; i++) {
		rng = rng * 1103515245 + 12345;
		if (i % 3 == 0)
			offer();
		else
			mock_store_write(FRONT "/state", "%u", 1 + (rng >> 16) % 6);
		mock_port_send(front.port);
	}
	mock_store_write(FRONT "/state", "6");
	CU_ASSERT(becomes(XenbusStateClosed));
	front_init_ring(&front, FRONT_START);
	mock_store_write(FRONT "/state", "1");
	connect_front();
	write_and_read();
	stop();
}

/*
 * XSA-349: state is rewritten as fast as can be; the queue of events stays short and I/O goes on.
 */
static void xsa_349_state_flood(void)
{
	start();
	attach_mem();
	connect_front();
	for (unsigned i = 0; i < 20000; i++)
		mock_store_write(FRONT "/state", "4");
	write_and_read();
	CU_ASSERT_EQUAL(state_of(BACK "/state"), XenbusStateConnected);
	stop();
}

static _Atomic int flooding;

static void *flood(void *opaque)
{
	(void)opaque;
	while (atomic_load(&flooding))
		mock_port_send(front.port);
	return NULL;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t thread_ns(pthread_t of)
{
	clockid_t clock;

	pthread_getcpuclockid(of, &clock);
	return clock_ns(clock);
}

/* XSA-332: events without requests. The workers' share of the CPU stays small, and requests are
 * still served. */
static void xsa_332_event_flood(void)
{
	pthread_t flooder;
	uint64_t passed, flooder_ns, all_ns;

	start();
	attach_mem();
	connect_front();
	write_and_read();
	atomic_store(&flooding, 1);
	CU_ASSERT_FATAL(pthread_create(&flooder, NULL, flood, NULL) == 0);
	/* The flooder's time holds the others', so that none of it counts as the workers'. */
	flooder_ns = thread_ns(flooder);
	all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	passed = clock_ns(CLOCK_MONOTONIC);
	pause_ms(300);
	passed = clock_ns(CLOCK_MONOTONIC) - passed;
	all_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all_ns;
	flooder_ns = thread_ns(flooder) - flooder_ns;
	/* A third of one CPU; unpaced it is all of one. */
	CU_ASSERT(all_ns < flooder_ns + passed / 3);
	write_and_read();
	atomic_store(&flooding, 0);
	pthread_join(flooder, NULL);
	stop();
}

PVR_SUITE(blkback_device, CASE(connect_use_close), CASE(completions_wake_a_sleeping_worker),
	CASE(facts_wait_for_connected), CASE(discard_nodes), CASE(resize_while_running),
	CASE(bad_limits_are_told_to_the_operator), CASE(limited_device), CASE(frontend_comes_back),
	CASE(frontend_restarts_without_closing), CASE(offline_stays_closed),
	CASE(vanished_device_is_not_made_again), CASE(nodes_are_not_published_into_nothing),
	CASE(old_ring_of_a_dead_backend_is_not_used), CASE(bad_disk_is_told_to_the_operator),
	CASE(multi_page_ring), CASE(xsa_175_hostile_frontend_path), CASE(hostile_numbers),
	CASE(overflow_ends_the_connection), CASE(xsa_350_connect_loop), CASE(xsa_349_state_flood),
	CASE(xsa_332_event_flood))
