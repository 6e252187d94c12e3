/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client: one request at a time over the ring page, and watches that count.
 *
 * Everything that anybody sleeps for here raises one number, client.events: an event from
 * xenstored, a watch that fired, the release of a client others wanted. A waiter reads it, looks at
 * what it waits for, and sleeps while the number is still the one it read; so a change after the
 * look prevents the sleep.
 */
#include <pvring/evtchn.h>
#include <pvring/store.h>

#include "internal.h"
#include "store_ring.h"
#include "store_wire.h"
#include "text.h"

#include <errno.h>
#include <string.h>

/* Replies to requests that were given up before, which one request may have to skip. */
#define LATE_REPLIES_MAX 16

static struct {
	_Atomic uint32_t events;
	_Atomic uint32_t pumped; /* events as it was before the ring was last found empty */
	_Atomic uint32_t fired_total;
	_Atomic uint32_t broken;

	struct pvr_mutex mutex; /* everything below */
	struct pvr_store_ring ring;
	struct pvr_store_watch *watches;
	uint32_t last_token;
	int waiting; /* a request waits for its reply, and this is its id: */
	uint32_t req_id;
	uint32_t late; /* replies skipped since the last request */
	uint32_t have; /* bytes of the message being received, its header included */
	struct xsd_sockmsg header;
	char payload[XENSTORE_PAYLOAD_MAX + 1];
} client;

/* A request's payload lies in up to two pieces: a path with its NUL, and a value. */
struct piece {
	const void *bytes;
	size_t length;
};

/*
 * CHANGE (release), partner: the acquire loads of events before each look. Without them a waiter
 * could read the new number with the old state, and sleep on it.
 */
static void changed(void)
{
	atomic_fetch_add_explicit(&client.events, 1, memory_order_release);
	pvr_port_wake(&client.events);
}

static void on_event(evtchn_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	changed();
}

int pvr_store_init(void)
{
	memset(&client, 0, sizeof(client));
	pvr_store_ring_init(&client.ring, pvr_boot_facts.store_ring);
	/* What the ring holds already was announced before our time. */
	client.events = 1;
	pvr_evtchn_handler_set(pvr_boot_facts.store_port, on_event, NULL);
	pvr_evtchn_unmask(pvr_boot_facts.store_port);
	return 0;
}

static void client_unlock(void)
{
	/* Whoever found the client held may sleep on events, not on the mutex. */
	if (pvr_mutex_unlock(&client.mutex))
		changed();
}

/* Says so once; from then on every request ends with -EPROTO. */
static int broken(const char *what)
{
	char line[96];
	struct pvr_text text;

	if (atomic_exchange_explicit(&client.broken, 1, memory_order_relaxed))
		return -EPROTO;
	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add(&text, "xenstore: ");
	pvr_text_add(&text, what);
	pvr_text_add(&text, "; the store is not used any more");
	pvr_port_log(line);
	changed();
	return -EPROTO;
}

void pvr_store_lost(void)
{
	atomic_store_explicit(&client.broken, 1, memory_order_relaxed);
	changed();
}

int pvr_store_is_broken(void)
{
	return atomic_load_explicit(&client.broken, memory_order_relaxed) != 0;
}

static int notify(void)
{
	int r = pvr_evtchn_notify(pvr_boot_facts.store_port);

	return r ? broken("no event reaches xenstored any more") : 0;
}

/* ---- receiving ---- */

static void count_event(uint32_t token)
{
	for (struct pvr_store_watch *watch = client.watches; watch; watch = watch->next)
		if (watch->token == token) {
			atomic_fetch_add_explicit(&watch->fired, 1, memory_order_release);
			atomic_fetch_add_explicit(&client.fired_total, 1, memory_order_release);
			changed();
		}
}

/*
 * A whole message is there. 1 when it is the reply waited for (which stays in place), 0 when it is
 * done with.
 */
static int message_complete(void)
{
	uint32_t token;

	client.payload[client.header.len] = '\0';
	if (client.header.type == XS_WATCH_EVENT) {
		client.have = 0;
		if (pvr_store_wire_event(client.payload, client.header.len, &token))
			return broken("a watch event that does not parse");
		count_event(token);
		return 0;
	}
	if (client.waiting && client.header.req_id == client.req_id)
		return 1;
	client.have = 0;
	if (++client.late > LATE_REPLIES_MAX)
		return broken("replies nobody asked for");
	return 0;
}

/* Where the next bytes of the message go, and how many are missing there. */
static size_t missing(char **to)
{
	if (client.have < sizeof(client.header)) {
		*to = (char *)&client.header + client.have;
		return sizeof(client.header) - client.have;
	}
	*to = client.payload + (client.have - sizeof(client.header));
	return sizeof(client.header) + client.header.len - client.have;
}

static int message_whole(void)
{
	return client.have >= sizeof(client.header) &&
	       client.have == sizeof(client.header) + client.header.len;
}

/*
 * Take in what the ring holds, no further than a reply to client.req_id. 1: the reply is there; 0:
 * the ring was empty; -EPROTO. Bounded by what was there at the start: what comes later brings an
 * event.
 */
static int receive(void)
{
	uint32_t events = atomic_load_explicit(&client.events, memory_order_acquire);
	int pending = pvr_store_ring_pending(&client.ring), full = 0, r = 0;

	if (client.broken)
		return -EPROTO;
	if (pending < 0)
		return broken("rsp_prod is out of range");
	while (!message_whole() && pending > 0) {
		char *to;
		size_t want = missing(&to), take = want < (size_t)pending ? want : (size_t)pending;

		full |= pvr_store_ring_take(&client.ring, to, take);
		pending -= (int)take;
		client.have += (uint32_t)take;
		if (client.have == sizeof(client.header) && pvr_store_wire_header(&client.header)) {
			r = broken("a message header that cannot be");
			break;
		}
		if (message_whole()) {
			r = message_complete();
			if (r)
				break;
		}
	}
	if (full && r >= 0 && notify())
		r = -EPROTO;
	if (!r)
		atomic_store_explicit(&client.pumped, events, memory_order_relaxed);
	return r;
}

void pvr_store_pump(void)
{
	if (atomic_load_explicit(&client.events, memory_order_relaxed) ==
		atomic_load_explicit(&client.pumped, memory_order_relaxed))
		return;
	/* Who holds the client takes everything in itself, and wakes us when it lets go. */
	if (!pvr_mutex_trylock(&client.mutex))
		return;
	receive();
	client_unlock();
}

/* ---- requests ---- */

/* Make progress in both directions, or sleep until there may be some. 1: the reply is there. */
static int progress(uint32_t seen, uint64_t deadline)
{
	int r = receive();

	if (r)
		return r;
	if (pvr_port_now_ns() >= deadline)
		return -ETIMEDOUT;
	pvr_port_wait(&client.events, seen, deadline);
	return 0;
}

/* xenstored may stop reading until its own output is read, so sending receives too. */
static int send(const void *bytes, size_t length, uint64_t deadline)
{
	const char *from = bytes;

	while (length) {
		uint32_t seen = atomic_load_explicit(&client.events, memory_order_acquire);
		int n = pvr_store_ring_put(&client.ring, from, length);

		if (n < 0)
			return broken("req_cons is out of range");
		from += n;
		length -= (size_t)n;
		if (n) {
			n = notify();
			if (n)
				return n;
			continue;
		}
		n = progress(seen, deadline);
		/* Half a request in the ring cannot be taken back, nor followed by another. */
		if (n == -ETIMEDOUT)
			return broken("nobody reads the request ring");
		if (n < 0)
			return n;
		if (n)
			return broken("a reply to a request that was not sent yet");
	}
	return 0;
}

static int exchange_locked(uint32_t type, pvr_store_tx tx, const struct piece piece[2])
{
	uint64_t deadline = pvr_port_now_ns() + PVR_STORE_TIMEOUT_NS;
	struct xsd_sockmsg header = {.type = type, .req_id = ++client.req_id, .tx_id = tx};
	int r;

	header.len = (uint32_t)(piece[0].length + piece[1].length);
	client.waiting = 1;
	client.late = 0;
	r = send(&header, sizeof(header), deadline);
	for (int i = 0; i < 2 && !r; i++)
		r = send(piece[i].bytes, piece[i].length, deadline);
	for (int sleeps = 0; !r; sleeps++) {
		r = progress(atomic_load_explicit(&client.events, memory_order_acquire), deadline);
		/* Woken twice by something else than the reply: is there still somebody to send one? */
		if (!r && sleeps)
			r = notify();
	}
	client.waiting = 0;
	if (r < 0)
		return r;
	client.have = 0;
	if (client.header.type == XS_ERROR)
		return pvr_store_wire_error(client.payload, client.header.len);
	return client.header.type == type ? 0 : broken("a reply of another type than its request");
}

/*
 * One request and its reply, the reply's payload into reply[size] with a NUL behind it when there
 * is room; its length. No reply wanted: NULL, 0.
 */
static int exchange(uint32_t type, pvr_store_tx tx, const char *path, struct piece value,
	char *reply, size_t size)
{
	struct piece pieces[2] = {{path, pvr_text_length(path) + 1}, value};
	int r;

	if (pieces[0].length > XENSTORE_PAYLOAD_MAX ||
		value.length > XENSTORE_PAYLOAD_MAX - pieces[0].length)
		return -E2BIG;
	pvr_mutex_lock(&client.mutex);
	r = client.broken ? -EPROTO : exchange_locked(type, tx, pieces);
	if (!r && reply) {
		uint32_t length = client.header.len;

		if (length > size)
			r = -E2BIG;
		else
			memcpy(reply, client.payload, length + (length < size));
		if (!r)
			r = (int)length;
	}
	/*
	 * What came behind the reply was announced by the same event; nobody else would look for
	 * it.
	 */
	receive();
	client_unlock();
	return r;
}

static const struct piece nothing;

int pvr_store_read(pvr_store_tx tx, const char *path, char *value, size_t size)
{
	int length = exchange(XS_READ, tx, path, nothing, value, size);

	return length >= 0 && (size_t)length == size ? -E2BIG : length;
}

int pvr_store_read_u64(pvr_store_tx tx, const char *path, uint64_t *value)
{
	char text[PVR_U64_TEXT];
	int length = pvr_store_read(tx, path, text, sizeof(text));

	if (length < 0)
		return length == -E2BIG ? -EINVAL : length;
	if (pvr_text_length(text) != (size_t)length)
		return -EINVAL;
	return pvr_text_parse_u64(text, value);
}

int pvr_store_write(pvr_store_tx tx, const char *path, const char *value)
{
	struct piece bytes = {value, pvr_text_length(value)};

	return exchange(XS_WRITE, tx, path, bytes, NULL, 0);
}

int pvr_store_write_u64(pvr_store_tx tx, const char *path, uint64_t value)
{
	char text[PVR_U64_TEXT];

	pvr_text_format_u64(value, text);
	return pvr_store_write(tx, path, text);
}

int pvr_store_rm(pvr_store_tx tx, const char *path)
{
	return exchange(XS_RM, tx, path, nothing, NULL, 0);
}

int pvr_store_list(pvr_store_tx tx, const char *path, char *names, size_t size)
{
	int length = exchange(XS_DIRECTORY, tx, path, nothing, names, size);

	/* Callers walk the names by their NULs, so the last one must have its own. */
	if (length > 0 && names[length - 1])
		return -EPROTO;
	return length;
}

int pvr_store_tx_start(pvr_store_tx *tx)
{
	char text[PVR_U64_TEXT] = "";
	uint64_t number;
	int length = exchange(XS_TRANSACTION_START, 0, "", nothing, text, sizeof(text) - 1);

	if (length < 0)
		return length == -E2BIG ? -EPROTO : length;
	if (pvr_text_parse_u64(text, &number) || !number || number > UINT32_MAX)
		return -EPROTO;
	*tx = (pvr_store_tx)number;
	return 0;
}

int pvr_store_tx_end(pvr_store_tx tx, int commit)
{
	return exchange(XS_TRANSACTION_END, tx, commit ? "T" : "F", nothing, NULL, 0);
}

/* ---- watches ---- */

static int watch_request(uint32_t type, struct pvr_store_watch *watch)
{
	char token[PVR_U64_TEXT];
	struct piece value = {token, pvr_text_format_u64(watch->token, token) + 1};

	return exchange(type, 0, watch->path, value, NULL, 0);
}

static void watch_unlink(struct pvr_store_watch *watch)
{
	pvr_mutex_lock(&client.mutex);
	for (struct pvr_store_watch **at = &client.watches; *at; at = &(*at)->next)
		if (*at == watch) {
			*at = watch->next;
			break;
		}
	client_unlock();
}

int pvr_store_watch(struct pvr_store_watch *watch, const char *path)
{
	size_t length = pvr_text_length(path);
	int r;

	if (length >= sizeof(watch->path))
		return -E2BIG;
	memcpy(watch->path, path, length + 1);
	watch->fired = 0;
	/* In the list before xenstored knows of it: the first event may come with the reply. */
	pvr_mutex_lock(&client.mutex);
	watch->token = ++client.last_token;
	watch->next = client.watches;
	client.watches = watch;
	client_unlock();
	r = watch_request(XS_WATCH, watch);
	if (r)
		watch_unlink(watch);
	return r;
}

/* An event still under way afterwards finds no watch of its token, and is dropped. */
void pvr_store_unwatch(struct pvr_store_watch *watch)
{
	watch_request(XS_UNWATCH, watch);
	watch_unlink(watch);
}

static int wait_change(const _Atomic uint32_t *number, uint32_t seen, uint64_t deadline)
{
	for (;;) {
		uint32_t events = atomic_load_explicit(&client.events, memory_order_acquire);

		pvr_store_pump();
		if (atomic_load_explicit(number, memory_order_acquire) != seen)
			return 0;
		if (client.broken)
			return -EPROTO;
		if (pvr_port_now_ns() >= deadline)
			return -ETIMEDOUT;
		pvr_port_wait(&client.events, events, deadline);
	}
}

int pvr_store_wait(struct pvr_store_watch *watch, uint32_t seen, uint64_t deadline_ns)
{
	return wait_change(&watch->fired, seen, deadline_ns);
}

int pvr_store_wait_any(uint32_t *fired_total, uint64_t deadline_ns)
{
	int r = wait_change(&client.fired_total, *fired_total, deadline_ns);

	if (!r)
		*fired_total = atomic_load_explicit(&client.fired_total, memory_order_acquire);
	return r;
}
