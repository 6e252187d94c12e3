/* SPDX-License-Identifier: MIT */
/* The guest kernel's command line: whether it has a word. */
#include "suite.h"

#include <stdint.h>
#include <stddef.h>

#include "../../guest/kernel.h"

static void a_word_is_found_where_it_is_one(void)
{
	CU_ASSERT(line_has("flat", "flat"));
	CU_ASSERT(line_has("flat boot", "flat"));
	CU_ASSERT(line_has("boot  flat idle=1", "flat"));
	CU_ASSERT(line_has("boot flat ", "flat"));
}

static void a_part_of_one_is_none(void)
{
	CU_ASSERT(!line_has("", "flat"));
	CU_ASSERT(!line_has("   ", "flat"));
	CU_ASSERT(!line_has("flatter", "flat"));
	CU_ASSERT(!line_has("boot inflat fla t", "flat"));
	CU_ASSERT(!line_has("flat=1", "flat"));
}

PVR_SUITE(guest_words, CASE(a_word_is_found_where_it_is_one), CASE(a_part_of_one_is_none))
