/* SPDX-License-Identifier: MIT */
/* What a scenario's arguments are read with. Pure. */
#include <string.h>

#include "../rings/text.h"
#include "kernel.h"

uint64_t number_of(const char *text, uint64_t otherwise)
{
	uint64_t number = 0;

	if (*text < '0' || *text > '9')
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return *text == 'K'   ? number << 10
	       : *text == 'M' ? number << 20
	       : *text == 'G' ? number << 30
			      : number;
}

const char *after_comma(const char *text)
{
	while (*text && *text != ',')
		text++;
	return *text ? text + 1 : text;
}

int line_has(const char *line, const char *word)
{
	const size_t length = pvr_text_length(word);

	while (*line) {
		size_t here = 0;

		while (line[here] && line[here] != ' ')
			here++;
		if (here == length && !memcmp(line, word, length))
			return 1;
		line += here + (line[here] == ' ');
	}
	return 0;
}

int word_is(const char *text, const char *word)
{
	size_t length = pvr_text_length(word);

	return pvr_text_length(text) >= length && !memcmp(text, word, length) &&
	       (!text[length] || text[length] == ',');
}
