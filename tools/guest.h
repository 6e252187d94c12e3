/* SPDX-License-Identifier: MIT */
/* What the guest programs of the command share: becoming the domain, and finding its disk. */
#ifndef PVR_TOOLS_GUEST_H
#define PVR_TOOLS_GUEST_H

#include <argp.h>

#include <pvring/blkfront.h>

/* Attach to the domain that the environment names: 0, or a sysexits status with the reason said. */
int guest_attach(void);

/* What to ask the backend for, as options of a verb: an argp child whose input is a struct
 * pvr_blkfront_options. */
extern const struct argp guest_disk_argp;

/* Open a disk by name, or the first there is when vdev is NULL. As above. Copies its name to
 * name[16]. */
int guest_disk_open(const char *vdev, const struct pvr_blkfront_options *options,
	struct pvr_blkfront **disk, char name[16]);

#endif
