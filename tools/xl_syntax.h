/* SPDX-License-Identifier: MIT */
/*
 * The syntax of a guest's configuration file, as xl.cfg(5) has it: KEY = VALUE, one a line or with semicolons between;
 * a value is a number, a text in quotes, or a list of these in brackets, which may go over lines. # begins a comment.
 */
#ifndef PVR_TOOLS_XL_SYNTAX_H
#define PVR_TOOLS_XL_SYNTAX_H

#include <stddef.h>

#define XL_VALUES_MAX 64u

struct xl_setting {
	char key[32];
	const char *value[XL_VALUES_MAX]; /* within the reader's text */
	unsigned line;                    /* of the key, from 1 */
	unsigned count;                   /* of values; 1 where it is no list */
	int is_list;
};

struct xl_reader {
	char *at; /* the text, which is written to: values end where they stood */
	unsigned line;
};

/* The next setting: 1, 0 at the end, or -EINVAL with one line in why[size] that names the line. */
int xl_next(struct xl_reader *reader, struct xl_setting *setting, char *why, size_t size);

#endif
