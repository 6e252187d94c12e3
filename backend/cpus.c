/* SPDX-License-Identifier: MIT */
/* Parses lists of CPUs. See cpus.h. */
#include "cpus.h"

#include <errno.h>
#include <stdlib.h>

#include <pvring/backend.h>

#define CPU_LAST 1023u /* what cpu_set_t holds */

/* A number at *text, which moves behind it; more than CPU_LAST when there is none. */
static unsigned long number(const char **text)
{
	char *end;
	unsigned long value;

	if (**text < '0' || **text > '9')
		return CPU_LAST + 1;
	value = strtoul(*text, &end, 10);
	*text = end;
	return value;
}

int pvr_back_cpus_parse(const char *text, unsigned cpus[], unsigned max)
{
	unsigned count = 0;

	for (;;) {
		unsigned long first = number(&text), last = first;

		if (*text == '-') {
			text++;
			last = number(&text);
		}
		if (first > last || last > CPU_LAST || last - first >= max - count)
			return -EINVAL;
		while (first <= last)
			cpus[count++] = (unsigned)first++;
		if (!*text)
			return (int)count;
		if (*text++ != ',')
			return -EINVAL;
	}
}

int pvr_back_cpus_check(const char *text)
{
	unsigned cpus[PVR_BACK_WORKERS_MAX];
	int count = pvr_back_cpus_parse(text, cpus, PVR_BACK_WORKERS_MAX);

	return count < 0 ? count : 0;
}
