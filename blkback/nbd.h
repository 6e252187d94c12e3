/* SPDX-License-Identifier: MIT */
/* What opening an NBD disk and serving it share. */
#ifndef PVR_BLKBACK_NBD_H
#define PVR_BLKBACK_NBD_H

#include <stdatomic.h>
#include <stdint.h>

struct nbd_handle;
struct pvr_blkback_nbd_calls;

/* Of a disk; all but `first` does not change after it was opened. */
struct pvr_blkback_nbd {
	const struct pvr_blkback_nbd_calls *call;
	char *uri;
	uint32_t max; /* bytes the server takes in one request */
	int can_flush, can_fua;
	/* The connection by which the disk was opened, for the first engine that wants it; then NULL. */
	_Atomic(struct nbd_handle *) first;
};

/* NULL is allowed. */
void pvr_blkback_nbd_close(struct pvr_blkback_nbd *nbd);

#endif
