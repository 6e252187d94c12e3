/* SPDX-License-Identifier: MIT */
/*
 * One device of one domain: its nodes, its handshake, and the rings it has lent to workers. The
 * kind's own structure begins with this one. All of this is the control thread's.
 */
#ifndef PVR_BACKEND_DEVICE_H
#define PVR_BACKEND_DEVICE_H

#include <pvring/host.h>
#include <pvring/xen/xenbus.h>

#include "nodes.h"
#include "ring.h"
#include "worker.h"

#define PVR_BACK_LINE  256u /* of an error line, with NUL */
#define PVR_BACK_RINGS 17u  /* of a device: its queues, and one for control */

struct pvr_back_device;

/* What has changed beside the handshake. */
enum pvr_back_change {
	PVR_BACK_SAME,
	PVR_BACK_CHANGED,
	PVR_BACK_ANNOUNCE, /* and the frontend is to be told: announce again */
};

/* A kind of device. What may be NULL does nothing then. */
struct pvr_back_kind {
	const char *program; /* "blkback", in log lines */
	const char *type; /* "vbd": /local/domain/0/backend/<type>, files <type>-<domid>-<devid> */
	size_t size;      /* of the kind's structure; it is zeroed */
	/* Nodes that may change, of the backend's directory and of the frontend's; each ends with
	 * NULL. Or NULL. */
	const char *const *watched, *const *front_watched;
	const struct pvr_back_turn_ops *turn;
	/*
	 * A frontend that is Connected offers rings too, when it was not Connected to an earlier
	 * backend. Otherwise Initialised alone does. And it may be Reconfiguring: its offer is then
	 * read again, with the same rings.
	 */
	int front_jumps;

	/*
	 * Read what the toolstack says, open what is served unless it is open. 0 and nodes for
	 * InitWait beside hotplug-status, or a negative errno and one line for the operator. Sleeps.
	 */
	int (*prepare)(struct pvr_back_device *device, struct pvr_back_nodes *nodes,
		char error[PVR_BACK_LINE]);
	/*
	 * Read what the frontend offers and lend its rings. NULL, or what is wrong. While the
	 * device is `taking_over`: with their journals, and nothing is lent when one is missing.
	 */
	const char *(*offer)(struct pvr_back_device *device);
	/*
	 * A frontend whose rings were taken over knows something else than what is: announce. Or
	 * NULL.
	 */
	int (*outdated)(struct pvr_back_device *device);
	/* Nodes for Connected. Or NULL. */
	void (*announce)(struct pvr_back_device *device, struct pvr_back_nodes *nodes);
	/* Look at the watched nodes, and at what the rings' workers have to say. Or NULL. */
	enum pvr_back_change (*look)(struct pvr_back_device *device);
	/* No ring is left. `anew`: the toolstack makes it anew. */
	void (*closed)(struct pvr_back_device *device, int anew);
	/* Let go of everything; not of the structure. */
	void (*destroy)(struct pvr_back_device *device);
};

/* What a device needs of the rest. */
struct pvr_back_home {
	const struct pvr_back_kind *kind;
	struct pvr_host *host;
	const char *dir;
	struct pvr_back_worker **workers;
	unsigned worker_count;
	unsigned next_worker; /* who gets the next ring */
	int quiet;            /* see struct pvr_back_config */
	int stopping;         /* every device drains and closes */
	char root[40];        /* where its kind of devices is found */
};

struct pvr_back_device {
	struct pvr_back_device *next;
	struct pvr_back_home *home;
	unsigned domid, devid;
	int dirty;              /* something may have changed: step it */
	char path[64];          /* backend directory */
	char frontend[128];     /* frontend directory, empty: not known yet */
	enum xenbus_state self; /* as last written by this process */
	int closing;            /* the rings are to be drained, then the state is Closed */
	int useless;            /* cannot be served until the toolstack makes it anew */
	int ended;              /* stopping, and closed */
	int fresh;              /* the frontend was seen without rings of an earlier backend */
	int reconfiguring;      /* the offer is read again for a frontend that says so */
	int taking_over;        /* the rings of a backend that died are on their way to workers */
	int left;               /* that has failed: the frontend has to offer new ones */
	uint64_t serving;       /* see backend/journal.h */
	unsigned front_events;  /* of its state; the first comes with the watch */
	unsigned offer_events;  /* as many when the rings were read */
	int asked_again;        /* events until now are counted before the next step */
	unsigned errors;        /* lines logged */
	struct {
		struct pvr_back_ring *ring;
		struct pvr_back_worker *worker; /* has it */
	} lent[PVR_BACK_RINGS];
};

/* NULL: no memory. */
struct pvr_back_device *pvr_back_device_create(
	struct pvr_back_home *home, unsigned domid, unsigned devid);

/*
 * Look at its nodes and its rings and do what can be done now, without waiting for anybody. 1 when
 * its directory is gone and nothing is held any more: destroy it. Sleeps for xenstore only.
 * -ECONNRESET: no xenstore.
 */
int pvr_back_device_step(struct pvr_back_device *device);

/* Its rings too, if there still are any: then no worker may be left. */
void pvr_back_device_destroy(struct pvr_back_device *device);

/* ---- for the kinds ---- */

/* Lend ring i to the worker of ring `with`, or to the next one in turn (with == i). */
void pvr_back_device_lend(
	struct pvr_back_device *device, unsigned i, struct pvr_back_ring *ring, unsigned with);

/* A line in the log, of which each device has only so many. */
__attribute__((format(printf, 2, 3))) void pvr_back_device_complain(
	struct pvr_back_device *device, const char *format, ...);

#endif
