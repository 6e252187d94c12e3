/* SPDX-License-Identifier: MIT */
/* The real core of xenstored behind the store ring. */
#include "mock_store.h"
#include "mock_port.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the core has one thread */
static struct pvr_xs *xs;
static struct pvr_xs_conn *conn, *watcher;
static unsigned watcher_events;
static void (*on_request)(void *arg);
static void *on_request_arg;
static int held;
static _Thread_local int inside;

static void ready(void *opaque)
{
	(void)opaque;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One piece of the request ring into the core. Bytes taken. */
static size_t feed(struct xenstore_domain_interface *page)
{
	uint32_t cons = page->req_cons;
	uint32_t prod = __atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE);
	size_t length = least(prod - cons, XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(cons));
	ssize_t taken;

	if (!length)
		return 0;
	taken = pvr_xs_conn_feed(conn, page->req + MASK_XENSTORE_IDX(cons), length);
	if (taken < 0)
		abort();
	__atomic_store_n(&page->req_cons, cons + (uint32_t)taken, __ATOMIC_SEQ_CST);
	return (size_t)taken;
}

/* One piece of the core's output into the response ring. Bytes sent. */
static size_t drain(struct xenstore_domain_interface *page)
{
	const void *bytes;
	uint32_t prod = page->rsp_prod;
	uint32_t used = prod - __atomic_load_n(&page->rsp_cons, __ATOMIC_SEQ_CST);
	size_t length = pvr_xs_conn_output(conn, &bytes);

	length = least(length, XENSTORE_RING_SIZE - used);
	length = least(length, XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(prod));
	if (!length)
		return 0;
	memcpy(page->rsp + MASK_XENSTORE_IDX(prod), bytes, length);
	__atomic_store_n(&page->rsp_prod, prod + (uint32_t)length, __ATOMIC_SEQ_CST);
	pvr_xs_conn_consume(conn, length);
	return length;
}

static void serve(void *arg)
{
	struct xenstore_domain_interface *page = mock_boot()->store_ring;
	size_t fed = 0, sent = 0, in, out;

	(void)arg;
	pthread_mutex_lock(&mutex);
	do {
		in = held ? 0 : feed(page);
		out = held ? 0 : drain(page);
		fed += in;
		sent += out;
	} while (in || out);
	pthread_mutex_unlock(&mutex);
	if (fed || sent)
		mock_raise(MOCK_STORE_PORT);
	if (fed && on_request && !inside) {
		inside = 1;
		on_request(on_request_arg);
		inside = 0;
	}
}

void mock_xs_start(void)
{
	static const struct pvr_xs_conn_ops ops = {.ready = ready};

	mock_xs_stop();
	xs = pvr_xs_create(NULL, NULL, NULL);
	if (!xs || pvr_xs_introduce(xs, MOCK_DOMID))
		abort();
	conn = pvr_xs_conn_create(xs, MOCK_DOMID, 0, &ops, NULL);
	if (!conn || pvr_xs_mkdir_perms(xs, "/local/domain/7", "n7"))
		abort();
	watcher = NULL;
	watcher_events = 0;
	on_request = NULL;
	held = 0;
	mock_on_send(MOCK_STORE_PORT, serve, NULL);
}

void mock_xs_stop(void)
{
	if (xs)
		pvr_xs_destroy(xs);
	xs = NULL;
}

void mock_start_with_xs(void)
{
	mock_reset();
	mock_xs_start();
	if (pvr_init(mock_boot()))
		abort();
}

void mock_xs_on_request(void (*hook)(void *arg), void *arg)
{
	on_request = hook;
	on_request_arg = arg;
}

void mock_xs_watch(const char *path)
{
	static const struct pvr_xs_conn_ops ops = {.ready = ready};
	char message[128];
	struct xsd_sockmsg header = {.type = XS_WATCH, .len = (uint32_t)strlen(path) + 3};

	memcpy(message, &header, sizeof(header));
	snprintf(message + sizeof(header), sizeof(message) - sizeof(header), "%s%c1", path, '\0');
	pthread_mutex_lock(&mutex);
	watcher = pvr_xs_conn_create(xs, 0, 1, &ops, NULL);
	if (!watcher || pvr_xs_conn_feed(watcher, message, sizeof(header) + header.len) < 0)
		abort();
	pthread_mutex_unlock(&mutex);
}

/* Equal events that wait are one, so whoever counts them asks after every change. */
unsigned mock_xs_events(void)
{
	const void *bytes;
	size_t length;
	unsigned events;

	pthread_mutex_lock(&mutex);
	while (watcher && (length = pvr_xs_conn_output(watcher, &bytes))) {
		struct xsd_sockmsg header;

		if (length < sizeof(header))
			abort();
		memcpy(&header, bytes, sizeof(header));
		watcher_events += header.type == XS_WATCH_EVENT;
		pvr_xs_conn_consume(watcher, least(length, sizeof(header) + header.len));
	}
	events = watcher_events;
	pthread_mutex_unlock(&mutex);
	return events;
}

void mock_xs_hold(int hold)
{
	pthread_mutex_lock(&mutex);
	held = hold;
	pthread_mutex_unlock(&mutex);
	serve(NULL);
}

void mock_xs_write(const char *path, const char *value)
{
	pthread_mutex_lock(&mutex);
	if (pvr_xs_write(xs, path, value))
		abort();
	pthread_mutex_unlock(&mutex);
	serve(NULL);
}

void mock_xs_mkdir(const char *path, const char *perms)
{
	pthread_mutex_lock(&mutex);
	if (pvr_xs_mkdir_perms(xs, path, perms))
		abort();
	pthread_mutex_unlock(&mutex);
}

void mock_xs_rm(const char *path)
{
	pthread_mutex_lock(&mutex);
	pvr_xs_rm(xs, path);
	pthread_mutex_unlock(&mutex);
	serve(NULL);
}

void mock_xs_read(const char *path, char *value, size_t size)
{
	pthread_mutex_lock(&mutex);
	if (pvr_xs_read(xs, path, value, size) < 0)
		value[0] = '\0';
	pthread_mutex_unlock(&mutex);
}

long mock_xs_number(const char *path)
{
	char value[32];

	mock_xs_read(path, value, sizeof(value));
	return value[0] ? strtol(value, NULL, 10) : -1;
}

unsigned mock_xs_check(void)
{
	return pvr_xs_check(xs, stderr);
}

unsigned mock_xs_watches(void)
{
	struct pvr_xs_usage usage;

	pvr_xs_usage(xs, MOCK_DOMID, &usage);
	return usage.watches;
}
