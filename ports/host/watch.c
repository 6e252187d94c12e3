/* SPDX-License-Identifier: MIT */
/*
 * Watch events that wait. Equal ones are one, and there are at most WATCH_EVENTS_MAX: when more
 * come, the watch they belong to is marked instead and reports its own path once, which means "look
 * at everything below" and is what every watch does when it is set. So no change is lost and memory
 * is bounded, however fast a guest writes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

static struct watch_text *text_new(const char *text, size_t length)
{
	struct watch_text *t = malloc(sizeof(*t) + length);

	if (!t)
		return NULL;
	t->next = NULL;
	t->length = length;
	t->overflow = 0;
	memcpy(t->text, text, length);
	return t;
}

static const char *token_of(const struct watch_text *t)
{
	return t->text + strlen(t->text) + 1;
}

int watch_add(struct host_store *s, const char *path, const char *token)
{
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
	char text[XENSTORE_PAYLOAD_MAX];

	if (path_size > sizeof(text) || token_size > sizeof(text) - path_size)
		return -E2BIG;
	memcpy(text, path, path_size);
	memcpy(text + path_size, token, token_size);
	struct watch_text *watch = text_new(text, path_size + token_size);

	if (!watch)
		return -ENOMEM;
	watch->next = s->watches;
	s->watches = watch;
	return 0;
}

/* Events of the watch that still wait go too: who has unwatched hears no more. */
static void events_drop(struct host_store *s, const char *token)
{
	struct watch_text **at = &s->events;

	while (*at) {
		struct watch_text *event = *at;

		if (strcmp(token_of(event), token)) {
			at = &event->next;
			continue;
		}
		*at = event->next;
		s->events_count--;
		free(event);
	}
	s->events_tail = at;
}

void watch_remove(struct host_store *s, const char *path, const char *token)
{
	int others = 0;

	for (struct watch_text **at = &s->watches; *at;) {
		struct watch_text *watch = *at;

		if (strcmp(token_of(watch), token) || strcmp(watch->text, path)) {
			others |= !strcmp(token_of(watch), token);
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
	/* An event names the token alone; one that another watch shares may be that watch's. */
	if (!others)
		events_drop(s, token);
}

static void list_free(struct watch_text *list)
{
	while (list) {
		struct watch_text *next = list->next;

		free(list);
		list = next;
	}
}

void watches_free(struct host_store *s)
{
	list_free(s->watches);
	list_free(s->events);
	s->watches = s->events = NULL;
}

static void event_overflow(struct host_store *s, const char *token)
{
	for (struct watch_text *watch = s->watches; watch; watch = watch->next)
		if (!strcmp(token_of(watch), token))
			watch->overflow = 1;
}

/* Exactly two strings, each ended by NUL. */
static int event_valid(const char *body, size_t length)
{
	const char *end = memchr(body, 0, length);

	return end && end + 1 < body + length &&
	       memchr(end + 1, 0, length - (size_t)(end + 1 - body)) == body + length - 1;
}

void watch_event_take(struct host_store *s)
{
	size_t length = s->head.len;

	if (!event_valid(s->body, length))
		return;
	for (const struct watch_text *e = s->events; e; e = e->next)
		if (e->length == length && !memcmp(e->text, s->body, length))
			return;

	struct watch_text *event = NULL;

	if (s->events_count < WATCH_EVENTS_MAX)
		event = text_new(s->body, length);
	if (!event) {
		event_overflow(s, s->body + strlen(s->body) + 1);
		return;
	}
	if (!s->events)
		s->events_tail = &s->events;
	*s->events_tail = event;
	s->events_tail = &event->next;
	s->events_count++;
}

static int text_copy(
	const struct watch_text *t, char *path, size_t path_size, char *token, size_t token_size)
{
	size_t path_length = strlen(t->text) + 1;

	if (path_length > path_size || t->length - path_length > token_size)
		return -E2BIG;
	memcpy(path, t->text, path_length);
	memcpy(token, t->text + path_length, t->length - path_length);
	return 1;
}

int watch_event_next(
	struct host_store *s, char *path, size_t path_size, char *token, size_t token_size)
{
	struct watch_text *event = s->events;

	if (event) {
		int n = text_copy(event, path, path_size, token, token_size);

		s->events = event->next;
		s->events_count--;
		free(event);
		return n;
	}
	for (struct watch_text *watch = s->watches; watch; watch = watch->next)
		if (watch->overflow) {
			watch->overflow = 0;
			return text_copy(watch, path, path_size, token, token_size);
		}
	return 0;
}
