/* SPDX-License-Identifier: MIT */
/* The three functions of a libc that lwIP wants and a kernel need not have. */
#include "libc/stdlib.h"

#include <arch/cc.h>

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size && *a && *a == *b; size--) {
		a++;
		b++;
	}
	return size ? (unsigned char)*a - (unsigned char)*b : 0;
}

/* For the digits behind an interface's name. */
int atoi(const char *text)
{
	unsigned number = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (unsigned)(*text - '0');
	return (int)number;
}
