/* SPDX-License-Identifier: MIT */
/*
 * A client of the store for the tests: speaks the wire protocol to one connection and keeps what
 * came back.
 */
#ifndef PVR_TEST_XENSTORED_H
#define PVR_TEST_XENSTORED_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pvring/xen/xs_wire.h"
#include "pvring/xenstored.h"

#define CLIENT_EVENTS 64

struct client {
	struct pvr_xs_conn *conn;
	unsigned ready; /* calls of the callback */
	uint32_t req_id;
	uint32_t type, len; /* of the last reply */
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	unsigned first, last; /* events not yet taken */
	char events[CLIENT_EVENTS][XENSTORE_PAYLOAD_MAX + 1];
};

/* Made with calloc, for its size. The connection ends with client_close. */
struct client *client_open(struct pvr_xs *xs, uint16_t domid, int privileged);
void client_close(struct client *client);

/* Sends one request; returns the reply's payload with a nul behind it: the value, "OK", or the
 * error's name. */
const char *ask(
	struct client *client, uint32_t type, uint32_t tx, const void *payload, uint32_t len);
/* Sends one request and leaves what comes back where it is; returns how much feed took. */
ssize_t send_only(
	struct client *client, uint32_t type, uint32_t tx, const void *payload, uint32_t len);
/* Reads all output; returns the number of messages. */
unsigned drain(struct client *client);
/* The next event as "path|token", or "" when there is none. */
const char *event(struct client *client);

/* A payload that is a literal, its last nul included. */
#define ASK(client, type, tx, literal) ask(client, type, tx, literal, sizeof(literal))

const char *rd(struct client *client, uint32_t tx, const char *path);
const char *wr(struct client *client, uint32_t tx, const char *path, const char *value);
const char *mk(struct client *client, uint32_t tx, const char *path);
const char *rm(struct client *client, uint32_t tx, const char *path);
/* Children, separated by spaces; the name of the error else. */
const char *ls(struct client *client, uint32_t tx, const char *path);
/* Lists are separated by commas here: "n0,r5". */
const char *getperms(struct client *client, uint32_t tx, const char *path);
const char *setperms(struct client *client, uint32_t tx, const char *path, const char *perms);
const char *watch(struct client *client, const char *path, const char *token);
uint32_t begin(struct client *client);
const char *commit(struct client *client, uint32_t tx);
const char *rollback(struct client *client, uint32_t tx);

#define SAME(is, expected) CU_ASSERT_STRING_EQUAL(is, expected)

/* A store with domains 5 and 6 at home, and a client each for domain 0, 5 and 6. */
struct world {
	struct pvr_xs *xs;
	struct client *dom0, *a, *b;
};
struct world world_make(const struct pvr_xs_ops *ops, void *opaque);
/* Checks the store, and ends it. */
void world_end(struct world *world);

#endif
