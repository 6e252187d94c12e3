/* SPDX-License-Identifier: MIT */
/* Text without a libc: decimal numbers and bounded lines. Pure. */
#include "text.h"

#include <errno.h>

size_t pvr_text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

void pvr_text_init(struct pvr_text *text, char *line, size_t size)
{
	*text = (struct pvr_text){.line = line, .size = size};
	line[0] = '\0';
}

static void add(struct pvr_text *text, char c)
{
	if (text->length + 1 >= text->size) {
		text->cut = 1;
		return;
	}
	text->line[text->length++] = c;
	text->line[text->length] = '\0';
}

void pvr_text_add(struct pvr_text *text, const char *more)
{
	while (*more)
		add(text, *more++);
}

void pvr_text_add_foreign(struct pvr_text *text, const char *more)
{
	for (; *more; more++)
		add(text, *more >= ' ' && *more <= '~' ? *more : '?');
}

void pvr_text_add_u64(struct pvr_text *text, uint64_t number)
{
	char digits[PVR_U64_TEXT];

	pvr_text_format_u64(number, digits);
	pvr_text_add(text, digits);
}

int pvr_text_parse_u64(const char *text, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		uint64_t digit = (uint64_t)(unsigned char)*text - '0';

		if (digit > 9 || value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)
			return -EINVAL;
		value = value * 10 + digit;
	}
	*number = value;
	return 0;
}

/*
 * Long division by ten in pieces of 16 bits: a 64-bit division is a call into libgcc on 32-bit
 * machines, which a kernel need not have.
 */
static unsigned divide_by_ten(uint64_t *number)
{
	uint64_t quotient = 0;
	uint32_t rest = 0;

	for (unsigned shift = 64; shift;) {
		shift -= 16;
		rest = rest << 16 | (uint32_t)(*number >> shift & 0xffff);
		quotient = quotient << 16 | rest / 10;
		rest %= 10;
	}
	*number = quotient;
	return rest;
}

size_t pvr_text_format_u64(uint64_t number, char *text)
{
	char digits[PVR_U64_TEXT];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + divide_by_ten(&number));
	} while (number);
	for (size_t i = 0; i < count; i++)
		text[i] = digits[count - 1 - i];
	text[count] = '\0';
	return count;
}

int pvr_text_path(const char *directory, const char *name, char *path, size_t size)
{
	struct pvr_text text;

	pvr_text_init(&text, path, size);
	pvr_text_add(&text, directory);
	pvr_text_add(&text, "/");
	pvr_text_add(&text, name);
	return text.cut ? -E2BIG : 0;
}
