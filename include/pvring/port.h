/* SPDX-License-Identifier: MIT */
/*
 * The guest's waist: what a kernel (or a process that plays one) supplies so that the frontends run in
 * it, and the two calls it makes into the library. Link-time symbols, no tables of pointers, no libc, no
 * malloc, no threads. docs/PORTING.md walks through writing a port.
 *
 * Contexts. "Thread" context may sleep. "Upcall" context is the event-channel interrupt: it may not
 * sleep. Each function says where it may be called. The library never sleeps while it holds the lock.
 */
#ifndef PVR_PORT_H
#define PVR_PORT_H

#include <stdatomic.h>
#include <stdint.h>

#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/xen.h>
#include <pvring/xen/xs_wire.h>

#define PVR_PAGE_SHIFT 12
#define PVR_PAGE_SIZE  4096u

/*
 * Facts of boot, filled in by the port from the hypervisor's start information before pvr_init(). All
 * pointers are mapped, page aligned, and stay valid for as long as the library is used.
 */
struct pvr_boot {
	struct shared_info *shared_info;
	struct xenstore_domain_interface *store_ring;
	struct grant_entry_v1 *grant_table; /* grant_frames frames, contiguous, version 1 */
	uint32_t grant_frames;              /* 512 entries a frame; 64 at the most are used */
	uint32_t vcpus;                     /* 1 or more */
	evtchn_port_t store_port;           /* event channel of the store ring */
	domid_t domid;                      /* this domain; DOMID_SELF where unknown */
};

/* ---- what the library gives the port ---- */

/*
 * Start the library: masks every event channel, takes over the grant table and the store ring. Call once,
 * in thread context, before any other pvring function. `boot` is copied. 0, or -EINVAL for facts that
 * cannot be (no pages, no frames). After a failed call nothing of the library may be used.
 */
int pvr_init(const struct pvr_boot *boot);

/*
 * The event-channel upcall: the port calls it in upcall context when the hypervisor raised
 * vcpu_info[vcpu].evtchn_upcall_pending for the calling vCPU. Runs the handlers of pending, unmasked
 * ports. Must not be called while the calling vCPU holds the port lock.
 */
void pvr_upcall(void);

/* ---- what the port supplies ---- */

/*
 * `count` (1 or more) zeroed pages of the domain's own memory, contiguous and page aligned in virtual addresses;
 * frames need not be contiguous. NULL when there are none. Thread context, may sleep. The caller owns them
 * until pvr_port_pages_free with the same count.
 */
void *pvr_port_pages_alloc(unsigned count);
void pvr_port_pages_free(void *pages, unsigned count);

/* The guest frame number behind an address within such pages. Any context. */
uint64_t pvr_port_gfn(const void *address);

/*
 * A hypercall with Xen's number (__HYPERVISOR_*) and up to three arguments, those unused being 0.
 * Returns what the hypervisor returned: 0 or more, or a negative Xen errno (Xen's public errno.h, equal to
 * Linux's where the library looks at them). The library uses event_channel_op and
 * sched_op. SCHEDOP_poll and SCHEDOP_block sleep, the others do not. Any context but
 * for those two.
 */
long pvr_port_hypercall(unsigned op, unsigned long a1, unsigned long a2, unsigned long a3);

/* The number of the vCPU that calls, below boot.vcpus. Any context. */
unsigned pvr_port_vcpu(void);

/*
 * One lock for the whole library, which also excludes the upcall on this vCPU (interrupts off, where
 * there are interrupts). Never nested, held for some tens of instructions or for one event handler. Any
 * context.
 */
void pvr_port_lock(void);
void pvr_port_unlock(void);

/* Nanoseconds of a monotonic clock; its zero is SCHEDOP_poll's and SCHEDOP_set_timer's. Any context. */
uint64_t pvr_port_now_ns(void);

/*
 * Sleep until somebody calls pvr_port_wake on `word`, the deadline (pvr_port_now_ns time; UINT64_MAX:
 * none) passes, or for no reason at all: the caller looks again in a loop. Returns at once when *word is
 * not `seen` any more. A wake-up is never lost: one that comes after *word was changed and before the sleep
 * prevents the sleep. Thread context, without the lock. A kernel without threads blocks the vCPU here with
 * SCHEDOP_block, upcalls enabled.
 */
void pvr_port_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns);

/* Wake whoever waits on `word`; the caller has changed *word before. Any context, the lock may be held. */
void pvr_port_wake(const _Atomic uint32_t *word);

/* One line for the operator, no newline at its end. Any context. */
void pvr_port_log(const char *line);

/* A bug of the library's own: say it and stop. Does not return. Never reached by what a peer does. */
void pvr_port_panic(const char *line) __attribute__((noreturn));

#endif
