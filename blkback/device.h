/* SPDX-License-Identifier: MIT */
/*
 * One disk of one domain: its nodes, its handshake, and the rings it has lent to workers. All of
 * this is the control thread's.
 */
#ifndef PVR_BLKBACK_DEVICE_H
#define PVR_BLKBACK_DEVICE_H

#include <pvring/host.h>
#include <pvring/xen/xenbus.h>

#include "disk.h"
#include "ring.h"
#include "worker.h"

/* Where every device is found: this domain's backends of its kind. */
#define PVR_BLKBACK_ROOT "/local/domain/0/backend/vbd"

/* What a device needs of the rest. */
struct pvr_blkback_home {
	struct pvr_host *host;
	const char *dir;
	struct pvr_blkback_worker **workers;
	unsigned worker_count;
	unsigned next_worker; /* who gets the next ring */
	int quiet;            /* see struct pvr_blkback_config */
	int stopping;         /* every device drains and closes */
};

struct pvr_blkback_device {
	struct pvr_blkback_device *next;
	struct pvr_blkback_home *home;
	unsigned domid, devid;
	int dirty;              /* something may have changed: step it */
	char path[64];          /* backend directory */
	char frontend[128];     /* frontend directory, empty: not known yet */
	enum xenbus_state self; /* as last written by this process */
	int closing;            /* the ring is to be drained, then the state is Closed */
	int useless;            /* cannot be served until the toolstack makes it anew */
	int ended;              /* stopping, and closed */
	unsigned errors;        /* lines logged */
	struct pvr_blkback_disk *disk;
	struct pvr_blkback_stats *stats;
	struct pvr_blkback_limits limits;
	unsigned queues; /* how many rings it may have */
	struct {
		struct pvr_blkback_ring *ring;
		struct pvr_blkback_worker *worker; /* has it */
	} lent[PVR_BLKBACK_QUEUES_MAX];
};

/* NULL: no memory. */
struct pvr_blkback_device *pvr_blkback_device_create(
	struct pvr_blkback_home *home, unsigned domid, unsigned devid);

/*
 * Look at its nodes and its ring and do what can be done now, without waiting for anybody. 1 when
 * its directory is gone and nothing is held any more: destroy it. Sleeps for xenstore only.
 * -ECONNRESET: no xenstore.
 */
int pvr_blkback_device_step(struct pvr_blkback_device *device);

/* Its rings too, if there still are any: then no worker may be left. */
void pvr_blkback_device_destroy(struct pvr_blkback_device *device);

#endif
