/* SPDX-License-Identifier: MIT */
/*
 * The way to the store for dom0: a stream socket that speaks xs_wire, as the xenstore tools expect
 * it. Only root and the daemon's user come in; whoever connects acts as domain 0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hv.h"

struct xs_client {
	TAILQ_ENTRY(xs_client) entry;
	struct hv_later later;
	struct hv_source source;
	struct hv *hv;
	struct pvr_xs_conn *conn;
};

static TAILQ_HEAD(, xs_client) xs_clients = TAILQ_HEAD_INITIALIZER(xs_clients);

static void client_drop(struct xs_client *client)
{
	TAILQ_REMOVE(&xs_clients, client, entry);
	client->hv->xs_client_count--;
	hv_later_cancel(client->hv, &client->later);
	pvr_xs_conn_destroy(client->conn);
	close(hv_source_remove(client->hv, &client->source));
	free(client);
}

/* Send what waits. 0, or negative: the client is gone. */
static int client_send(struct xs_client *client)
{
	const void *bytes;
	size_t n;

	while ((n = pvr_xs_conn_output(client->conn, &bytes))) {
		ssize_t sent = send(client->source.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		pvr_xs_conn_consume(client->conn, (size_t)sent);
	}
	return 0;
}

/* One read, of what the store will surely take. 0, or negative: the client is gone or breaks the
 * protocol. */
static int client_receive(struct xs_client *client)
{
	uint8_t bytes[XENSTORE_PAYLOAD_MAX];
	size_t want = pvr_xs_conn_wants(client->conn);
	ssize_t n;

	if (!want)
		return 0;
	n = recv(client->source.fd, bytes, want < sizeof(bytes) ? want : sizeof(bytes),
		MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	return pvr_xs_conn_feed(client->conn, bytes, (size_t)n) == n ? 0 : -EPROTO;
}

/* Wait for what can go on: not for requests of a client that is held up, nor for room that is not
 * needed. */
static void client_arm(struct xs_client *client)
{
	const void *bytes;
	uint32_t events = 0;

	if (pvr_xs_conn_wants(client->conn))
		events |= EPOLLIN;
	if (pvr_xs_conn_output(client->conn, &bytes))
		events |= EPOLLOUT;
	hv_source_arm(client->hv, &client->source, events);
}

static void client_event(struct hv_source *source, uint32_t events)
{
	struct xs_client *client = container_of(source, struct xs_client, source);
	int err = 0;

	if (events & EPOLLIN)
		err = client_receive(client);
	else if (events & (EPOLLERR | EPOLLHUP))
		err = -ECONNRESET;
	if (!err)
		err = client_send(client);
	if (err) {
		if (err == -EPROTO)
			hv_log("xenstore: a client breaks the protocol, disconnected");
		client_drop(client);
		return;
	}
	client_arm(client);
}

static void client_serve(struct hv_later *later)
{
	struct xs_client *client = container_of(later, struct xs_client, later);

	if (client_send(client))
		client_drop(client);
	else
		client_arm(client);
}

static void client_ready(void *opaque)
{
	struct xs_client *client = opaque;

	hv_later_queue(client->hv, &client->later);
}

static int client_new(struct hv *hv, int fd)
{
	static const struct pvr_xs_conn_ops ops = {client_ready};
	struct ucred who;
	socklen_t length = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		return -errno;
	if (who.uid != 0 && who.uid != geteuid())
		return -EACCES;
	if (hv->xs_client_count >= HV_XS_CLIENTS_MAX)
		return -EMFILE;
	struct xs_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->hv = hv;
	client->later.run = client_serve;
	client->source = (struct hv_source){client_event, -1};
	client->conn = pvr_xs_conn_create(hv->xs, 0, 1, &ops, client);
	int err = client->conn ? hv_source_add(hv, &client->source, fd, EPOLLIN) : -ENOMEM;

	if (err) {
		if (client->conn)
			pvr_xs_conn_destroy(client->conn);
		free(client);
		return err;
	}
	TAILQ_INSERT_TAIL(&xs_clients, client, entry);
	hv->xs_client_count++;
	return 0;
}

void hv_xs_accept(struct hv_source *source, uint32_t events)
{
	(void)events;
	hv_accept(container_of(source, struct hv, xenstored), source->fd, "xenstore: a client", client_new);
}

void hv_xs_clients_free(struct hv *hv)
{
	(void)hv;
	while (!TAILQ_EMPTY(&xs_clients))
		client_drop(TAILQ_FIRST(&xs_clients));
}
