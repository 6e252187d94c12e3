/* SPDX-License-Identifier: MIT */
/* The four functions that compilers and the frontends expect of a kernel, by the CPU's string instructions. */
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
	return start;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *last = (unsigned char *)to + size - 1;
	const unsigned char *from_last = (const unsigned char *)from + size - 1;

	if (!size || to <= from || (const unsigned char *)to > from_last)
		return memcpy(to, from, size);
	__asm__ volatile("std\n\trep movsb\n\tcld"
			 : "+D"(last), "+S"(from_last), "+c"(size)::"memory", "cc");
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}
