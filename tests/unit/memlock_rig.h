/* SPDX-License-Identifier: MIT */
/* Whether this user may lock as much memory as the tests of registered buffers need. */
#ifndef PVR_TEST_MEMLOCK_RIG_H
#define PVR_TEST_MEMLOCK_RIG_H

#include <stdio.h>
#include <sys/mman.h>

#define MEMLOCK_NEEDED (6u << 20) /* three pieces in each of two rings */

/* By doing it: a limit does not bind everybody. 0 says why tests are left out. */
static inline int may_lock(void)
{
	void *memory = mmap(
		NULL, MEMLOCK_NEEDED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int can = memory != MAP_FAILED && mlock(memory, MEMLOCK_NEEDED) == 0;

	if (memory != MAP_FAILED)
		munmap(memory, MEMLOCK_NEEDED);
	if (!can)
		fprintf(stderr, "skipped: registered buffers (raise ulimit -l to 8192)\n");
	return can;
}

#endif
