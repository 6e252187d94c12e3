/* SPDX-License-Identifier: MIT */
/* Finding what a machine offers: each kind of it has a file, and the rest is shared. */
#ifndef GUEST_XEN_H
#define GUEST_XEN_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/event_channel.h>

struct start_info;
struct xencons_interface;

#define XEN_GRANT_FRAMES 8u /* 4096 references: two disks and an interface */

/* Clock and timer are measured and set up; interrupts are still off. */
void only_native_init(void);
/* Fill in pvr_boot and the hypercall page. `leaves`: where Xen's CPUID leaves begin. */
void only_pvh_init(uint32_t leaves);
/* The same, and the memory, and the hot operations that are hypercalls. */
void only_pv_init(const struct start_info *info);

/* With the facts in pvr_boot: the library, the event interrupt, clock and timer. Interrupts are on. */
void xen_start(void);

/* A hypercall with a command and its argument; one that has to succeed. */
long xen_op(unsigned number, unsigned long command, void *arg);
void xen_must(long result, const char *what);

/*
 * console_xen.c. The console page of this domain, where it has one; a line of at most a page of text (2048 bytes), whole: 0, or -1
 * when nobody takes it; and sleep until it has been read, for the hypervisor forgets the page of a domain that ends.
 */
void xen_console_init(struct xencons_interface *page, evtchn_port_t port);
int xen_console_write(const char *bytes, size_t size);
void xen_console_drain(void);

#endif
