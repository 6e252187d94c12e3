/* SPDX-License-Identifier: MIT */
/* See xl_syntax.h. Pure text, no I/O: values are unescaped where they stand, since they only become shorter. */
#include "xl_syntax.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

struct said {
	char *why;
	size_t size;
};

static int say(struct said *said, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int say(struct said *said, unsigned line, const char *format, ...)
{
	int length = snprintf(said->why, said->size, "line %u: ", line);
	va_list args;

	va_start(args, format);
	if (length > 0 && (size_t)length < said->size)
		vsnprintf(said->why + length, said->size - (size_t)length, format, args);
	va_end(args);
	return -EINVAL;
}

/* Blanks and a comment; with `lines`, over ends of lines too. */
static void skip(struct xl_reader *r, int lines)
{
	for (;; r->at++) {
		if (*r->at == '#')
			r->at += strcspn(r->at, "\n");
		if (*r->at == '\n' && lines)
			r->line++;
		else if (!*r->at || !strchr(" \t\r", *r->at))
			return;
	}
}

/* From the quote on to its partner in the same line. A backslash takes the next character as it is; \n and \t are what they are in C. */
static int quoted(struct xl_reader *r, const char **value, struct said *said)
{
	const char quote = *r->at++;
	char *to = r->at;

	*value = to;
	for (; *r->at != quote; r->at++) {
		char c = *r->at;

		if (c == '\\' && r->at[1]) {
			c = *++r->at;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		if (!*r->at || *r->at == '\n')
			return say(
				said, r->line, "the text that begins with %c does not end", quote);
		*to++ = c;
	}
	*to = 0;
	r->at++;
	return 0;
}

/*
 * A number is one character further to the front afterwards: the end of its text must not be written over what
 * follows it, and what stood before it ('=', '[', ',' or a blank) has been read.
 */
static int number(struct xl_reader *r, const char **value, struct said *said)
{
	const size_t length = strspn(r->at, KEY_CHARS);
	char *from = r->at - 1;

	if (!length || *r->at < '0' || *r->at > '9')
		return say(said, r->line,
			*r->at && *r->at != '\n'
				? "a value is a number, a text in quotes, or a list in brackets"
				: "a value is missing");
	memmove(from, r->at, length);
	from[length] = 0;
	*value = from;
	r->at += length;
	return 0;
}

static int one(struct xl_reader *r, struct xl_setting *s, struct said *said)
{
	if (s->count == XL_VALUES_MAX)
		return say(said, r->line, "more than %u values", XL_VALUES_MAX);
	const char **value = &s->value[s->count++];

	return *r->at == '"' || *r->at == '\'' ? quoted(r, value, said) : number(r, value, said);
}

/* Behind the bracket; a comma may stand behind the last value too. */
static int list(struct xl_reader *r, struct xl_setting *s, struct said *said)
{
	const unsigned line = r->line;
	int rc = 0;

	for (;;) {
		skip(r, 1);
		if (*r->at == ']' || !*r->at)
			break;
		if (*r->at == '[')
			return say(said, r->line, "a list within a list");
		rc = one(r, s, said);
		if (rc)
			return rc;
		skip(r, 1);
		if (*r->at != ',')
			break;
		r->at++;
	}
	if (!*r->at)
		return say(said, line, "the list that begins with [ does not end");
	if (*r->at != ']')
		return say(said, r->line, "values in a list have a comma between them");
	r->at++;
	return 0;
}

static int key(struct xl_reader *r, struct xl_setting *s, struct said *said)
{
	const size_t length = strspn(r->at, KEY_CHARS);

	if (!length)
		return say(said, r->line, "'%c' where a key was to be: KEY = VALUE", *r->at);
	if (length >= sizeof(s->key))
		return say(said, r->line, "a key has at most %zu characters", sizeof(s->key) - 1);
	memcpy(s->key, r->at, length);
	r->at += length;
	skip(r, 0);
	if (*r->at != '=')
		return say(said, r->line, "no '=' after '%s'", s->key);
	r->at++;
	return 0;
}

int xl_next(struct xl_reader *r, struct xl_setting *s, char *why, size_t size)
{
	struct said said = {why, size};
	int rc;

	do {
		skip(r, 1);
	} while (*r->at == ';' && r->at++);
	if (!*r->at)
		return 0;
	*s = (struct xl_setting){.line = r->line};
	rc = key(r, s, &said);
	if (rc)
		return rc;
	skip(r, 0);
	s->is_list = *r->at == '[';
	if (s->is_list) {
		r->at++;
		rc = list(r, s, &said);
	} else {
		rc = one(r, s, &said);
	}
	if (rc)
		return rc;
	skip(r, 0);
	if (*r->at && !strchr(";\n", *r->at))
		return say(&said, r->line, "'%c' behind the value of '%s'", *r->at, s->key);
	return 1;
}
