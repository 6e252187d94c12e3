/* SPDX-License-Identifier: MIT */
/* What lwIP asks of a compiler and a kernel: no libc, nothing printed, and what cannot be is a panic. */
#ifndef PVR_LWIP_CC_H
#define PVR_LWIP_CC_H

#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_LIMITS_H   1
#define INT_MAX            __INT_MAX__
#define SSIZE_MAX          __PTRDIFF_MAX__
typedef ptrdiff_t ssize_t;

#define LWIP_PLATFORM_DIAG(words)
#define LWIP_PLATFORM_ASSERT(words) pvr_port_panic("lwip: " words)
#define LWIP_RAND() net_random()

/* In libc.c, or the libc's. */
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t size);

void pvr_port_panic(const char *line) __attribute__((noreturn));
uint32_t net_random(void);
extern uint8_t *net_heap;

#endif
