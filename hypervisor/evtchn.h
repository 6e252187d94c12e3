/* SPDX-License-Identifier: MIT */
/*
 * Event channels: a table of ports for every domain and the rules by which they are bound. What
 * carries an event is a pair of eventfds, one a direction, made with the port that is allocated
 * first and shared by the one that binds to it.
 *
 * The functions answer with the errors of Xen's common/event_channel.c. They do no other I/O than
 * making, closing and writing eventfds, and know nothing of clients and sockets.
 */
#ifndef HV_EVTCHN_H
#define HV_EVTCHN_H

#include <stdint.h>

#include <pvring/xen/event_channel.h>

/* How many eventfds the daemon may hold for channels; the rest is for sockets and memory. */
struct hv_pair_budget {
	unsigned used;
	unsigned max;
};

struct hv_pair {
	int fd[2]; /* the same descriptor twice for a port that is its own peer */
	unsigned references;
	struct hv_pair_budget *budget;
};

struct hv_port {
	uint8_t state; /* EVTCHNSTAT_*: closed is free */
	uint8_t side;  /* which of the pair we read */
	domid_t remote;
	uint32_t vcpu;
	union {
		uint32_t virq;
		evtchn_port_t remote_port;
	};
	int guard;       /* an epoll descriptor around what we read, or -1; see struct hv_ports */
	uint32_t client; /* who opened it; 0: the toolstack, for the domain */
	struct hv_ports *peer; /* interdomain only */
	struct hv_pair *pair;
};

struct hv_ports {
	struct hv_port *port;
	uint32_t limit; /* ports below it; port 0 is never used */
	uint32_t open;
	uint32_t vcpus;
	domid_t domid;
	/*
	 * A guest is never given the eventfd that its peer writes: with it come the file's flags,
	 * and with those the power to put the writer to sleep. It gets an epoll descriptor that
	 * holds the eventfd.
	 */
	int guarded;
	unsigned word_size;   /* of the guest: 4 or 8; the layout of shared_info */
	uint8_t *shared_info; /* NULL for a domain without: nothing is ever masked */
	struct hv_pair_budget *budget;
};

/* Ports of the two-level ABI for a guest with longs of word_size bytes. Source: event_channel.h. */
#define HV_PORTS_2L(word_size) ((uint32_t)(word_size) * (word_size)*64u)

/* A table of `limit` ports; -ENOMEM. The fields behind `open` are the caller's. */
int hv_ports_init(struct hv_ports *ports, uint32_t limit);

/* Close all ports, wake their peers, free the table. */
void hv_ports_fini(struct hv_ports *ports);

/* Each of these answers with the new port, or -ENOSPC (table full), -ENOMEM (no descriptors). */
int hv_port_alloc_unbound(struct hv_ports *ports, domid_t remote, uint32_t client);
/* -EINVAL: remote_port is not unbound, or waits for somebody else. The new port starts with one
 * event. */
int hv_port_bind_interdomain(struct hv_ports *ports, struct hv_ports *remote,
	evtchn_port_t remote_port, uint32_t client);
/* -EINVAL: no such interrupt, or a global one on a vCPU other than 0; -ENOENT: no such vCPU;
 * -EEXIST. */
int hv_port_bind_virq(struct hv_ports *ports, uint32_t virq, uint32_t vcpu, uint32_t client);
/* -ENOENT: no such vCPU. */
int hv_port_bind_ipi(struct hv_ports *ports, uint32_t vcpu, uint32_t client);

/* 0 or -EINVAL: the port is not open. */
int hv_port_close(struct hv_ports *ports, evtchn_port_t port);
int hv_port_send(struct hv_ports *ports, evtchn_port_t port);
int hv_port_unmask(struct hv_ports *ports, evtchn_port_t port);
/* Fills status, vcpu and u of *status; a free port below the limit is "closed". */
int hv_port_status(const struct hv_ports *ports, struct evtchn_status *status);
/* Also -ENOENT: no such vCPU. */
int hv_port_bind_vcpu(struct hv_ports *ports, evtchn_port_t port, uint32_t vcpu);

/*
 * Close all ports of `client`, or all for client 0. With wake, a peer gets an event so that it
 * notices; Xen sends none, but there the peer's domain is told by other means.
 */
void hv_ports_reset(struct hv_ports *ports, uint32_t client, int wake);

/* Raise a virtual interrupt of a domain on vCPU 0, if it is bound. */
void hv_ports_raise_virq(struct hv_ports *ports, uint32_t virq);

/* The open port, or NULL. */
struct hv_port *hv_port_get(const struct hv_ports *ports, evtchn_port_t port);
/* What to hand out: to a guest its guard, to dom0 the eventfd. */
int hv_port_rx(const struct hv_port *port);
int hv_port_tx(const struct hv_port *port);

/*
 * Once, before the first kick: what interrupts a write that a hostile process made sleep (SIGALRM).
 */
void hv_event_init(void);

/* Write one event to an eventfd that a hostile process may hold too; never blocks for long. */
void hv_event_kick(int fd);

#endif
