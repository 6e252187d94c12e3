/* SPDX-License-Identifier: MIT */
/*
 * Event channels. One descriptor carries all ports of a handle: reading it gives a port, which the
 * kernel has masked, and writing it back unmasks it. That is done at once, so that a port which was
 * taken is one that can be pending again; who floods it is slowed by whoever takes them.
 */
#include <errno.h>

#include "internal.h"

static int xen_bind(struct pvr_host *base, domid_t domid, evtchn_port_t remote)
{
	int port = xenevtchn_bind_interdomain(xen_of(base)->evtchn, domid, remote);

	return port < 0 ? -errno : port;
}

static void xen_unbind(struct pvr_host *base, evtchn_port_t port)
{
	xenevtchn_unbind(xen_of(base)->evtchn, port);
}

static void xen_notify(struct pvr_host *base, evtchn_port_t port)
{
	xenevtchn_notify(xen_of(base)->evtchn, port);
}

static int xen_fd(struct pvr_host *base)
{
	return xenevtchn_fd(xen_of(base)->evtchn);
}

static int xen_pending(struct pvr_host *base)
{
	xenevtchn_handle *evtchn = xen_of(base)->evtchn;
	int port = xenevtchn_pending(evtchn);

	if (port < 0)
		return -EAGAIN;
	xenevtchn_unmask(evtchn, (evtchn_port_t)port);
	return port;
}

const struct host_evtchn_ops xen_evtchns = {
	.bind = xen_bind,
	.unbind = xen_unbind,
	.notify = xen_notify,
	.fd = xen_fd,
	.pending = xen_pending,
};
