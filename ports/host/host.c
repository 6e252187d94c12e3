/* SPDX-License-Identifier: MIT */
/*
 * pvring/host.h for a program that finds out at run time which hypervisor it stands on: the handle
 * knows its implementation. Everything here is called once for a batch, so the detour costs nothing
 * that can be measured.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

int pvr_host_open(const char *address, struct pvr_host **host)
{
	if (address && !strcmp(address, PVR_HOST_XEN))
		return xen_open(host);
	return dom0_open(address, host);
}

void pvr_host_close(struct pvr_host *host)
{
	if (host)
		host->ops->close(host);
}

int pvr_host_on_xen(void)
{
	char text[64];
	int fd = open("/proc/xen/capabilities", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	text[length] = 0;
	return strstr(text, "control_d") != NULL;
}

const unsigned long *pvr_host_ioctls(const struct pvr_host *host, unsigned *count)
{
	*count = host->ops->ioctl_count;
	return host->ops->ioctls;
}

unsigned pvr_host_map(struct pvr_host *host, struct pvr_host_map *maps, unsigned count)
{
	return host->grants->map(host, maps, count);
}

void pvr_host_unmap(struct pvr_host *host, struct pvr_host_map *maps, unsigned count)
{
	host->grants->unmap(host, maps, count);
}

int pvr_host_map_area(struct pvr_host *host, domid_t domid, const grant_ref_t *refs, unsigned count,
	struct pvr_host_area *area, int16_t *status)
{
	return host->grants->map_area(host, domid, refs, count, area, status);
}

void pvr_host_unmap_area(struct pvr_host *host, struct pvr_host_area *area)
{
	host->grants->unmap_area(host, area);
}

unsigned pvr_host_copy(struct pvr_host *host, struct pvr_host_copy *copies, unsigned count)
{
	return host->grants->copy(host, copies, count);
}

int pvr_host_evtchn_bind(struct pvr_host *host, domid_t domid, evtchn_port_t remote)
{
	return host->evtchns->bind(host, domid, remote);
}

void pvr_host_evtchn_unbind(struct pvr_host *host, evtchn_port_t port)
{
	host->evtchns->unbind(host, port);
}

void pvr_host_evtchn_notify(struct pvr_host *host, evtchn_port_t port)
{
	host->evtchns->notify(host, port);
}

int pvr_host_evtchn_fd(struct pvr_host *host)
{
	return host->evtchns->fd(host);
}

int pvr_host_evtchn_pending(struct pvr_host *host)
{
	return host->evtchns->pending(host);
}
