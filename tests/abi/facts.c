/* SPDX-License-Identifier: MIT */
/*
 * Prints the facts of list.h, a line each, as the headers it was compiled with have them. run.sh
 * compares the output of builds with pvring's headers and with libxen-dev's. Built with
 * PVR_ABI_BLKIF=prefix it prints the block ring's structures of that prefix alone.
 */
#include <stdio.h>
#include "headers.h"

/* value is a field's offset or a constant's value; size is 0 for a constant. */
struct fact {
	const char *name;
	long long value;
	size_t size;
	const char *text;
};

#define SIZE(t)              {#t, 0, sizeof(t), ""},
#define FIELD(t, f)          FIELD_AS(#t "." #f, t, f)
#define FIELD_AS(name, t, f) {name, (long long)offsetof(t, f), sizeof(((t *)0)->f), ""},
#define CONST(c)             {#c, (long long)(c), 0, ""},
#define TEXT(c)              {#c, 0, sizeof(c), c},

#ifndef PVR_ABI_BLKIF
#define PVR_ABI_BLKIF blkif
#define WITH_LIST
#endif

#define JOIN2(a, b)       a##_##b
#define JOIN(a, b)        JOIN2(a, b)
#define BLKIF(t)          struct JOIN(PVR_ABI_BLKIF, t)
#define BLKIF_SIZE(t)     {"struct blkif_" #t, 0, sizeof(BLKIF(t)), ""},
#define BLKIF_FIELD(t, f) FIELD_AS("struct blkif_" #t "." #f, BLKIF(t), f)

static const struct fact facts[] = {
#ifdef WITH_LIST
#include "list.h"
#endif
#include "blkif_list.h"
};

int main(void)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		printf("%s value %lld size %zu %s\n", facts[i].name, facts[i].value, facts[i].size,
			facts[i].text);
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		printf("xsd_errors[%zu] %d %s\n", i, xsd_errors[i].errnum, xsd_errors[i].errstring);
	return 0;
}
