/* SPDX-License-Identifier: MIT */
/*
 * Runs the CUnit suites: all of them, or those named on the command line. Exit status 0 only when at
 * least one test ran and none failed.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static struct pvr_suite *suites;

/* ThreadSanitizer asks for this. A hostile peer writes while its slot is copied: that race is what is tested. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:^flip$\n";
}

void pvr_suite_register(struct pvr_suite *suite)
{
	struct pvr_suite **at = &suites;

	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc < 2;
}

static int add(const struct pvr_suite *suite)
{
	CU_pSuite cu = CU_add_suite(suite->name, suite->begin, suite->end);

	if (!cu)
		return -1;
	for (const CU_TestInfo *t = suite->cases; t->pName; t++)
		if (!CU_add_test(cu, t->pName, t->pTestFunc))
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	for (const struct pvr_suite *s = suites; s; s = s->next)
		if (wanted(s->name, argc, argv) && add(s)) {
			fprintf(stderr, "unit: %s: %s\n", s->name, CU_get_error_msg());
			return 1;
		}
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();

	unsigned run = CU_get_number_of_tests_run(), failed = CU_get_number_of_failures();

	CU_cleanup_registry();
	return run == 0 || failed != 0;
}
