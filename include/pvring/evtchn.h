/* SPDX-License-Identifier: MIT */
/*
 * Event channels, the guest's half: two-level ABI of Xen's public xen.h (shared_info.evtchn_pending and
 * evtchn_mask, vcpu_info.evtchn_pending_sel), 4096 ports where long has 64 bits, 1024 where it has 32.
 *
 * A port is used in one of two ways:
 *   - with a handler: pvr_evtchn_handler_set, then pvr_evtchn_unmask. The handler runs in upcall context with
 *     the port lock held: it notes that something happened (and may call pvr_port_wake), no more.
 *   - polled: it stays masked and its owner calls pvr_evtchn_wait, which is SCHEDOP_poll. This is how
 *     a thread that waits for a ring sleeps: woken directly, without a handler in between.
 *
 * Freestanding.
 */
#ifndef PVR_EVTCHN_H
#define PVR_EVTCHN_H

#include <stdint.h>

#include <pvring/xen/event_channel.h>
#include <pvring/xen/xen.h>

typedef void (*pvr_evtchn_handler)(evtchn_port_t port, void *arg);

/* A port that domain `peer` may bind to; comes masked. The port, or a negative errno of the hypervisor. */
int pvr_evtchn_alloc_unbound(domid_t peer);

/* A port bound to `remote`, which domain `peer` has allocated for us; comes masked. */
int pvr_evtchn_bind_interdomain(domid_t peer, evtchn_port_t remote);

/* A port for a virtual interrupt (VIRQ_*) of `vcpu`; comes masked. */
int pvr_evtchn_bind_virq(uint32_t virq, uint32_t vcpu);

/*
 * Close a port. When it returns, no handler of the port runs or will run. Not from within a handler.
 * Any other context; takes the port lock.
 */
void pvr_evtchn_close(evtchn_port_t port);

/* Handler for a port; NULL takes it away (and when that returns it runs no more). -EINVAL: no such port. */
int pvr_evtchn_handler_set(evtchn_port_t port, pvr_evtchn_handler handler, void *arg);

/* Mask: no upcall for this port. Unmask: an event that came meanwhile is delivered (EVTCHNOP_unmask). */
void pvr_evtchn_mask(evtchn_port_t port);
void pvr_evtchn_unmask(evtchn_port_t port);

/* Send an event to the other end (EVTCHNOP_send). Never sleeps. 0 or a negative errno. */
int pvr_evtchn_notify(evtchn_port_t port);

/* Clear the pending bit of a masked port; nonzero when it was set. */
int pvr_evtchn_clear(evtchn_port_t port);

/*
 * Sleep until a masked port is pending, clear its pending bit and return 0; -ETIMEDOUT at the deadline
 * (pvr_port_now_ns time; UINT64_MAX: none; one that has passed: look, do not sleep). May return 0 early.
 * Thread context.
 */
int pvr_evtchn_wait(evtchn_port_t port, uint64_t deadline_ns);

/* The same for any of `count` masked ports (1 to 8); clears the pending bits of all. */
int pvr_evtchn_wait_any(const evtchn_port_t *ports, unsigned count, uint64_t deadline_ns);

#endif
