/* SPDX-License-Identifier: MIT */
/*
 * Event channels of a backend. Sending is one write to an eventfd that no guest shares, so it never
 * sleeps; receiving is an edge-triggered epoll set of the guests' eventfds, which are neither read
 * nor written here, so whatever a guest does to them (flags, counter) reaches nobody else. See
 * pvring/hypervisor.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "internal.h"

int evtchn_open(struct dom0 *host)
{
	host->ports = calloc(PORTS, sizeof(*host->ports));
	host->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!host->ports)
		return -ENOMEM;
	return host->epoll < 0 ? -errno : 0;
}

static void port_forget(struct dom0 *host, struct dom0_port *p)
{
	struct foreign *foreign = p->foreign;

	/* The guest keeps the description open, so closing alone would leave it in the set. */
	epoll_ctl(host->epoll, EPOLL_CTL_DEL, p->rx, NULL);
	close(p->rx);
	close(p->tx);
	p->foreign = NULL;
	foreign->ports--;
	foreign_put(host, foreign);
}

void evtchn_close(struct dom0 *host)
{
	for (uint32_t port = 0; host->ports && port < PORTS; port++)
		if (host->ports[port].foreign)
			port_forget(host, &host->ports[port]);
	if (host->epoll >= 0)
		close(host->epoll);
	free(host->ports);
	host->ports = NULL;
}

static void port_close(struct dom0 *host, evtchn_port_t port)
{
	struct evtchn_close arg = {.port = port};

	pvr_hv_hypercall(host->control, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &arg,
		sizeof(arg), 1, NULL, NULL);
}

static int dom0_bind(struct pvr_host *base, domid_t domid, evtchn_port_t remote)
{
	struct dom0 *host = dom0_of(base);
	struct evtchn_bind_interdomain bind = {.remote_dom = domid, .remote_port = remote};
	struct foreign *foreign;
	unsigned count = 2;
	int fds[2];
	int err = (int)pvr_hv_hypercall(host->control, __HYPERVISOR_event_channel_op,
		EVTCHNOP_bind_interdomain, &bind, sizeof(bind), 1, fds, &count);

	if (err)
		return err;
	if (count != 2 || bind.local_port == 0 || bind.local_port >= PORTS)
		err = -EPROTO;
	/* The bound domain is the one whose pages come next: know its current generation. */
	if (!err)
		err = foreign_refresh(host, domid, &foreign);

	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = bind.local_port};

	if (!err && epoll_ctl(host->epoll, EPOLL_CTL_ADD, fds[0], &event)) {
		err = -errno;
		foreign_put(host, foreign);
	}
	if (err) {
		while (count)
			close(fds[--count]);
		port_close(host, bind.local_port);
		return err;
	}
	foreign->ports++;
	host->ports[bind.local_port] =
		(struct dom0_port){.foreign = foreign, .rx = fds[0], .tx = fds[1]};
	return (int)bind.local_port;
}

static struct dom0_port *port_get(struct dom0 *host, evtchn_port_t port)
{
	return port < PORTS && host->ports[port].foreign ? &host->ports[port] : NULL;
}

static void dom0_unbind(struct pvr_host *base, evtchn_port_t port)
{
	struct dom0 *host = dom0_of(base);
	struct dom0_port *p = port_get(host, port);

	if (!p)
		return;
	port_forget(host, p);
	port_close(host, port);
}

static void dom0_notify(struct pvr_host *base, evtchn_port_t port)
{
	struct dom0 *host = dom0_of(base);
	const struct dom0_port *p = port_get(host, port);
	uint64_t one = 1;
	ssize_t n = p ? write(p->tx, &one, sizeof(one)) : 0;

	(void)n;
}

static int dom0_fd(struct pvr_host *base)
{
	struct dom0 *host = dom0_of(base);
	return host->epoll;
}

/* One at a time, so that the descriptor is readable as long as there is another. */
static int dom0_pending(struct pvr_host *base)
{
	struct dom0 *host = dom0_of(base);
	struct epoll_event event;

	return epoll_wait(host->epoll, &event, 1, 0) == 1 ? (int)event.data.u32 : -EAGAIN;
}

const struct host_evtchn_ops dom0_evtchns = {
	.bind = dom0_bind,
	.unbind = dom0_unbind,
	.notify = dom0_notify,
	.fd = dom0_fd,
	.pending = dom0_pending,
};
