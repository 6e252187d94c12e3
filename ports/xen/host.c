/* SPDX-License-Identifier: MIT */
/*
 * A backend's handle on the real Xen, from its dom0: /dev/xen/gntdev and /dev/xen/evtchn through Xen's
 * libraries, and xenstored's socket. What a handle holds is the kernel's to release when the process
 * dies: the descriptors close, and with them the grants are unmapped and the ports closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "internal.h"

#include <xen/evtchn.h>
#include <xen/gntdev.h>
#include <xentoollog.h>

#define STORE_SOCKET "/run/xenstored/socket"

/*
 * The libraries log what fails. A guest decides what that is and how often (a reference that is not
 * granted), so nothing is said here: who called says what became of it, and bounds how often.
 */
static void say_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
	const char *context, const char *format, va_list list)
{
	(void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)list;
}

static void show_nothing(struct xentoollog_logger *logger, const char *context, const char *doing,
	int percent, unsigned long done, unsigned long total)
{
	(void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void keep(struct xentoollog_logger *logger)
{
	(void)logger;
}

static struct xentoollog_logger silent = {say_nothing, show_nothing, keep};

static const unsigned long ioctls[] = {IOCTL_GNTDEV_MAP_GRANT_REF, IOCTL_GNTDEV_UNMAP_GRANT_REF,
	IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, IOCTL_GNTDEV_GRANT_COPY, IOCTL_EVTCHN_BIND_INTERDOMAIN,
	IOCTL_EVTCHN_UNBIND, IOCTL_EVTCHN_NOTIFY};

static void xen_close(struct pvr_host *base)
{
	struct xen *host = xen_of(base);

	host_store_close(base);
	if (host->evtchn)
		xenevtchn_close(host->evtchn);
	if (host->gnttab)
		xengnttab_close(host->gnttab);
	xen_brief_close(host);
	free(host->runs);
	free(host);
}

static const struct host_ops ops = {
	.close = xen_close,
	.ioctls = ioctls,
	.ioctl_count = sizeof(ioctls) / sizeof(ioctls[0]),
};

/* The port's descriptor must never make a worker sleep. */
static int open_devices(struct xen *host)
{
	int fd, flags;

	host->gnttab = xengnttab_open(&silent, 0);
	if (!host->gnttab)
		return -errno;
	host->evtchn = xenevtchn_open(&silent, 0);
	if (!host->evtchn)
		return -errno;
	fd = xenevtchn_fd(host->evtchn);
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

int xen_open(struct pvr_host **out)
{
	struct xen *host = calloc(1, sizeof(*host));
	const char *told = getenv("XENSTORED_PATH"); /* as for Xen's own tools */
	int err;

	if (!host)
		return -ENOMEM;
	host->base.ops = &ops;
	host->base.grants = &xen_grants;
	host->base.evtchns = &xen_evtchns;
	err = open_devices(host);
	if (!err)
		err = host_store_open(&host->base, told ? told : STORE_SOCKET);
	if (err) {
		xen_close(&host->base);
		return err == -EPERM ? -EACCES : err;
	}
	*out = &host->base;
	return 0;
}
