/* SPDX-License-Identifier: MIT */
/* Where the frontend of a device is. All of this is the control thread's, and sleeps for xenstore. */
#ifndef PVR_BACKEND_FRONTEND_H
#define PVR_BACKEND_FRONTEND_H

#include "device.h"

/* Into device->frontend, and watch it: 0, or a negative errno and nothing is known. */
int pvr_back_frontend_find(struct pvr_back_device *device);
/* Watch it no more, and forget it. */
void pvr_back_frontend_lose(struct pvr_back_device *device);

/* The state in a half's directory; XenbusStateUnknown when it is missing or none. */
enum xenbus_state pvr_back_state_read(struct pvr_host *host, const char *directory);

#endif
