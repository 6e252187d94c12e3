/* SPDX-License-Identifier: MIT */
/* The xenstore client against the real core of xenstored. */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"

#include <pvring/store.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_read_rm(void)
{
	char value[8];
	uint64_t number;

	mock_start_with_xs();
	CU_ASSERT_EQUAL(pvr_store_write(0, "a/b", "hello"), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "a/b", value, sizeof(value)), 5);
	CU_ASSERT_STRING_EQUAL(value, "hello");
	CU_ASSERT_EQUAL(pvr_store_read(0, "/local/domain/7/a/b", value, 6), 5);
	CU_ASSERT_EQUAL(pvr_store_read(0, "a/b", value, 5), -E2BIG); /* no room for the NUL */
	CU_ASSERT_EQUAL(pvr_store_read_u64(0, "a/b", &number), -EINVAL);
	CU_ASSERT_EQUAL(pvr_store_write_u64(0, "a/n", UINT64_MAX), 0);
	CU_ASSERT_EQUAL(pvr_store_read_u64(0, "a/n", &number), 0);
	CU_ASSERT_EQUAL(number, UINT64_MAX);
	CU_ASSERT_EQUAL(pvr_store_write(0, "a/n", "184467440737095516160"), 0);
	CU_ASSERT_EQUAL(pvr_store_read_u64(0, "a/n", &number), -EINVAL);
	CU_ASSERT_EQUAL(pvr_store_write(0, "a/empty", ""), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "a/empty", value, sizeof(value)), 0);
	CU_ASSERT_EQUAL(pvr_store_rm(0, "a"), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "a/b", value, sizeof(value)), -ENOENT);
	CU_ASSERT_EQUAL(pvr_store_write(0, "/local/domain/0/x", "1"), -EACCES);
	CU_ASSERT_EQUAL(mock_xs_check(), 0);
}

/* Messages larger than the ring, both ways, and larger than a message may be. */
static void messages_beyond_the_ring(void)
{
	static char big[XENSTORE_PAYLOAD_MAX + 1], back[2048];

	mock_start_with_xs();
	memset(big, 'v', 1900);
	for (int i = 0; i < 20; i++) {
		big[0] = (char)('a' + i);
		CU_ASSERT_EQUAL(pvr_store_write(0, "big", big), 0);
		CU_ASSERT_EQUAL(pvr_store_read(0, "big", back, sizeof(back)), 1900);
		CU_ASSERT_STRING_EQUAL(back, big);
	}
	memset(big, 'v', XENSTORE_PAYLOAD_MAX);
	CU_ASSERT_EQUAL(pvr_store_write(0, "big", big), -E2BIG);
	CU_ASSERT_EQUAL(pvr_store_read(0, "big", back, sizeof(back)), 1900);
}

static void list_names(void)
{
	char names[16];

	mock_start_with_xs();
	pvr_store_write(0, "l/one", "");
	pvr_store_write(0, "l/two", "");
	CU_ASSERT_EQUAL(pvr_store_list(0, "l", names, sizeof(names)), 8);
	CU_ASSERT(!memcmp(names, "one\0two", 8) || !memcmp(names, "two\0one", 8));
	CU_ASSERT_EQUAL(pvr_store_list(0, "l", names, 7), -E2BIG);
	CU_ASSERT_EQUAL(pvr_store_list(0, "l/one", names, sizeof(names)), 0);
}

static void transactions(void)
{
	pvr_store_tx tx;
	char value[8];

	mock_start_with_xs();
	CU_ASSERT_EQUAL(pvr_store_tx_start(&tx), 0);
	CU_ASSERT_EQUAL(pvr_store_write(tx, "t", "1"), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "t", value, sizeof(value)), -ENOENT);
	CU_ASSERT_EQUAL(pvr_store_tx_end(tx, 1), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "t", value, sizeof(value)), 1);
	CU_ASSERT_EQUAL(pvr_store_tx_start(&tx), 0);
	CU_ASSERT_EQUAL(pvr_store_write(tx, "t", "2"), 0);
	CU_ASSERT_EQUAL(pvr_store_tx_end(tx, 0), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "t", value, sizeof(value)), 1);
	CU_ASSERT_STRING_EQUAL(value, "1");
	/* Somebody else was faster. */
	CU_ASSERT_EQUAL(pvr_store_tx_start(&tx), 0);
	CU_ASSERT_EQUAL(pvr_store_read(tx, "t", value, sizeof(value)), 1);
	mock_xs_write("/local/domain/7/t", "3");
	CU_ASSERT_EQUAL(pvr_store_write(tx, "t", "4"), 0);
	CU_ASSERT_EQUAL(pvr_store_tx_end(tx, 1), -EAGAIN);
	CU_ASSERT_EQUAL(pvr_store_read(0, "t", value, sizeof(value)), 1);
	CU_ASSERT_STRING_EQUAL(value, "3");
}

static void watches_count_each_for_itself(void)
{
	struct pvr_store_watch a, b, same;
	uint32_t total = 0, seen;

	mock_start_with_xs();
	CU_ASSERT_EQUAL(pvr_store_watch(&a, "w/a"), 0);
	CU_ASSERT_EQUAL(pvr_store_watch(&b, "w/b"), 0);
	CU_ASSERT_EQUAL(pvr_store_watch(&same, "w/a"), 0);
	pvr_store_pump();
	CU_ASSERT(a.fired == 1 && b.fired == 1 && same.fired == 1);
	CU_ASSERT_EQUAL(pvr_store_wait_any(&total, 0), 0);
	CU_ASSERT_EQUAL(total, 3);
	CU_ASSERT_EQUAL(pvr_store_wait_any(&total, 0), -ETIMEDOUT);
	mock_xs_write("/local/domain/7/w/a/below", "1");
	pvr_store_pump();
	CU_ASSERT(a.fired == 2 && b.fired == 1 && same.fired == 2);
	CU_ASSERT_EQUAL(pvr_store_wait(&a, 1, 0), 0);
	CU_ASSERT_EQUAL(pvr_store_wait(&b, 1, pvr_port_now_ns() + 2000000), -ETIMEDOUT);
	pvr_store_unwatch(&a);
	seen = a.fired;
	mock_xs_write("/local/domain/7/w/a", "2");
	pvr_store_pump();
	CU_ASSERT(a.fired == seen && same.fired == 3);
	pvr_store_unwatch(&b);
	pvr_store_unwatch(&same);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

/* A node that is written all the time costs a counter, and requests go on beside it. */
static void xsa_349_watch_flood_is_counted(void)
{
	struct pvr_store_watch watch;
	char value[8];

	mock_start_with_xs();
	CU_ASSERT_EQUAL(pvr_store_watch(&watch, "state"), 0);
	mock_xs_hold(1);
	for (int i = 0; i < 900; i++)
		mock_xs_write("/local/domain/7/state", "4");
	mock_xs_hold(0);
	CU_ASSERT_EQUAL(pvr_store_write(0, "other", "1"), 0);
	CU_ASSERT_EQUAL(pvr_store_read(0, "other", value, sizeof(value)), 1);
	pvr_store_pump();
	CU_ASSERT(watch.fired > 1);
	pvr_store_unwatch(&watch);
}

static _Atomic unsigned wrong;

static void *client_main(void *arg)
{
	unsigned self = *(unsigned *)arg;
	char path[16], value[16];

	snprintf(path, sizeof(path), "c/%u", self);
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t back = 0;

		if (pvr_store_write_u64(0, path, i) || pvr_store_read_u64(0, path, &back) ||
			back != i)
			wrong++;
		if (pvr_store_read(0, "c/none", value, sizeof(value)) != -ENOENT)
			wrong++;
	}
	return NULL;
}

static void *watcher_main(void *arg)
{
	struct pvr_store_watch *watch = arg;
	uint64_t deadline = pvr_port_now_ns() + 10000000000u;
	uint32_t seen = 0;

	/* The last value is written after all others: a wake-up lost is a time-out. */
	for (uint64_t value = 0; value != 200;) {
		if (pvr_store_wait(watch, seen, deadline))
			return "lost an event";
		seen = watch->fired;
		pvr_store_read_u64(0, "c/end", &value);
	}
	return NULL;
}

static void threads_share_one_ring(void)
{
	struct pvr_store_watch watch;
	pthread_t client[3], watcher;
	unsigned names[3] = {0, 1, 2};
	void *lost;

	mock_start_with_xs();
	wrong = 0;
	CU_ASSERT_EQUAL_FATAL(pvr_store_watch(&watch, "c/end"), 0);
	pthread_create(&watcher, NULL, watcher_main, &watch);
	for (int i = 0; i < 3; i++)
		pthread_create(&client[i], NULL, client_main, &names[i]);
	for (int i = 0; i <= 200; i++) {
		char text[8];

		snprintf(text, sizeof(text), "%d", i);
		mock_xs_write("/local/domain/7/c/end", text);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(client[i], NULL);
	pthread_join(watcher, &lost);
	CU_ASSERT_PTR_NULL(lost);
	CU_ASSERT_EQUAL(wrong, 0);
	pvr_store_unwatch(&watch);
	CU_ASSERT_EQUAL(mock_xs_check(), 0);
	mock_xs_stop();
}

PVR_SUITE(store, CASE(write_read_rm), CASE(messages_beyond_the_ring), CASE(list_names),
	CASE(transactions), CASE(watches_count_each_for_itself),
	CASE(xsa_349_watch_flood_is_counted), CASE(threads_share_one_ring))
