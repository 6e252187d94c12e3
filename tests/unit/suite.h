/* SPDX-License-Identifier: MIT */
/*
 * How a test file makes itself known to the runner: PVR_SUITE(name, CASE(f), ...) at file scope, and
 * PVR_SUITE_AGAIN for the same under other circumstances.
 * The constructor only links a static record into a list; main.c hands the list to CUnit.
 */
#ifndef PVR_TEST_SUITE_H
#define PVR_TEST_SUITE_H

#include <CUnit/CUnit.h>

struct pvr_suite {
	const char *name;
	const CU_TestInfo *cases; /* ends with CU_TEST_INFO_NULL */
	struct pvr_suite *next;
	CU_InitializeFunc begin; /* before its cases and after them, or NULL; 0 is success */
	CU_CleanupFunc end;
};

void pvr_suite_register(struct pvr_suite *suite);

/* clang-format off */
#define CASE(function) { #function, function }
#define PVR_SUITE(name_, ...) PVR_SUITE_WITH(name_, NULL, NULL, __VA_ARGS__)
/* With what is to be done before the cases and after them. */
#define PVR_SUITE_WITH(name_, begin_, end_, ...)                                                   \
	static const CU_TestInfo name_##_cases[] = { __VA_ARGS__, CU_TEST_INFO_NULL };             \
	PVR_SUITE_AGAIN(name_, name_, begin_, end_)
/* The cases of suite `of_` once more. */
#define PVR_SUITE_AGAIN(name_, of_, begin_, end_)                                                  \
	static struct pvr_suite name_##_suite = { #name_, of_##_cases, NULL, begin_, end_ };       \
	__attribute__((constructor)) static void name_##_register(void)                            \
	{                                                                                          \
		pvr_suite_register(&name_##_suite);                                                \
	}
/* clang-format on */

#endif
