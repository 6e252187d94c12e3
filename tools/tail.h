/* SPDX-License-Identifier: MIT */
/* The last of a text that nobody may be reading: what is older than its room is lost. */
#ifndef PVR_TOOLS_TAIL_H
#define PVR_TOOLS_TAIL_H

#include <stddef.h>

#define TAIL_BYTES 65536u

struct tail {
	char data[TAIL_BYTES];
	size_t first, count;
};

void tail_put(struct tail *tail, const char *text, size_t size);

/* The oldest of it in one piece: its length, 0 when there is nothing. */
size_t tail_peek(const struct tail *tail, const char **text);

/* `size` bytes, no more than there are, have been taken. */
void tail_drop(struct tail *tail, size_t size);

#endif
