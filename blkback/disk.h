/* SPDX-License-Identifier: MIT */
/* What a device serves: an image file, a block device, an NBD server's export, memory, or nothing at all. */
#ifndef PVR_BLKBACK_DISK_H
#define PVR_BLKBACK_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "request.h"

/* The toolstack's nodes, as text; NULL: missing. */
struct pvr_blkback_spec {
	const char *type;    /* "file", "phy", "nbd", "mem", "null"; missing: "file" */
	const char *params;  /* absolute path, NBD URI, or bytes */
	const char *mode;    /* "r" or "w" */
	const char *direct;  /* "1" */
	const char *fixed;   /* "0": with direct, the guest's memory is not pinned for I/O */
	const char *engine;  /* of a file: "uring", "aio" or "sync"; missing: uring */
	const char *sector;  /* "512" or "4096": what offsets and lengths are multiples of; missing:
			       what the image needs */
	const char *discard; /* "0": not offered; libxl's discard-enable */
};

struct pvr_blkback_nbd;

/* When the engine may do a request itself instead of submitting it. */
enum pvr_blkback_inline {
	PVR_BLKBACK_SUBMIT,        /* never: direct I/O, devices */
	PVR_BLKBACK_INLINE_CACHED, /* a read that the page cache has (RWF_NOWAIT) */
	PVR_BLKBACK_INLINE_ALL,    /* tmpfs: all is memory, and RWF_NOWAIT is refused there */
};

/* Shared by threads, and never written after it was opened. */
struct pvr_blkback_disk {
	struct pvr_blkback_facts facts;
	uint32_t physical_size; /* bytes; what the device does at once */
	int single_worker; /* all its rings must be one worker's: an NBD server whose connections
			      do not see each other's flushes */
	enum pvr_blkback_kind kind;
	enum pvr_blkback_inline inline_io;
	int fixed;     /* buffers are to be registered with io_uring: direct I/O gains by it */
	int fd;        /* -1: no file */
	void *memory;  /* type mem */
	size_t length; /* of memory */
	struct pvr_blkback_nbd *nbd;
};

#define PVR_BLKBACK_LINE 256u /* of an error line, with NUL */

/*
 * Open. 0 and *disk, or a negative errno and one line in `error` for the operator: what, where, and
 * the way out. Sleeps.
 */
int pvr_blkback_disk_open(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk **disk,
	char error[PVR_BLKBACK_LINE]);
/* When no request of it is in flight. NULL is allowed. */
void pvr_blkback_disk_close(struct pvr_blkback_disk *disk);

#endif
