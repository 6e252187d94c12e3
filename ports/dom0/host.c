/* SPDX-License-Identifier: MIT */
/* A backend's handle on the hypervisor: opening and closing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

/* Take the role of dom0 on the control connection and map what comes with it. */
static int role_take(struct dom0 *host)
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

static void dom0_close(struct pvr_host *base)
{
	struct dom0 *host = dom0_of(base);

	host_store_close(base);
	evtchn_close(host);
	grant_close(host);
	foreign_close_all(host);
	if (host->control >= 0)
		close(host->control);
	free(host);
}

static const struct host_ops ops = {
	.close = dom0_close,
};

/* xenstored's socket stands beside the daemon's own; who names no daemon may name a socket. */
static int store_connect(struct pvr_host *base, const char *given)
{
	const char *told = given ? NULL : getenv("XENSTORED_PATH");
	char dir[PATH_MAX], path[PATH_MAX];
	int err = pvr_hv_dir(given, dir, sizeof(dir));
	int n = err ? 0 : snprintf(path, sizeof(path), "%s/%s", dir, PVR_XS_SOCKET);

	if (told)
		return host_store_open(base, told);
	if (err || n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	return host_store_open(base, path);
}

int dom0_open(const char *dir, struct pvr_host **out)
{
	struct dom0 *host = calloc(1, sizeof(*host));
	int err;

	if (!host)
		return -ENOMEM;
	host->base.ops = &ops;
	host->base.grants = &dom0_grants;
	host->base.evtchns = &dom0_evtchns;
	host->epoll = -1;
	host->control = pvr_hv_connect(dir);
	err = host->control < 0 ? host->control : role_take(host);
	if (!err)
		err = evtchn_open(host);
	if (!err)
		err = store_connect(&host->base, dir);
	if (err) {
		dom0_close(&host->base);
		return err == -EPERM ? -EACCES : err;
	}
	*out = &host->base;
	return 0;
}
