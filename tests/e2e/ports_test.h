/* SPDX-License-Identifier: MIT */
/* What the driver (ports_test.c) and the guests it forks (ports_guest.c) share. */
#ifndef PORTS_TEST_H
#define PORTS_TEST_H

#include <stdint.h>

#define ROUNDS 20000
#define SECOND 1000000000ull
#define PAGES  4

extern char dir[];     /* of the daemon's sockets */
extern uint32_t domid; /* the one domain */

/* A failed check in a child ends it, which the driver notices at its next word. */
void check(int good, const char *what, int line);
#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

/* The conversation between the driver and a child: one number at a time. */
void say(int fd, uint64_t number);
uint64_t hear(int fd);

void guest_memory(int fd);
void guest_tables(int fd);
void guest_grants(int fd);
void guest_events(int fd);
void guest_store(int fd);
void guest_victim(int fd);
void guest_hostile(int fd);

#endif
