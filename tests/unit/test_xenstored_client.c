/* SPDX-License-Identifier: MIT */
/*
 * The tests' client of the store.
 */
#include "suite.h"
#include "test_xenstored.h"

#include <stdlib.h>

static void ready(void *opaque)
{
	((struct client *)opaque)->ready++;
}

struct client *client_open(struct pvr_xs *xs, uint16_t domid, int privileged)
{
	static const struct pvr_xs_conn_ops ops = {.ready = ready};
	struct client *client = calloc(1, sizeof(*client));

	client->conn = pvr_xs_conn_create(xs, domid, privileged, &ops, client);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client->conn);
	return client;
}

void client_close(struct client *client)
{
	pvr_xs_conn_destroy(client->conn);
	free(client);
}

ssize_t send_only(
	struct client *client, uint32_t type, uint32_t tx, const void *payload, uint32_t len)
{
	char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = ++client->req_id, .tx_id = tx, .len = len};

	memcpy(message, &hdr, sizeof(hdr));
	memcpy(message + sizeof(hdr), payload, len);
	return pvr_xs_conn_feed(client->conn, message, sizeof(hdr) + len);
}

static void keep(struct client *client, const struct xsd_sockmsg *hdr, const char *payload)
{
	char *to = client->reply;

	if (hdr->type == XS_WATCH_EVENT) {
		CU_ASSERT_FATAL(client->last - client->first < CLIENT_EVENTS);
		CU_ASSERT(hdr->req_id == 0 && hdr->tx_id == 0);
		to = client->events[client->last++ % CLIENT_EVENTS];
		memcpy(to, payload, hdr->len);
		to[strlen(to)] = '|';
		return;
	}
	client->type = hdr->type;
	client->len = hdr->len;
	memcpy(to, payload, hdr->len);
	to[hdr->len] = '\0';
}

unsigned drain(struct client *client)
{
	char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg hdr = {0};
	unsigned count = 0;
	size_t have = 0, n;
	const void *bytes;

	while ((n = pvr_xs_conn_output(client->conn, &bytes))) {
		/* In two goes, so that a message is consumed in pieces. */
		n = n > 1 ? n - n / 2 : n;
		memcpy(message + have, bytes, n);
		have += n;
		pvr_xs_conn_consume(client->conn, n);
		if (have >= sizeof(hdr))
			memcpy(&hdr, message, sizeof(hdr));
		if (have < sizeof(hdr) || have < sizeof(hdr) + hdr.len)
			continue;
		keep(client, &hdr, message + sizeof(hdr));
		have = 0;
		count++;
	}
	CU_ASSERT_EQUAL(have, 0);
	return count;
}

const char *ask(
	struct client *client, uint32_t type, uint32_t tx, const void *payload, uint32_t len)
{
	client->type = XS_INVALID;
	CU_ASSERT_EQUAL(send_only(client, type, tx, payload, len),
		(ssize_t)(sizeof(struct xsd_sockmsg) + len));
	drain(client);
	CU_ASSERT(client->type == type || client->type == XS_ERROR);
	return client->reply;
}

const char *event(struct client *client)
{
	drain(client);
	return client->first == client->last ? "" : client->events[client->first++ % CLIENT_EVENTS];
}

static const char *ask_path(struct client *client, uint32_t type, uint32_t tx, const char *path)
{
	return ask(client, type, tx, path, (uint32_t)strlen(path) + 1);
}

const char *rd(struct client *client, uint32_t tx, const char *path)
{
	return ask_path(client, XS_READ, tx, path);
}

static const char *ask_two(struct client *client, uint32_t type, uint32_t tx, const char *one,
	const char *two, size_t two_len)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	size_t len = strlen(one) + 1;

	CU_ASSERT_FATAL(len + two_len <= sizeof(payload));
	memcpy(payload, one, len);
	memcpy(payload + len, two, two_len);
	return ask(client, type, tx, payload, (uint32_t)(len + two_len));
}

const char *wr(struct client *client, uint32_t tx, const char *path, const char *value)
{
	return ask_two(client, XS_WRITE, tx, path, value, strlen(value));
}

const char *mk(struct client *client, uint32_t tx, const char *path)
{
	return ask_path(client, XS_MKDIR, tx, path);
}

const char *rm(struct client *client, uint32_t tx, const char *path)
{
	return ask_path(client, XS_RM, tx, path);
}

/* Joins the strings of a reply. */
static const char *join(struct client *client, char with)
{
	if (client->type == XS_ERROR)
		return client->reply;
	for (uint32_t i = 0; i + 1 < client->len; i++)
		if (!client->reply[i])
			client->reply[i] = with;
	return client->reply;
}

const char *ls(struct client *client, uint32_t tx, const char *path)
{
	ask_path(client, XS_DIRECTORY, tx, path);
	return join(client, ' ');
}

const char *getperms(struct client *client, uint32_t tx, const char *path)
{
	ask_path(client, XS_GET_PERMS, tx, path);
	return join(client, ',');
}

const char *setperms(struct client *client, uint32_t tx, const char *path, const char *perms)
{
	char list[1024];
	size_t len = strlen(perms) + 1;

	CU_ASSERT_FATAL(len <= sizeof(list));
	memcpy(list, perms, len);
	for (size_t i = 0; i < len; i++)
		if (list[i] == ',')
			list[i] = '\0';
	return ask_two(client, XS_SET_PERMS, tx, path, list, len);
}

const char *watch(struct client *client, const char *path, const char *token)
{
	return ask_two(client, XS_WATCH, 0, path, token, strlen(token) + 1);
}

uint32_t begin(struct client *client)
{
	ASK(client, XS_TRANSACTION_START, 0, "");
	return client->type == XS_ERROR ? 0 : (uint32_t)strtoul(client->reply, NULL, 10);
}

const char *commit(struct client *client, uint32_t tx)
{
	return ASK(client, XS_TRANSACTION_END, tx, "T");
}

const char *rollback(struct client *client, uint32_t tx)
{
	return ASK(client, XS_TRANSACTION_END, tx, "F");
}

struct world world_make(const struct pvr_xs_ops *ops, void *opaque)
{
	struct world world = {.xs = pvr_xs_create(NULL, ops, opaque)};

	CU_ASSERT_PTR_NOT_NULL_FATAL(world.xs);
	CU_ASSERT_EQUAL(pvr_xs_introduce(world.xs, 5), 0);
	CU_ASSERT_EQUAL(pvr_xs_introduce(world.xs, 6), 0);
	CU_ASSERT_EQUAL(pvr_xs_mkdir_perms(world.xs, "/local/domain/5", "n5"), 0);
	CU_ASSERT_EQUAL(pvr_xs_mkdir_perms(world.xs, "/local/domain/6", "n6"), 0);
	world.dom0 = client_open(world.xs, 0, 1);
	world.a = client_open(world.xs, 5, 0);
	world.b = client_open(world.xs, 6, 0);
	return world;
}

void world_end(struct world *world)
{
	CU_ASSERT_EQUAL(pvr_xs_check(world->xs, stderr), 0);
	client_close(world->dom0);
	client_close(world->a);
	client_close(world->b);
	CU_ASSERT_EQUAL(pvr_xs_check(world->xs, stderr), 0);
	pvr_xs_destroy(world->xs);
}
