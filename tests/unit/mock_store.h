/* SPDX-License-Identifier: MIT */
/*
 * The other end of the store ring in tests: the real core of xenstored, served in the thread that
 * sends the event, and dom0's hand in the same store.
 */
#ifndef PVR_MOCK_STORE_H
#define PVR_MOCK_STORE_H

#include <pvring/xenstored.h>

/* After mock_reset and before pvr_init. The domain's home exists and is its own. */
void mock_xs_start(void);
void mock_xs_stop(void);

/* mock_start with a store. */
void mock_start_with_xs(void);

/*
 * Called after every change that came through the ring, in the sender's thread; may use dom0's
 * hand.
 */
void mock_xs_on_request(void (*hook)(void *arg), void *arg);

/* dom0's hand. Reads are "" when there is no node. Numbers: -1. */
void mock_xs_write(const char *path, const char *value);
void mock_xs_mkdir(const char *path, const char *perms);
void mock_xs_rm(const char *path);
void mock_xs_read(const char *path, char *value, size_t size);
long mock_xs_number(const char *path);

/* Dom0 watches that node from now on: how many events have come, the watch's own first one included. */
void mock_xs_watch(const char *path);
unsigned mock_xs_events(void);

/* Faults pvr_xs_check finds; watches the domain holds. */
unsigned mock_xs_check(void);
unsigned mock_xs_watches(void);

/* While held the daemon does not look at the ring; released it catches up. */
void mock_xs_hold(int held);

#endif
