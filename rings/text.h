/* SPDX-License-Identifier: MIT */
/*
 * Text without a libc: decimal numbers, and one bounded line built piece by piece (log lines,
 * xenstore paths). Shared by the frontends, not part of the public interface.
 */
#ifndef PVR_RINGS_TEXT_H
#define PVR_RINGS_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A line under construction, always terminated. What does not fit is cut off and remembered. */
struct pvr_text {
	char *line;
	size_t size;
	size_t length;
	int cut;
};

/* Digits of UINT64_MAX and the NUL. */
#define PVR_U64_TEXT 21

size_t pvr_text_length(const char *text);
void pvr_text_init(struct pvr_text *text, char *line, size_t size);
void pvr_text_add(struct pvr_text *text, const char *more);
void pvr_text_add_u64(struct pvr_text *text, uint64_t number);

/* The same for text that came from a peer: what is not printable ASCII becomes '?'. */
void pvr_text_add_foreign(struct pvr_text *text, const char *more);

/*
 * The whole of text as an unsigned decimal number: 0, or -EINVAL when it is anything else or too
 * large.
 */
int pvr_text_parse_u64(const char *text, uint64_t *number);

/* number in decimal into text[PVR_U64_TEXT]; its length. */
size_t pvr_text_format_u64(uint64_t number, char *text);

/* "directory/name" into path[size]: 0, or -E2BIG. */
int pvr_text_path(const char *directory, const char *name, char *path, size_t size);

#endif
