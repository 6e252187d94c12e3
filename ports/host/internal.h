/* SPDX-License-Identifier: MIT */
/*
 * What every implementation of pvring/host.h begins with: its functions for grants and event channels,
 * and the xenstore connection, which is the same for all, since all xenstoreds speak xs_wire.
 */
#ifndef PVR_HOST_INTERNAL_H
#define PVR_HOST_INTERNAL_H

#include <pvring/host.h>

struct host_store;

/* As the functions of pvring/host.h of these names. */
struct host_grant_ops {
	unsigned (*map)(struct pvr_host *host, struct pvr_host_map *maps, unsigned count);
	void (*unmap)(struct pvr_host *host, struct pvr_host_map *maps, unsigned count);
	int (*map_area)(struct pvr_host *host, domid_t domid, const grant_ref_t *refs,
		unsigned count, struct pvr_host_area *area, int16_t *status);
	void (*unmap_area)(struct pvr_host *host, struct pvr_host_area *area);
	unsigned (*copy)(struct pvr_host *host, struct pvr_host_copy *copies, unsigned count);
};

struct host_evtchn_ops {
	int (*bind)(struct pvr_host *host, domid_t domid, evtchn_port_t remote);
	void (*unbind)(struct pvr_host *host, evtchn_port_t port);
	void (*notify)(struct pvr_host *host, evtchn_port_t port);
	int (*fd)(struct pvr_host *host);
	int (*pending)(struct pvr_host *host);
};

struct host_ops {
	void (*close)(struct pvr_host *host);
	const unsigned long *ioctls; /* that any of these make */
	unsigned ioctl_count;
};

struct pvr_host {
	const struct host_ops *ops;
	const struct host_grant_ops *grants;
	const struct host_evtchn_ops *evtchns;
	struct host_store *store;
};

/*
 * Open a handle: 0, or a negative errno and nothing is held. dom0_open is for our hypervisor with its
 * sockets in `dir`, xen_open for the real one; where the build has no libxen it answers -ENOSYS.
 */
int dom0_open(const char *dir, struct pvr_host **host);
int xen_open(struct pvr_host **host);

/* Connect to the xenstored whose socket is `path`. 0 or a negative errno; close in any case. */
int host_store_open(struct pvr_host *host, const char *path);
void host_store_close(struct pvr_host *host);

#endif
