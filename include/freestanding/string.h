/* SPDX-License-Identifier: MIT */
/*
 * For a kernel without a libc (-nostdinc -Iinclude/freestanding): the four functions the library,
 * and the compiler on its own account, expect the kernel to have.
 */
#ifndef PVR_FREESTANDING_STRING_H
#define PVR_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
