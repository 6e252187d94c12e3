/* SPDX-License-Identifier: MIT */
/*
 * What is registered with a worker's ring: files, so that the kernel does not look them up for each
 * I/O, and memory, so that it does not pin and unpin the pages of each direct I/O.
 *
 * Both tables are sparse and filled by use. A disk's file is registered by its first I/O. Of a
 * guest's memory, whole megabytes are registered as direct I/O first touches them: registered
 * memory is allocated, cannot be swapped out and counts against RLIMIT_MEMLOCK, so the whole guest
 * would be too much, and most I/O comes from few places. What is not registered, for whatever
 * reason, works as well.
 */
#ifndef PVR_BLKBACK_URING_FIXED_H
#define PVR_BLKBACK_URING_FIXED_H

#include <liburing.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

#define PVR_BLKBACK_FIXED_FILES   256u
#define PVR_BLKBACK_FIXED_PIECES  1024u /* pieces of guests' memory that one ring has registered */
#define PVR_BLKBACK_FIXED_PIECE   (1u << 20) /* bytes of one, at most; starts at a multiple of it */
#define PVR_BLKBACK_FIXED_REGIONS 64u

struct pvr_blkback_fixed {
	struct io_uring *ring;
	int error;        /* the kernel's, while it lets no more memory be registered; or 0 */
	unsigned skipped; /* I/Os for which it was not asked again */
	int has_files, has_buffers; /* there is such a table */
	const struct pvr_blkback_disk *file[PVR_BLKBACK_FIXED_FILES];
	struct {
		uintptr_t base, end; /* equal: none */
		unsigned users;
	} region[PVR_BLKBACK_FIXED_REGIONS];
	struct {
		uintptr_t from, end; /* equal: none */
		int registered;      /* or it could not be */
	} piece[PVR_BLKBACK_FIXED_PIECES];
};

/* Make the tables, while the ring is still disabled. A kernel without them is no error. */
void pvr_blkback_fixed_init(struct pvr_blkback_fixed *fixed, struct io_uring *ring);

/* By the disk's registered file, if it has one or can have. `sqe` is prepared by descriptor. */
void pvr_blkback_fixed_use_file(struct pvr_blkback_fixed *fixed,
	const struct pvr_blkback_disk *disk, struct io_uring_sqe *sqe);
/* The disk is about to be closed. */
void pvr_blkback_fixed_forget_file(
	struct pvr_blkback_fixed *fixed, const struct pvr_blkback_disk *disk);

/* See pvr_blkback_engine_add_memory and pvr_blkback_engine_drop_memory. */
void pvr_blkback_fixed_add(struct pvr_blkback_fixed *fixed, void *base, size_t bytes);
void pvr_blkback_fixed_drop(struct pvr_blkback_fixed *fixed, void *base);

/* The index of the registered buffer that has all of `iov`, or -1. Registers it if need be. */
int pvr_blkback_fixed_buffer(struct pvr_blkback_fixed *fixed, const struct iovec *iov);

#endif
