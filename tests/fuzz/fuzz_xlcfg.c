/* SPDX-License-Identifier: MIT */
/* Fuzzes the syntax of configuration files: values are terminated texts within the file, lines only grow. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/xl_syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[200] = "";
	struct xl_reader reader = {.at = text, .line = 1};
	struct xl_setting s;
	unsigned line = 1;
	int rc;

	memcpy(text, data, size);
	text[size] = 0;
	while ((rc = xl_next(&reader, &s, why, sizeof(why))) == 1) {
		assert(s.line >= line && s.count <= XL_VALUES_MAX && (s.is_list || s.count == 1));
		line = s.line;
		assert(*s.key && strlen(s.key) < sizeof(s.key));
		for (unsigned i = 0; i < s.count; i++)
			assert(s.value[i] >= text &&
				s.value[i] + strlen(s.value[i]) <= text + size);
	}
	assert(!rc == !*why && !strchr(why, '\n'));
	free(text);
	return 0;
}
