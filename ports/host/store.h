/* SPDX-License-Identifier: MIT */
/* The xenstore connection of a handle, and the queue of its watch events. */
#ifndef PVR_HOST_STORE_H
#define PVR_HOST_STORE_H

#include <pvring/xen/xs_wire.h>

#include "internal.h"

#define WATCH_EVENTS_MAX 256u

/* path, NUL, token, NUL: as the payload of XS_WATCH_EVENT has them. */
struct watch_text {
	struct watch_text *next;
	size_t length;
	int overflow; /* of a watch: events were dropped, one for its own path is due */
	char text[];
};

struct host_store {
	int fd;
	int lost;
	uint32_t request;
	size_t got; /* bytes of the message under way */
	struct xsd_sockmsg head;
	char body[XENSTORE_PAYLOAD_MAX + 1];
	struct watch_text *watches;
	struct watch_text *events, **events_tail; /* oldest first */
	unsigned events_count;
};

int watch_add(struct host_store *s, const char *path, const char *token);
void watch_remove(struct host_store *s, const char *path, const char *token);
void watches_free(struct host_store *s);

/* Queue the event in s->head and s->body, unless an equal one waits already. */
void watch_event_take(struct host_store *s);

/*
 * The oldest event, as pvr_host_store_event: 1, 0, or -E2BIG when the caller's room is too small.
 */
int watch_event_next(
	struct host_store *s, char *path, size_t path_size, char *token, size_t token_size);

#endif
