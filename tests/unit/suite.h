/* SPDX-License-Identifier: MIT */
/*
 * How a test file makes itself known to the runner: PVR_SUITE(name, CASE(f), ...) at file scope.
 * The constructor only links a static record into a list; main.c hands the list to CUnit.
 */
#ifndef PVR_TEST_SUITE_H
#define PVR_TEST_SUITE_H

#include <CUnit/CUnit.h>

struct pvr_suite {
	const char *name;
	const CU_TestInfo *cases; /* ends with CU_TEST_INFO_NULL */
	struct pvr_suite *next;
};

void pvr_suite_register(struct pvr_suite *suite);

/* clang-format off */
#define CASE(function) { #function, function }
#define PVR_SUITE(name_, ...)                                                                      \
	static const CU_TestInfo name_##_cases[] = { __VA_ARGS__, CU_TEST_INFO_NULL };             \
	static struct pvr_suite name_##_suite = { #name_, name_##_cases, NULL };                   \
	__attribute__((constructor)) static void name_##_register(void)                            \
	{                                                                                          \
		pvr_suite_register(&name_##_suite);                                                \
	}
/* clang-format on */

#endif
