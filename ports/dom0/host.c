/* SPDX-License-Identifier: MIT */
/* A backend's handle on the hypervisor: opening and closing. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

/* Take the role of dom0 on the control connection and map what comes with it. */
static int role_take(struct pvr_host *host)
{
	struct pvr_hv_dom0 dom0;
	size_t length = sizeof(dom0);
	unsigned count = 1;
	int fd = -1;
	int err =
		(int)pvr_hv_call(host->control, PVR_HV_DOM0, NULL, 0, &dom0, &length, &fd, &count);

	if (!err && (length != sizeof(dom0) || count != 1))
		err = -EPROTO;
	if (!err) {
		host->client = dom0.client;
		err = grant_open(host, fd, dom0.maptrack_entries);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

int pvr_host_open(const char *address, struct pvr_host **out)
{
	struct pvr_host *host = calloc(1, sizeof(*host));
	int err;

	if (!host)
		return -ENOMEM;
	host->epoll = -1;
	host->control = pvr_hv_connect(address);
	err = host->control < 0 ? host->control : role_take(host);
	if (!err)
		err = evtchn_open(host);
	if (!err)
		err = store_open(host, address);
	if (err) {
		pvr_host_close(host);
		return err == -EPERM ? -EACCES : err;
	}
	*out = host;
	return 0;
}

void pvr_host_close(struct pvr_host *host)
{
	if (!host)
		return;
	store_close(host);
	evtchn_close(host);
	grant_close(host);
	foreign_close_all(host);
	if (host->control >= 0)
		close(host->control);
	free(host);
}
