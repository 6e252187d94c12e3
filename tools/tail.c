/* SPDX-License-Identifier: MIT */
/* See tail.h. */
#include "tail.h"

#include <string.h>

void tail_put(struct tail *tail, const char *text, size_t size)
{
	if (size > TAIL_BYTES) {
		text += size - TAIL_BYTES;
		size = TAIL_BYTES;
	}
	if (size > TAIL_BYTES - tail->count)
		tail_drop(tail, size - (TAIL_BYTES - tail->count));
	size_t at = (tail->first + tail->count) % TAIL_BYTES;
	size_t part = size < TAIL_BYTES - at ? size : TAIL_BYTES - at;

	memcpy(tail->data + at, text, part);
	memcpy(tail->data, text + part, size - part);
	tail->count += size;
}

size_t tail_peek(const struct tail *tail, const char **text)
{
	const size_t straight = TAIL_BYTES - tail->first;

	*text = tail->data + tail->first;
	return tail->count < straight ? tail->count : straight;
}

void tail_drop(struct tail *tail, size_t size)
{
	tail->first = (tail->first + size) % TAIL_BYTES;
	tail->count -= size;
}
