/* SPDX-License-Identifier: MIT */
/* The states of a device's two ends, decimal text in their `state` nodes. Source: io/xenbus.h. */
#ifndef PVR_XEN_XENBUS_H
#define PVR_XEN_XENBUS_H

enum xenbus_state {
	XenbusStateUnknown = 0, /* no node, or not a state */
	XenbusStateInitialising = 1,
	XenbusStateInitWait = 2,    /* backend: ready, waits for the frontend or for hotplug */
	XenbusStateInitialised = 3, /* own details published, waits for the peer */
	XenbusStateConnected = 4,
	XenbusStateClosing = 5,
	XenbusStateClosed = 6,
	XenbusStateReconfiguring = 7,
	XenbusStateReconfigured = 8
};

#endif
