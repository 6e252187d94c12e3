/* SPDX-License-Identifier: MIT */
/*
 * A backend's xenstore client: Xen's xs_wire over the stream socket, of our xenstored or of Xen's. One
 * request at a time; watch events that arrive between a request and its reply wait in a queue
 * (watch.c).
 *
 * libxenstore would do for Xen's, but its reader thread queues whatever arrives without a bound, so a
 * guest that writes its state in a loop would fill this process's memory (XSA-349).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"
#include "store.h"

static const struct {
	const char *name;
	int number;
} errors[] = {
#define XSD_ERROR(name) {#name, name},
	XSD_ERRORS(XSD_ERROR)
#undef XSD_ERROR
};

static int store_connect(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

int host_store_open(struct pvr_host *host, const char *path)
{
	struct host_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	host->store = s;
	s->fd = store_connect(path);
	return s->fd < 0 ? s->fd : 0;
}

void host_store_close(struct pvr_host *host)
{
	struct host_store *s = host->store;

	if (!s)
		return;
	watches_free(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* The stream is broken or the daemon speaks nonsense: nothing more can be made of it. */
static int store_lost(struct host_store *s)
{
	s->lost = 1;
	return -ECONNRESET;
}

/*
 * Go on receiving the message under way. 1: complete in s->head and s->body; 0: no more bytes now
 * (only with MSG_DONTWAIT in flags); -ECONNRESET.
 */
static int message_receive(struct host_store *s, int flags)
{
	for (;;) {
		size_t want = sizeof(s->head) - s->got;
		char *to = (char *)&s->head + s->got;

		if (s->got >= sizeof(s->head)) {
			size_t body = s->got - sizeof(s->head);

			if (s->head.len > XENSTORE_PAYLOAD_MAX)
				return store_lost(s);
			want = s->head.len - body;
			to = s->body + body;
			if (!want)
				break;
		}
		ssize_t n = recv(s->fd, to, want, flags);

		if (n > 0)
			s->got += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			return 0;
		else if (n == 0 || errno != EINTR)
			return store_lost(s);
	}
	s->got = 0;
	s->body[s->head.len] = 0;
	return 1;
}

static int request_send(struct host_store *s, const struct xsd_sockmsg *head, const char *body)
{
	struct iovec parts[2] = {
		{(void *)(uintptr_t)head, sizeof(*head)}, {(void *)(uintptr_t)body, head->len}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};

	while (parts[0].iov_len + parts[1].iov_len) {
		ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return store_lost(s);
		for (int i = 0; i < 2; i++) {
			size_t part = parts[i].iov_len < (size_t)n ? parts[i].iov_len : (size_t)n;

			parts[i].iov_base = (char *)parts[i].iov_base + part;
			parts[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(errors[i].name, name))
			return -errors[i].number;
	return -EIO;
}

/* Send a request of `length` bytes and sleep until its reply is in s->body: its length, or a
 * negative errno. */
static int talk(
	struct host_store *s, uint32_t type, pvr_host_tx tx, const char *body, size_t length)
{
	struct xsd_sockmsg head = {
		.type = type, .req_id = ++s->request, .tx_id = tx, .len = (uint32_t)length};

	if (s->lost)
		return -ECONNRESET;
	if (length > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	int err = request_send(s, &head, body);

	while (!err && (err = message_receive(s, 0)) > 0) {
		err = 0;
		if (s->head.type == XS_WATCH_EVENT)
			watch_event_take(s);
		else if (s->head.req_id != head.req_id)
			return store_lost(s);
		else if (s->head.type == XS_ERROR)
			return error_number(s->body);
		else if (s->head.type != type)
			return store_lost(s);
		else
			return (int)s->head.len;
	}
	return err;
}

/* A request whose payload is path, NUL, and `length` bytes of data. */
static int talk_path(struct host_store *s, uint32_t type, pvr_host_tx tx, const char *path,
	const char *data, size_t length)
{
	size_t path_size = strlen(path) + 1;
	char body[XENSTORE_PAYLOAD_MAX];

	if (path_size > sizeof(body) || length > sizeof(body) - path_size)
		return -E2BIG;
	memcpy(body, path, path_size);
	if (length)
		memcpy(body + path_size, data, length);
	return talk(s, type, tx, body, path_size + length);
}

int pvr_host_store_read(
	struct pvr_host *host, pvr_host_tx tx, const char *path, char *value, size_t size)
{
	int length = talk_path(host->store, XS_READ, tx, path, NULL, 0);

	if (length < 0)
		return length;
	if ((size_t)length >= size)
		return -E2BIG;
	memcpy(value, host->store->body, (size_t)length + 1);
	return length;
}

static int done(int length)
{
	return length < 0 ? length : 0;
}

int pvr_host_store_write(struct pvr_host *host, pvr_host_tx tx, const char *path, const char *value)
{
	return done(talk_path(host->store, XS_WRITE, tx, path, value, strlen(value)));
}

int pvr_host_store_rm(struct pvr_host *host, pvr_host_tx tx, const char *path)
{
	return done(talk_path(host->store, XS_RM, tx, path, NULL, 0));
}

int pvr_host_store_list(
	struct pvr_host *host, pvr_host_tx tx, const char *path, char *names, size_t size)
{
	int length = talk_path(host->store, XS_DIRECTORY, tx, path, NULL, 0);

	if (length < 0)
		return length;
	if ((size_t)length > size)
		return -E2BIG;
	memcpy(names, host->store->body, (size_t)length);
	return length;
}

int pvr_host_store_tx_start(struct pvr_host *host, pvr_host_tx *tx)
{
	int length = talk(host->store, XS_TRANSACTION_START, 0, "", 1);
	char *end;

	if (length < 0)
		return length;
	unsigned long number = strtoul(host->store->body, &end, 10);

	if (end == host->store->body || !number || number > UINT32_MAX)
		return store_lost(host->store);
	*tx = (pvr_host_tx)number;
	return 0;
}

int pvr_host_store_tx_end(struct pvr_host *host, pvr_host_tx tx, int commit)
{
	return done(talk(host->store, XS_TRANSACTION_END, tx, commit ? "T" : "F", 2));
}

int pvr_host_store_set_perms(
	struct pvr_host *host, pvr_host_tx tx, const char *path, const char *perms, size_t length)
{
	return done(talk_path(host->store, XS_SET_PERMS, tx, path, perms, length));
}

int pvr_host_store_watch(struct pvr_host *host, const char *path, const char *token)
{
	struct host_store *s = host->store;
	int err = watch_add(s, path, token);

	/* Known before the server is asked: the first event may come ahead of the reply. */
	if (err)
		return err;
	err = done(talk_path(s, XS_WATCH, 0, path, token, strlen(token) + 1));
	if (err)
		watch_remove(s, path, token);
	return err;
}

int pvr_host_store_unwatch(struct pvr_host *host, const char *path, const char *token)
{
	struct host_store *s = host->store;
	int err = done(talk_path(s, XS_UNWATCH, 0, path, token, strlen(token) + 1));

	if (!err)
		watch_remove(s, path, token);
	return err;
}

int pvr_host_store_event(
	struct pvr_host *host, char *path, size_t path_size, char *token, size_t token_size)
{
	struct host_store *s = host->store;

	/* Take in what has arrived; a flood that keeps arriving must not keep us here. */
	for (unsigned i = 0; !s->lost && i < WATCH_EVENTS_MAX; i++) {
		int n = message_receive(s, MSG_DONTWAIT);

		if (n <= 0)
			break;
		if (s->head.type != XS_WATCH_EVENT)
			return store_lost(s);
		watch_event_take(s);
	}
	int n = watch_event_next(s, path, path_size, token, token_size);

	return n == 0 && s->lost ? -ECONNRESET : n;
}

int pvr_host_store_fd(struct pvr_host *host)
{
	return host->store->fd;
}
