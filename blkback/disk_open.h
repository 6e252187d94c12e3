/* SPDX-License-Identifier: MIT */
/* Between disk.c and the files that open one kind of disk each. */
#ifndef PVR_BLKBACK_DISK_OPEN_H
#define PVR_BLKBACK_DISK_OPEN_H

#include "disk.h"

#define PVR_BLKBACK_SECTOR_MAX 4096u

/* The line for the operator; returns `code`. */
int pvr_blkback_refuse(char error[PVR_BLKBACK_LINE], int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* When facts.sector_size is what the image needs: checks it and the size, sets facts.sectors. */
int pvr_blkback_disk_set_size(struct pvr_blkback_disk *disk, const struct pvr_blkback_spec *spec,
	uint64_t bytes, char error[PVR_BLKBACK_LINE]);

/* 0, or a negative errno and a line. What they have opened is the disk's to close. */
int pvr_blkback_disk_open_file(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE]);
int pvr_blkback_disk_open_nbd(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE]);

#endif
