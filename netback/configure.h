/* SPDX-License-Identifier: MIT */
/* What the toolstack says of an interface. */
#ifndef PVR_NETBACK_CONFIGURE_H
#define PVR_NETBACK_CONFIGURE_H

#include "device.h"

/*
 * Read it into spec, texts and `without`. 0, or a negative errno and one line for the operator.
 * Sleeps.
 */
int pvr_netback_configure(struct pvr_netback_device *device, char error[PVR_BACK_LINE]);

/* "02:00:00:00:00:01", a station's address: 0, or -EINVAL. Pure. */
int pvr_netback_mac_parse(const char *text, uint8_t mac[6]);
/* libxl's `rate`, "BYTES,MICROSECONDS"; one of them 0: no limit. 0, or -EINVAL. Pure. */
int pvr_netback_rate_parse(const char *text, uint32_t *bytes, uint32_t *us);

#endif
