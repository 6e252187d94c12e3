/* SPDX-License-Identifier: MIT */
/*
 * Event channels: their hypercall and the two ABIs of delivery. Source of everything here:
 * event_channel.h, except where another is named.
 */
#ifndef PVR_XEN_EVENT_CHANNEL_H
#define PVR_XEN_EVENT_CHANNEL_H

#include "pvring/xen/xen.h"

/* A port is a domain's local name of its end of a channel. */
typedef uint32_t evtchn_port_t;

/* Commands of event_channel_op(cmd, arg). arg is the structure of the same name. */
#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq        1
#define EVTCHNOP_bind_pirq        2
#define EVTCHNOP_close            3
#define EVTCHNOP_send             4
#define EVTCHNOP_status           5
#define EVTCHNOP_alloc_unbound    6
#define EVTCHNOP_bind_ipi         7
#define EVTCHNOP_bind_vcpu        8
#define EVTCHNOP_unmask           9
#define EVTCHNOP_reset            10
#define EVTCHNOP_init_control     11 /* the FIFO ABI: 11 to 13 */
#define EVTCHNOP_expand_array     12
#define EVTCHNOP_set_priority     13

/*
 * Make a port in dom to which remote_dom may bind. dom is DOMID_SELF unless the caller is
 * privileged. Answer: port.
 */
struct evtchn_alloc_unbound {
	domid_t dom, remote_dom;
	evtchn_port_t port;
};

/*
 * Connect to an unbound port of remote_dom which names the caller. Answer: local_port, which starts
 * pending, since the peer may have sent before (common/event_channel.c).
 */
struct evtchn_bind_interdomain {
	domid_t remote_dom;
	evtchn_port_t remote_port;
	evtchn_port_t local_port;
};

/* Bind a virtual interrupt: once a vCPU, or once a domain (then vcpu is 0). Answer: port. */
struct evtchn_bind_virq {
	uint32_t virq; /* VIRQ_* */
	uint32_t vcpu;
	evtchn_port_t port;
};

/* Bind a real interrupt. Answer: port. */
struct evtchn_bind_pirq {
	uint32_t pirq;
	uint32_t flags; /* BIND_PIRQ__* */
	evtchn_port_t port;
};

#define BIND_PIRQ__WILL_SHARE 1

/* A port which notifies the caller's own vcpu. Answer: port. */
struct evtchn_bind_ipi {
	uint32_t vcpu;
	evtchn_port_t port;
};

/* Free a port. An interdomain peer's end becomes unbound and waits for the same domain again. */
struct evtchn_close {
	evtchn_port_t port;
};

/* Notify the other end. */
struct evtchn_send {
	evtchn_port_t port;
};

/* What port of dom is. vcpu is the one it notifies. The union is filled as status says. */
struct evtchn_status {
	domid_t dom;
	evtchn_port_t port;
	uint32_t status; /* EVTCHNSTAT_* */
	uint32_t vcpu;
	union {
		struct {
			domid_t dom;
		} unbound;
		struct {
			domid_t dom;
			evtchn_port_t port;
		} interdomain;
		uint32_t pirq;
		uint32_t virq;
	} u;
};

#define EVTCHNSTAT_closed      0
#define EVTCHNSTAT_unbound     1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_pirq        3
#define EVTCHNSTAT_virq        4
#define EVTCHNSTAT_ipi         5

/* Choose the vCPU a port notifies. Not for IPIs and per-vCPU interrupts, which have theirs. */
struct evtchn_bind_vcpu {
	evtchn_port_t port;
	uint32_t vcpu;
};

/* Unmask; if the port is pending, deliver. */
struct evtchn_unmask {
	evtchn_port_t port;
};

/* Close every port of dom and go back to two-level delivery. */
struct evtchn_reset {
	domid_t dom;
};

/* Use the FIFO ABI: vcpu's control block is at offset in frame control_gfn. Answer: link_bits. */
struct evtchn_init_control {
	uint64_t control_gfn;
	uint32_t offset;
	uint32_t vcpu;
	uint8_t link_bits;
	uint8_t _pad[7];
};

/* Add a page of event words. */
struct evtchn_expand_array {
	uint64_t array_gfn;
};

struct evtchn_set_priority {
	evtchn_port_t port;
	uint32_t priority; /* EVTCHN_FIFO_PRIORITY_MAX .. _MIN */
};

/* Ports of the two-level ABI: one word of words of bits: 4096 with 64-bit words, 1024 with 32. */
#define EVTCHN_2L_NR_CHANNELS (sizeof(xen_ulong_t) * sizeof(xen_ulong_t) * 64)

/* The FIFO ABI: a queue for each priority, linked through an event word for each port. */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15
#define EVTCHN_FIFO_MAX_QUEUES       (EVTCHN_FIFO_PRIORITY_MIN + 1)

typedef uint32_t event_word_t;

/* Bits of an event word; the low EVTCHN_FIFO_LINK_BITS name the next port of the queue. */
#define EVTCHN_FIFO_PENDING     31
#define EVTCHN_FIFO_MASKED      30
#define EVTCHN_FIFO_LINKED      29
#define EVTCHN_FIFO_BUSY        28
#define EVTCHN_FIFO_LINK_BITS   17
#define EVTCHN_FIFO_LINK_MASK   ((1 << EVTCHN_FIFO_LINK_BITS) - 1)
#define EVTCHN_FIFO_NR_CHANNELS (1 << EVTCHN_FIFO_LINK_BITS)

/* One vCPU's queues: ready has a bit for each queue that is not empty. */
struct evtchn_fifo_control_block {
	uint32_t ready;
	uint32_t _rsvd;
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};

#endif
