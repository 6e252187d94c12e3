/* SPDX-License-Identifier: MIT */
/*
 * The mock of pvring/host.h: see mock_host.h. One lock over everything; the real xenstored core is
 * fed the same bytes a client would send.
 */
#include "mock_host.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pvring/xen/xs_wire.h>
#include <pvring/xenstored.h>

#define REFS         512u
#define PORTS        64u
#define PORT_BASE    100u /* a local port is never the remote's number */
#define EVENTS       4096u
#define MEMORY_BYTES ((size_t)MOCK_FRAMES * 4096)
#define BRIEF        1024u    /* pages in place of granted ones */
#define BRIEF_BASE   0x10000u /* their handles begin here */

struct event {
	char path[256], token[64];
};

struct pvr_host {
	int evtchn_fd, store_fd;
	struct pvr_xs_conn *conn;
	struct event *events;
	unsigned event_head, event_count;
	struct {
		struct xsd_sockmsg header;
		char payload[XENSTORE_PAYLOAD_MAX + 1];
	} message; /* the one being received */
	size_t have;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Shared with children that are forked, so that they can be killed. */
static uint8_t (*memory)[4096];
static struct {
	int valid, readonly;
	unsigned frame, mapped;
} grants[REFS];
static struct {
	int used, fd, pending;
	struct pvr_host *host; /* bound to */
} ports[PORTS];
static uint8_t brief[BRIEF][4096], brief_used[BRIEF];
static int brief_copies;
static unsigned mapped, areas, bound, handles, fail_at, map_limit, maps_waiting;
static int maps_held;
static pthread_cond_t maps_released = PTHREAD_COND_INITIALIZER;
static struct pvr_xs *store;

/* ---- the test's hand ---- */

void mock_host_reset(void)
{
	pthread_mutex_lock(&lock);
	assert(handles == 0);
	if (!memory)
		memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(memory != MAP_FAILED);
	memset(memory, 0, MEMORY_BYTES);
	memset(grants, 0, sizeof(grants));
	for (unsigned i = 0; i < PORTS; i++)
		if (ports[i].used)
			close(ports[i].fd);
	memset(ports, 0, sizeof(ports));
	memset(brief_used, 0, sizeof(brief_used));
	mapped = areas = bound = fail_at = 0;
	map_limit = UINT32_MAX;
	if (store)
		pvr_xs_destroy(store);
	store = pvr_xs_create(NULL, NULL, NULL);
	assert(store);
	pthread_mutex_unlock(&lock);
}

unsigned mock_host_held(void)
{
	unsigned held;

	pthread_mutex_lock(&lock);
	held = mapped + areas + bound + handles;
	pthread_mutex_unlock(&lock);
	return held;
}

void mock_host_die(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < REFS; i++)
		grants[i].mapped = 0;
	memset(brief_used, 0, sizeof(brief_used));
	for (unsigned i = 0; i < PORTS; i++) {
		ports[i].host = NULL;
		ports[i].pending = 0;
	}
	mapped = areas = bound = 0;
	pthread_mutex_unlock(&lock);
}

unsigned mock_host_mapped(void)
{
	unsigned count;

	pthread_mutex_lock(&lock);
	count = mapped;
	pthread_mutex_unlock(&lock);
	return count;
}

void *mock_page(unsigned frame)
{
	assert(frame < MOCK_FRAMES);
	return memory[frame];
}

grant_ref_t mock_grant(unsigned frame, int readonly)
{
	unsigned ref = GNTTAB_NR_RESERVED_ENTRIES;

	pthread_mutex_lock(&lock);
	while (grants[ref].valid)
		ref++;
	assert(ref < REFS);
	grants[ref].valid = 1;
	grants[ref].readonly = readonly;
	grants[ref].frame = frame;
	pthread_mutex_unlock(&lock);
	return ref;
}

void mock_revoke(grant_ref_t ref)
{
	pthread_mutex_lock(&lock);
	grants[ref].valid = 0;
	pthread_mutex_unlock(&lock);
}

void mock_fail_map(unsigned nth)
{
	pthread_mutex_lock(&lock);
	fail_at = nth;
	pthread_mutex_unlock(&lock);
}

void mock_copy_brief(int yes)
{
	pthread_mutex_lock(&lock);
	brief_copies = yes;
	pthread_mutex_unlock(&lock);
}

int mock_copies(void)
{
	int yes;

	pthread_mutex_lock(&lock);
	yes = brief_copies;
	pthread_mutex_unlock(&lock);
	return yes;
}

int mock_copy_begin(void)
{
	mock_copy_brief(1);
	return 0;
}

int mock_copy_end(void)
{
	mock_copy_brief(0);
	return 0;
}

void mock_limit_maps(unsigned count)
{
	pthread_mutex_lock(&lock);
	map_limit = count;
	pthread_mutex_unlock(&lock);
}

evtchn_port_t mock_port(void)
{
	unsigned port = 1;

	pthread_mutex_lock(&lock);
	while (ports[port].used)
		port++;
	assert(port < PORTS);
	ports[port].used = 1;
	ports[port].fd = eventfd(0, EFD_NONBLOCK);
	assert(ports[port].fd >= 0);
	pthread_mutex_unlock(&lock);
	return port;
}

static void bump(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	assert(n == sizeof(one));
}

void mock_port_send(evtchn_port_t port)
{
	pthread_mutex_lock(&lock);
	if (ports[port].host && !ports[port].pending) {
		ports[port].pending = 1;
		bump(ports[port].host->evtchn_fd);
	}
	pthread_mutex_unlock(&lock);
}

unsigned mock_port_events(evtchn_port_t port, int timeout_ms)
{
	struct pollfd fd = {.fd = ports[port].fd, .events = POLLIN};
	uint64_t count;

	if (poll(&fd, 1, timeout_ms) <= 0 || read(fd.fd, &count, sizeof(count)) < 0)
		return 0;
	return (unsigned)count;
}

void mock_store_write(const char *path, const char *format, ...)
{
	char value[2048];
	va_list list;
	int result;

	va_start(list, format);
	vsnprintf(value, sizeof(value), format, list);
	va_end(list);
	pthread_mutex_lock(&lock);
	result = pvr_xs_write(store, path, value);
	assert(result == 0);
	pthread_mutex_unlock(&lock);
}

int mock_store_read(const char *path, char *value, size_t size)
{
	ssize_t result;

	pthread_mutex_lock(&lock);
	result = pvr_xs_read(store, path, value, size);
	pthread_mutex_unlock(&lock);
	return (int)result;
}

void mock_store_rm(const char *path)
{
	pthread_mutex_lock(&lock);
	pvr_xs_rm(store, path);
	pthread_mutex_unlock(&lock);
}

/* ---- host.h: handles ---- */

static void store_ready(void *opaque)
{
	bump(((struct pvr_host *)opaque)->store_fd);
}

int pvr_host_open(const char *address, struct pvr_host **host)
{
	static const struct pvr_xs_conn_ops ops = {store_ready};
	struct pvr_host *new = calloc(1, sizeof(*new));

	(void)address;
	assert(new);
	new->events = calloc(EVENTS, sizeof(*new->events));
	new->evtchn_fd = eventfd(0, EFD_NONBLOCK);
	new->store_fd = eventfd(0, EFD_NONBLOCK);
	assert(new->events &&new->evtchn_fd >= 0 && new->store_fd >= 0);
	pthread_mutex_lock(&lock);
	new->conn = pvr_xs_conn_create(store, 0, 1, &ops, new);
	assert(new->conn);
	handles++;
	pthread_mutex_unlock(&lock);
	*host = new;
	return 0;
}

void pvr_host_close(struct pvr_host *host)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < PORTS; i++)
		assert(ports[i].host != host);
	pvr_xs_conn_destroy(host->conn);
	handles--;
	pthread_mutex_unlock(&lock);
	close(host->evtchn_fd);
	close(host->store_fd);
	free(host->events);
	free(host);
}

int pvr_host_on_xen(void)
{
	return 0;
}

const unsigned long *pvr_host_ioctls(const struct pvr_host *host, unsigned *count)
{
	(void)host;
	*count = 0;
	return NULL;
}

/* ---- host.h: grants ---- */

void mock_hold_maps(int held)
{
	pthread_mutex_lock(&lock);
	maps_held = held;
	pthread_cond_broadcast(&maps_released);
	pthread_mutex_unlock(&lock);
}

unsigned mock_maps_waiting(void)
{
	unsigned waiting;

	pthread_mutex_lock(&lock);
	waiting = maps_waiting;
	pthread_mutex_unlock(&lock);
	return waiting;
}

/* Whether its owner lets the page be used so. */
static int16_t check_one(const struct pvr_host_map *map)
{
	if (fail_at && --fail_at == 0)
		return GNTST_general_error;
	if (map->domid != MOCK_DOMID)
		return GNTST_bad_domain;
	if (map->ref >= REFS || !grants[map->ref].valid)
		return GNTST_bad_gntref;
	if (grants[map->ref].readonly && !map->readonly)
		return GNTST_general_error;
	return GNTST_okay;
}

/* The bytes of a brief mapping, one way. */
static void brief_copy(const struct pvr_host_map *map, uint8_t *local)
{
	uint8_t *page = memory[grants[map->ref].frame] + map->offset;

	assert(map->offset + map->length <= 4096);
	memcpy(map->readonly ? local + map->offset : page,
		map->readonly ? page : local + map->offset, map->length);
}

static int16_t brief_map(struct pvr_host_map *map)
{
	int16_t status = map->readonly && map->length ? check_one(map) : GNTST_okay;
	unsigned at = 0;

	if (status != GNTST_okay)
		return status;
	while (at < BRIEF && brief_used[at])
		at++;
	if (at == BRIEF || mapped >= map_limit)
		return GNTST_no_space;
	brief_used[at] = 1;
	memset(brief[at], 0xdb, sizeof(brief[at]));
	if (map->readonly && map->length)
		brief_copy(map, brief[at]);
	map->address = brief[at];
	map->handle = BRIEF_BASE + at;
	map->copied = 1;
	mapped++;
	return GNTST_okay;
}

static void brief_unmap(struct pvr_host_map *map)
{
	unsigned at = map->handle - BRIEF_BASE;

	assert(at < BRIEF && brief_used[at]);
	if (!map->readonly && map->length) {
		map->status = check_one(map);
		if (map->status == GNTST_okay)
			brief_copy(map, brief[at]);
	}
	memset(brief[at], 0xbd, sizeof(brief[at]));
	brief_used[at] = 0;
	mapped--;
}

static int16_t map_one(struct pvr_host_map *map)
{
	int16_t status;

	if (map->brief && brief_copies)
		return brief_map(map);
	status = check_one(map);
	if (status != GNTST_okay)
		return status;
	if (mapped >= map_limit)
		return GNTST_no_space;
	map->address = memory[grants[map->ref].frame];
	map->handle = map->ref;
	grants[map->ref].mapped++;
	mapped++;
	return GNTST_okay;
}

unsigned pvr_host_map(struct pvr_host *host, struct pvr_host_map *maps, unsigned count)
{
	unsigned okay = 0;

	(void)host;
	pthread_mutex_lock(&lock);
	maps_waiting++;
	while (maps_held)
		pthread_cond_wait(&maps_released, &lock);
	maps_waiting--;
	for (unsigned i = 0; i < count; i++) {
		maps[i].status = map_one(&maps[i]);
		okay += maps[i].status == GNTST_okay;
	}
	pthread_mutex_unlock(&lock);
	return okay;
}

void pvr_host_unmap(struct pvr_host *host, struct pvr_host_map *maps, unsigned count)
{
	(void)host;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < count; i++) {
		if (maps[i].copied) {
			brief_unmap(&maps[i]);
			continue;
		}
		assert(grants[maps[i].handle].mapped > 0);
		grants[maps[i].handle].mapped--;
		mapped--;
	}
	pthread_mutex_unlock(&lock);
}

static int16_t copy_one(const struct pvr_host_copy *copy)
{
	uint8_t *page;

	if (copy->domid != MOCK_DOMID)
		return GNTST_bad_domain;
	if (copy->ref >= REFS || !grants[copy->ref].valid)
		return GNTST_bad_gntref;
	if (copy->to_guest && grants[copy->ref].readonly)
		return GNTST_general_error;
	if (copy->offset + copy->length > 4096)
		return GNTST_bad_copy_arg;
	page = memory[grants[copy->ref].frame] + copy->offset;
	memcpy(copy->to_guest ? page : copy->local, copy->to_guest ? copy->local : page,
		copy->length);
	return GNTST_okay;
}

unsigned pvr_host_copy(struct pvr_host *host, struct pvr_host_copy *copies, unsigned count)
{
	unsigned okay = 0;

	(void)host;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < count; i++) {
		copies[i].status = copy_one(&copies[i]);
		okay += copies[i].status == GNTST_okay;
	}
	pthread_mutex_unlock(&lock);
	return okay;
}

int pvr_host_map_area(struct pvr_host *host, domid_t domid, const grant_ref_t *refs, unsigned count,
	struct pvr_host_area *area, int16_t *status)
{
	unsigned okay;

	assert(count >= 1 && count <= 16);
	area->count = count;
	for (unsigned i = 0; i < count; i++)
		area->pages[i] = (struct pvr_host_map){.domid = domid, .ref = refs[i]};
	okay = pvr_host_map(host, area->pages, count);
	*status = GNTST_okay;
	for (unsigned i = 0; i < count; i++) {
		char *first = area->pages[0].address;

		if (area->pages[i].status != GNTST_okay)
			*status = area->pages[i].status;
		else if (okay ==
			 count) /* the mock has no page tables: tests grant rings in one piece */
			assert((char *)area->pages[i].address == first + 4096 * i);
	}
	if (okay < count) {
		for (unsigned i = 0; i < count; i++)
			if (area->pages[i].status == GNTST_okay)
				pvr_host_unmap(host, &area->pages[i], 1);
		return -EACCES;
	}
	area->address = area->pages[0].address;
	area->memory = memory;
	area->memory_bytes = MEMORY_BYTES;
	pthread_mutex_lock(&lock);
	areas++;
	pthread_mutex_unlock(&lock);
	return 0;
}

void pvr_host_unmap_area(struct pvr_host *host, struct pvr_host_area *area)
{
	pvr_host_unmap(host, area->pages, area->count);
	pthread_mutex_lock(&lock);
	areas--;
	pthread_mutex_unlock(&lock);
}

/* ---- host.h: event channels ---- */

int pvr_host_evtchn_bind(struct pvr_host *host, domid_t domid, evtchn_port_t remote)
{
	int result = -EINVAL;

	pthread_mutex_lock(&lock);
	if (domid == MOCK_DOMID && remote < PORTS && ports[remote].used && !ports[remote].host) {
		ports[remote].host = host;
		/* As Xen does: a port is pending when it was just bound. */
		ports[remote].pending = 1;
		bump(host->evtchn_fd);
		bound++;
		result = (int)(remote + PORT_BASE);
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void pvr_host_evtchn_unbind(struct pvr_host *host, evtchn_port_t port)
{
	pthread_mutex_lock(&lock);
	assert(ports[port - PORT_BASE].host == host);
	ports[port - PORT_BASE].host = NULL;
	ports[port - PORT_BASE].pending = 0;
	bound--;
	pthread_mutex_unlock(&lock);
}

void pvr_host_evtchn_notify(struct pvr_host *host, evtchn_port_t port)
{
	pthread_mutex_lock(&lock);
	assert(ports[port - PORT_BASE].host == host);
	bump(ports[port - PORT_BASE].fd);
	pthread_mutex_unlock(&lock);
}

int pvr_host_evtchn_fd(struct pvr_host *host)
{
	return host->evtchn_fd;
}

int pvr_host_evtchn_pending(struct pvr_host *host)
{
	int port = -EAGAIN;
	uint64_t count;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < PORTS && port < 0; i++)
		if (ports[i].host == host && ports[i].pending) {
			ports[i].pending = 0;
			port = (int)(i + PORT_BASE);
		}
	if (port < 0 && read(host->evtchn_fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
	pthread_mutex_unlock(&lock);
	return port;
}

/* ---- host.h: the store ---- */

static int error_number(const char *name)
{
#define IF_NAMED(error)                                                                            \
	if (!strcmp(name, #error))                                                                 \
		return -error;
	XSD_ERRORS(IF_NAMED)
#undef IF_NAMED
	return -EIO;
}

static void keep_event(struct pvr_host *host)
{
	const char *path = host->message.payload, *token = path + strlen(path) + 1;
	struct event *event;

	for (unsigned i = 0; i < host->event_count; i++) {
		event = &host->events[(host->event_head + i) % EVENTS];
		if (!strcmp(event->path, path) && !strcmp(event->token, token))
			return;
	}
	assert(host->event_count < EVENTS);
	event = &host->events[(host->event_head + host->event_count++) % EVENTS];
	assert(strlen(path) < sizeof(event->path) && strlen(token) < sizeof(event->token));
	strcpy(event->path, path);
	strcpy(event->token, token);
}

/* Receive the rest of one message; 1 when it is whole. */
static int receive(struct pvr_host *host)
{
	const void *bytes;
	size_t n, want, header = sizeof(host->message.header);

	while ((n = pvr_xs_conn_output(host->conn, &bytes)) > 0) {
		want = host->have < header ? header - host->have
					   : header + host->message.header.len - host->have;
		if (n > want)
			n = want;
		memcpy((char *)&host->message + host->have, bytes, n);
		pvr_xs_conn_consume(host->conn, n);
		host->have += n;
		if (host->have >= header && host->have == header + host->message.header.len) {
			host->message.payload[host->message.header.len] = '\0';
			host->have = 0;
			return 1;
		}
	}
	return 0;
}

/*
 * Sends a message and takes the answer, which is there at once: the store is a function call away.
 */
static int request(
	struct pvr_host *host, uint32_t type, pvr_host_tx tx, const char *bytes, size_t length)
{
	struct xsd_sockmsg header = {.type = type, .tx_id = tx, .len = (uint32_t)length};
	char message[sizeof(header) + XENSTORE_PAYLOAD_MAX];

	assert(length <= XENSTORE_PAYLOAD_MAX);
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), bytes, length);
	for (size_t at = 0; at < sizeof(header) + length;) {
		ssize_t n =
			pvr_xs_conn_feed(host->conn, message + at, sizeof(header) + length - at);

		assert(n >= 0);
		at += (size_t)n;
	}
	while (receive(host)) {
		if (host->message.header.type == XS_WATCH_EVENT) {
			keep_event(host);
			continue;
		}
		if (host->message.header.type == XS_ERROR)
			return error_number(host->message.payload);
		return (int)host->message.header.len;
	}
	assert(!"the store did not answer");
	return -EIO;
}

/* A request of a path and what follows it; the answer's payload into value, with NUL. */
static int ask(struct pvr_host *host, uint32_t type, pvr_host_tx tx, const char *path,
	const char *rest, size_t rest_length, char *value, size_t size)
{
	char bytes[XENSTORE_PAYLOAD_MAX];
	size_t length = strlen(path) + 1;
	int result;

	assert(length + rest_length <= sizeof(bytes));
	memcpy(bytes, path, length);
	memcpy(bytes + length, rest, rest_length);
	pthread_mutex_lock(&lock);
	result = request(host, type, tx, bytes, length + rest_length);
	if (result >= 0 && value && (size_t)result >= size)
		result = -E2BIG;
	if (result >= 0 && value)
		memcpy(value, host->message.payload, (size_t)result + 1);
	/* Events that came along must not be forgotten when somebody polls. */
	if (host->event_count)
		bump(host->store_fd);
	pthread_mutex_unlock(&lock);
	return result;
}

static int done(int result)
{
	return result < 0 ? result : 0;
}

int pvr_host_store_read(
	struct pvr_host *host, pvr_host_tx tx, const char *path, char *value, size_t size)
{
	return ask(host, XS_READ, tx, path, "", 0, value, size);
}

int pvr_host_store_write(struct pvr_host *host, pvr_host_tx tx, const char *path, const char *value)
{
	return done(ask(host, XS_WRITE, tx, path, value, strlen(value), NULL, 0));
}

int pvr_host_store_rm(struct pvr_host *host, pvr_host_tx tx, const char *path)
{
	return done(ask(host, XS_RM, tx, path, "", 0, NULL, 0));
}

int pvr_host_store_list(
	struct pvr_host *host, pvr_host_tx tx, const char *path, char *names, size_t size)
{
	return ask(host, XS_DIRECTORY, tx, path, "", 0, names, size);
}

int pvr_host_store_tx_start(struct pvr_host *host, pvr_host_tx *tx)
{
	char number[16];
	int result = ask(host, XS_TRANSACTION_START, 0, "", "", 0, number, sizeof(number));

	if (result >= 0)
		*tx = (pvr_host_tx)strtoul(number, NULL, 10);
	return done(result);
}

int pvr_host_store_tx_end(struct pvr_host *host, pvr_host_tx tx, int commit)
{
	return done(ask(host, XS_TRANSACTION_END, tx, commit ? "T" : "F", "", 0, NULL, 0));
}

int pvr_host_store_set_perms(
	struct pvr_host *host, pvr_host_tx tx, const char *path, const char *perms, size_t length)
{
	return done(ask(host, XS_SET_PERMS, tx, path, perms, length, NULL, 0));
}

int pvr_host_store_watch(struct pvr_host *host, const char *path, const char *token)
{
	return done(ask(host, XS_WATCH, 0, path, token, strlen(token) + 1, NULL, 0));
}

int pvr_host_store_unwatch(struct pvr_host *host, const char *path, const char *token)
{
	return done(ask(host, XS_UNWATCH, 0, path, token, strlen(token) + 1, NULL, 0));
}

int pvr_host_store_event(
	struct pvr_host *host, char *path, size_t path_size, char *token, size_t token_size)
{
	uint64_t count;
	int result = 0;

	pthread_mutex_lock(&lock);
	if (read(host->store_fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
	while (receive(host))
		keep_event(host);
	if (host->event_count) {
		struct event *event = &host->events[host->event_head];

		snprintf(path, path_size, "%s", event->path);
		snprintf(token, token_size, "%s", event->token);
		host->event_head = (host->event_head + 1) % EVENTS;
		host->event_count--;
		if (host->event_count)
			bump(host->store_fd);
		result = 1;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

int pvr_host_store_fd(struct pvr_host *host)
{
	return host->store_fd;
}
