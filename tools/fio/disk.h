/* SPDX-License-Identifier: GPL-2.0-only */
/* The disks of the one domain that a fio process is, shared by its jobs: a queue for each job that runs. */
#ifndef PVR_FIO_DISK_H
#define PVR_FIO_DISK_H

#include <pvring/blkfront.h>

struct disk;

/*
 * The disk `vdev` (NULL: the domain's first), opened by the first who asks, with his options. The process
 * becomes the domain with the first disk. 0 or a negative errno; what went wrong is in why[size].
 * Everything is closed when the process exits.
 */
int disk_get(const char *vdev, const struct pvr_blkfront_options *options, struct disk **disk,
	char *why, size_t size);

const char *disk_name(const struct disk *disk);
const struct pvr_blkfront_info *disk_info(const struct disk *disk);

/* A queue nobody has, or NULL; and back. Any thread. */
struct pvr_blkfront_queue *disk_queue_claim(struct disk *disk);
void disk_queue_release(struct disk *disk, struct pvr_blkfront_queue *queue);

#endif
