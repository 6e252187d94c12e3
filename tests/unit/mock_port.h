/* SPDX-License-Identifier: MIT */
/*
 * pvring/port.h for the test process: a domain made of an arena of pages with invented frame
 * numbers, an event-channel and a grant hypervisor just large enough, and a peer's hand in both.
 * Threads of the test are the domain's threads, and there is one vCPU for upcalls.
 */
#ifndef PVR_MOCK_PORT_H
#define PVR_MOCK_PORT_H

#include <pvring/port.h>

#define MOCK_DOMID      7
#define MOCK_STORE_PORT 1
#define MOCK_FRAMES     8 /* of the grant table */

/* A new domain: nothing of the old one is left. Does not call pvr_init. */
void mock_reset(void);

/* Facts of boot for pvr_init, and pointers for a peer's view of the same pages. */
struct pvr_boot *mock_boot(void);

/* The same and pvr_init, which must succeed. */
void mock_start(void);

/* The page behind a frame number, or NULL. Pages now allocated. */
void *mock_port_page(uint64_t gfn);
unsigned mock_pages_used(void);

/*
 * What EVTCHNOP_send on a port does; NULL: nothing. Called in the sender's thread, without locks.
 */
void mock_on_send(evtchn_port_t port, void (*hook)(void *arg), void *arg);
unsigned mock_sends(evtchn_port_t port);

/* The peer sends us an event. */
void mock_raise(evtchn_port_t port);

/* From now on event-channel hypercalls fail with this errno (0: no more). Is a port open? */
void mock_fail_evtchn(int error);
int mock_port_open(evtchn_port_t port);

/*
 * Map a granted page as the hypervisor does for domain `peer`: sets GTF_reading (and GTF_writing),
 * by compare-exchange on the guest's entry. The page, or NULL when the entry does not allow it.
 */
void *mock_grant_map(grant_ref_t ref, domid_t peer, int write);
void mock_grant_unmap(grant_ref_t ref);
uint16_t mock_grant_flags(grant_ref_t ref);

/* Lines logged since mock_reset, and the last of them. */
unsigned mock_log_lines(void);
const char *mock_log_last(void);

#endif
