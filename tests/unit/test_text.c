/* SPDX-License-Identifier: MIT */
/* Numbers and lines without a libc, beside libc's. */
#include "suite.h"

#include "../../rings/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void numbers_are_printed_as_libc_does(void)
{
	uint64_t number = 0;

	for (int i = 0; i < 200; i++) {
		char ours[PVR_U64_TEXT], theirs[32];
		uint64_t back;

		snprintf(theirs, sizeof(theirs), "%" PRIu64, number);
		CU_ASSERT_EQUAL(pvr_text_format_u64(number, ours), strlen(theirs));
		CU_ASSERT_STRING_EQUAL(ours, theirs);
		CU_ASSERT_EQUAL(pvr_text_parse_u64(ours, &back), 0);
		CU_ASSERT_EQUAL(back, number);
		number = i < 64 ? UINT64_C(1) << i : i == 64 ? UINT64_MAX : number * 7 + 11;
	}
}

static void only_whole_numbers_parse(void)
{
	static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x10", "1a", "1.5",
		"18446744073709551616", "99999999999999999999", "184467440737095516150"};
	uint64_t number = 42;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(pvr_text_parse_u64(bad[i], &number), -EINVAL);
	CU_ASSERT_EQUAL(number, 42);
	CU_ASSERT_EQUAL(pvr_text_parse_u64("0007", &number), 0);
	CU_ASSERT_EQUAL(number, 7);
}

static void lines_are_cut_not_overrun(void)
{
	char line[9];
	struct pvr_text text;

	memset(line, 'x', sizeof(line));
	pvr_text_init(&text, line, 8);
	pvr_text_add(&text, "abc");
	pvr_text_add_foreign(&text, "\x1b\n");
	CU_ASSERT_EQUAL(text.cut, 0);
	pvr_text_add_u64(&text, 12345);
	CU_ASSERT_STRING_EQUAL(line, "abc??12");
	CU_ASSERT_NOT_EQUAL(text.cut, 0);
	CU_ASSERT_EQUAL(line[8], 'x');
	CU_ASSERT_EQUAL(pvr_text_path("abc", "def", line, 8), 0);
	CU_ASSERT_STRING_EQUAL(line, "abc/def");
	CU_ASSERT_EQUAL(pvr_text_path("abc", "defg", line, 8), -E2BIG);
}

PVR_SUITE(text, CASE(numbers_are_printed_as_libc_does), CASE(only_whole_numbers_parse),
	CASE(lines_are_cut_not_overrun))
