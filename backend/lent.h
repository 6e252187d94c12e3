/* SPDX-License-Identifier: MIT */
/* The rings that a device has lent to workers. All of this is the control thread's. */
#ifndef PVR_BACKEND_LENT_H
#define PVR_BACKEND_LENT_H

#include "device.h"

/* Whether there are any; whether all of them are LIVE. */
int pvr_back_lent_any(const struct pvr_back_device *device);
int pvr_back_lent_live(const struct pvr_back_device *device);

/* 1 when no worker has a ring of this device any more; otherwise they are asked and will wake us. */
int pvr_back_lent_returned(struct pvr_back_device *device);

/*
 * What its worker has made of ring i since the last look: an error that ends the connection, or NULL. One that was given
 * back, or never became live, is no more then.
 */
const char *pvr_back_lent_settle(struct pvr_back_device *device, unsigned i);

/* Requests that are done again, of a dead backend's. */
unsigned pvr_back_lent_rewound(const struct pvr_back_device *device);

/* When no worker is left. */
void pvr_back_lent_destroy(struct pvr_back_device *device);

#endif
