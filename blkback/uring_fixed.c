/* SPDX-License-Identifier: MIT */
/*
 * Files and memory registered with a ring. See uring_fixed.h.
 *
 * Both tables are hashed by place: a file's slot follows from its descriptor, a piece's from its
 * address. Who finds a slot taken goes without.
 */
#include "uring_fixed.h"

#include <errno.h>

#include "disk.h"

/*
 * The limit is the user's, so another process may have given back its share since memory was
 * refused. One try in as many.
 */
#define RETRY 1024u

void pvr_blkback_fixed_init(struct pvr_blkback_fixed *fixed, struct io_uring *ring)
{
	fixed->ring = ring;
	fixed->has_files = !io_uring_register_files_sparse(ring, PVR_BLKBACK_FIXED_FILES);
	fixed->error = io_uring_register_buffers_sparse(ring, PVR_BLKBACK_FIXED_PIECES);
	fixed->has_buffers = !fixed->error;
}

/* ---- files ---- */

static unsigned file_slot(const struct pvr_blkback_disk *disk)
{
	return (unsigned)disk->fd % PVR_BLKBACK_FIXED_FILES;
}

void pvr_blkback_fixed_use_file(struct pvr_blkback_fixed *fixed,
	const struct pvr_blkback_disk *disk, struct io_uring_sqe *sqe)
{
	unsigned slot = file_slot(disk);

	if (fixed->has_files && !fixed->file[slot]) {
		fixed->has_files =
			io_uring_register_files_update(fixed->ring, slot, &disk->fd, 1) == 1;
		if (fixed->has_files)
			fixed->file[slot] = disk;
	}
	if (fixed->file[slot] != disk)
		return;
	sqe->fd = (int)slot;
	sqe->flags |= IOSQE_FIXED_FILE;
}

void pvr_blkback_fixed_forget_file(
	struct pvr_blkback_fixed *fixed, const struct pvr_blkback_disk *disk)
{
	unsigned slot = file_slot(disk);
	int none = -1;

	if (disk->fd < 0 || fixed->file[slot] != disk)
		return;
	fixed->file[slot] = NULL;
	io_uring_register_files_update(fixed->ring, slot, &none, 1);
}

/* ---- memory ---- */

/* Into slot i, or nothing (length 0). */
static int set_buffer(struct pvr_blkback_fixed *fixed, unsigned i, uintptr_t from, size_t length)
{
	struct iovec iov = {length ? (void *)from : NULL, length};
	int result = io_uring_register_buffers_update_tag(fixed->ring, i, &iov, NULL, 1);

	return result < 0 ? result : 0;
}

void pvr_blkback_fixed_add(struct pvr_blkback_fixed *fixed, void *base, size_t bytes)
{
	unsigned empty = PVR_BLKBACK_FIXED_REGIONS;

	for (unsigned i = PVR_BLKBACK_FIXED_REGIONS; i-- > 0;) {
		if (fixed->region[i].users && fixed->region[i].base == (uintptr_t)base) {
			fixed->region[i].users++;
			return;
		}
		if (!fixed->region[i].users)
			empty = i;
	}
	if (empty == PVR_BLKBACK_FIXED_REGIONS)
		return;
	fixed->region[empty].base = (uintptr_t)base;
	fixed->region[empty].end = (uintptr_t)base + bytes;
	fixed->region[empty].users = 1;
}

/*
 * The slots are empty for us whatever the kernel says: by an old entry, an I/O would reach the pages
 * that were mapped there before.
 */
static void drop_pieces(struct pvr_blkback_fixed *fixed, uintptr_t base, uintptr_t end)
{
	for (unsigned i = 0; i < PVR_BLKBACK_FIXED_PIECES; i++) {
		if (fixed->piece[i].from < base || fixed->piece[i].end > end)
			continue;
		if (fixed->piece[i].registered)
			set_buffer(fixed, i, 0, 0);
		fixed->piece[i].from = fixed->piece[i].end = 0;
		fixed->piece[i].registered = 0;
	}
}

void pvr_blkback_fixed_drop(struct pvr_blkback_fixed *fixed, void *base)
{
	for (unsigned i = 0; i < PVR_BLKBACK_FIXED_REGIONS; i++) {
		if (!fixed->region[i].users || fixed->region[i].base != (uintptr_t)base)
			continue;
		if (--fixed->region[i].users == 0)
			drop_pieces(fixed, fixed->region[i].base, fixed->region[i].end);
		return;
	}
}

/* The one around `at`; PVR_BLKBACK_FIXED_REGIONS: none. */
static unsigned find_region(const struct pvr_blkback_fixed *fixed, uintptr_t at)
{
	for (unsigned r = 0; r < PVR_BLKBACK_FIXED_REGIONS; r++)
		if (fixed->region[r].users && at >= fixed->region[r].base &&
			at < fixed->region[r].end)
			return r;
	return PVR_BLKBACK_FIXED_REGIONS;
}

/* The part of a region that lies in the piece around `at`, into slot i. */
static void fill_slot(struct pvr_blkback_fixed *fixed, unsigned i, uintptr_t at)
{
	uintptr_t from = at & ~(uintptr_t)(PVR_BLKBACK_FIXED_PIECE - 1),
		  end = from + PVR_BLKBACK_FIXED_PIECE;
	unsigned r = find_region(fixed, at);
	int result;

	if (r == PVR_BLKBACK_FIXED_REGIONS)
		return;
	if (from < fixed->region[r].base)
		from = fixed->region[r].base;
	if (end > fixed->region[r].end)
		end = fixed->region[r].end;
	result = set_buffer(fixed, i, from, end - from);
	/* The limit: perhaps later. Anything else is this piece's own fault. */
	fixed->error = result == -ENOMEM || result == -EPERM ? result : 0;
	if (fixed->error)
		return;
	fixed->piece[i].from = from;
	fixed->piece[i].end = end;
	fixed->piece[i].registered = !result;
}

int pvr_blkback_fixed_buffer(struct pvr_blkback_fixed *fixed, const struct iovec *iov)
{
	uintptr_t at = (uintptr_t)iov->iov_base;
	unsigned i = (unsigned)(at / PVR_BLKBACK_FIXED_PIECE % PVR_BLKBACK_FIXED_PIECES);

	if (!fixed->has_buffers)
		return -1;
	if (fixed->piece[i].from == fixed->piece[i].end &&
		(!fixed->error || ++fixed->skipped % RETRY == 0))
		fill_slot(fixed, i, at);
	return fixed->piece[i].registered && at >= fixed->piece[i].from &&
			       at + iov->iov_len <= fixed->piece[i].end
		       ? (int)i
		       : -1;
}
