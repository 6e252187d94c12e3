/* SPDX-License-Identifier: MIT */
/*
 * The xenbus handshake as both halves see it: a pure state machine that says what to do next, and the
 * frontend's helpers that read and write the nodes.
 *
 * The states are Xen's (public io/xenbus.h), 1 to 8. Watches coalesce, so a half sees only some of the
 * states the other went through, and may see one twice; the machine takes the newest state and never
 * counts on having seen the one before.
 *
 * Freestanding.
 */
#ifndef PVR_XENBUS_H
#define PVR_XENBUS_H

#include <pvring/store.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/xen.h>
#include <pvring/xen/xenbus.h>

/* What a half should do, given its own state and the newest of the other's. */
enum pvr_xenbus_action {
	PVR_XENBUS_NONE,      /* wait for the other half */
	PVR_XENBUS_PREPARE,   /* back: publish what is offered, go to InitWait */
	PVR_XENBUS_CONNECT,   /* front: offer rings, go to Initialised; back: map them, go to Connected */
	PVR_XENBUS_GO,        /* front: the backend is Connected: read its facts, go to Connected */
	PVR_XENBUS_CLOSE,     /* drain, unmap or end grants, go to Closed */
	PVR_XENBUS_RESTART,   /* the other half is a new one: drop everything, begin again from the first state */
};

/*
 * Pure. `online` (back only): the toolstack wants the device to exist, so Closed is followed by InitWait
 * when the frontend comes back. A state outside 1 to 8 counts as XenbusStateUnknown: the node is gone.
 */
enum pvr_xenbus_action pvr_xenbus_front_next(enum xenbus_state self, enum xenbus_state back);
enum pvr_xenbus_action pvr_xenbus_back_next(enum xenbus_state self, enum xenbus_state front, int online);

/* "Initialised" for 3, and so on; "Unknown" for what is none. */
const char *pvr_xenbus_state_name(unsigned state);

/* A frontend device: where its nodes are and who is behind it. */
struct pvr_xenbus_dev {
	char path[64];      /* frontend directory, "device/vbd/51712", relative to the domain */
	char backend[96];   /* backend directory, absolute */
	domid_t backend_id;
	enum xenbus_state state;      /* ours, as last written */
	struct pvr_store_watch watch; /* on the backend's `state` */
};

/*
 * Find the device's backend (nodes `backend` and `backend-id`) and watch its state. -ENOENT: no such device.
 * The structure stays at one address until pvr_xenbus_close.
 */
int pvr_xenbus_open(struct pvr_xenbus_dev *dev, const char *path);
void pvr_xenbus_close(struct pvr_xenbus_dev *dev);

/* Write our state (remembered in dev->state). */
int pvr_xenbus_switch(struct pvr_xenbus_dev *dev, pvr_store_tx tx, enum xenbus_state state);

/* The backend's state now; XenbusStateUnknown when its node is gone. */
enum xenbus_state pvr_xenbus_backend_state(struct pvr_xenbus_dev *dev);

/* Read and write nodes of the device by name: `name` within our directory, or the backend's. */
int pvr_xenbus_write(struct pvr_xenbus_dev *dev, pvr_store_tx tx, const char *name, const char *value);
int pvr_xenbus_write_u64(struct pvr_xenbus_dev *dev, pvr_store_tx tx, const char *name, uint64_t value);
int pvr_xenbus_backend_read(struct pvr_xenbus_dev *dev, const char *name, char *value, size_t size);
/* `otherwise` when the node is missing or is no number. */
uint64_t pvr_xenbus_backend_u64(struct pvr_xenbus_dev *dev, const char *name, uint64_t otherwise);

#endif
