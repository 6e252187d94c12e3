/* SPDX-License-Identifier: MIT */
/*
 * pvring/host.h inside the test process: one guest's memory, grants, event channels, and the real
 * core of xenstored behind the store calls. The functions here are the guest's and the test's hand;
 * any thread may call them.
 */
#ifndef PVR_TEST_MOCK_HOST_H
#define PVR_TEST_MOCK_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/host.h>

#define MOCK_FRAMES 512u
#define MOCK_DOMID  7u

/* Everything as new: zeroed memory, no grants, no ports, an empty store. No handle may be open. */
void mock_host_reset(void);

/* What is still held: mapped pages, areas, bound ports and open handles together. 0 is no leak. */
unsigned mock_host_held(void);
/* What a hypervisor does when the backend's process dies. Its handles are then good for closing. */
void mock_host_die(void);
unsigned mock_host_mapped(void); /* pages mapped now, areas included */

/* A page of the guest, and a grant of it to dom0. */
void *mock_page(unsigned frame);
grant_ref_t mock_grant(unsigned frame, int readonly);
void mock_revoke(grant_ref_t ref);

/* The nth page asked for from now on fails (1: the next one; 0: none does). */
void mock_fail_map(unsigned nth);
/*
 * Whether brief mappings are copies: all bytes of theirs that have no meaning are then garbage, and a bad reference
 * of a writable one is found when it is unmapped. It outlives a reset. For PVR_SUITE_AGAIN.
 */
void mock_copy_brief(int copies);
int mock_copies(void);
int mock_copy_begin(void);
int mock_copy_end(void);

/* No more than this many pages at a time; what is over gets GNTST_no_space. */
void mock_limit_maps(unsigned count);

/* While held nothing is mapped: who maps waits. How many do. */
void mock_hold_maps(int held);
unsigned mock_maps_waiting(void);

/* An unbound port of the guest; its number. */
evtchn_port_t mock_port(void);
void mock_port_send(evtchn_port_t port);
/* Events the backend has sent since the last call; waits up to timeout_ms for the first. */
unsigned mock_port_events(evtchn_port_t port, int timeout_ms);

/* The store as domain 0's tools see it. */
void mock_store_write(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int mock_store_read(const char *path, char *value, size_t size);
void mock_store_rm(const char *path);

#endif
