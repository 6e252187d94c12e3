/* SPDX-License-Identifier: MIT */
/*
 * The engines that do a worker's I/O: one small table of functions each. An engine belongs to one
 * thread, the one that created it; many disks share it. What a disk holds open is the disk's
 * (disk.h).
 *
 * Nothing here fails towards the caller: what goes wrong with an I/O is that I/O's error.
 */
#ifndef PVR_BLKBACK_ENGINE_H
#define PVR_BLKBACK_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "request.h"

struct pvr_blkback_disk;

enum pvr_blkback_kind {
	PVR_BLKBACK_URING, /* files and block devices by io_uring; where that is refused as the next */
	PVR_BLKBACK_AIO,  /* the same by libaio; where that is refused as the next */
	PVR_BLKBACK_SYNC, /* the same by preadv and pwritev, which sleep */
	PVR_BLKBACK_NBD,  /* what an NBD server serves */
	PVR_BLKBACK_MEM,  /* memory of this process */
	PVR_BLKBACK_NULL, /* does nothing, at once: for measuring the rest */
	PVR_BLKBACK_KINDS,
};

/*
 * One I/O. The caller owns it and does not touch it between queue and reap. Both discards come only
 * for a disk whose facts say that it can, of `left` bytes and without iovecs; at most
 * PVR_BLKBACK_DISCARD_MAX at a time.
 */
struct pvr_blkback_io {
	const struct pvr_blkback_disk *disk;
	enum pvr_blkback_op op;
	uint8_t fua;     /* of a WRITE: durable before it is done */
	uint8_t fixed;   /* out: its buffer was one that is registered with the kernel */
	int error;       /* out: 0 or a negative errno */
	uint64_t offset; /* bytes; the engine moves these three on as parts of it are done */
	uint32_t left;
	unsigned iov_first, iov_count;
	struct iovec *iov; /* at most PVR_BLKBACK_SEGMENTS_MAX; the engine may change them */
	struct pvr_blkback_io *next; /* the engine's */
};

struct pvr_blkback_engine;

struct pvr_blkback_engine_ops {
	const char *name;
	int (*create)(struct pvr_blkback_engine **engine);
	void (*destroy)(struct pvr_blkback_engine *engine);
	void (*queue)(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io);
	void (*submit)(struct pvr_blkback_engine *engine); /* NULL: queue has done it all */
	void (*poll)(struct pvr_blkback_engine
			*engine); /* moves what is complete to the done list; or NULL */
	int (*fd)(struct pvr_blkback_engine *engine); /* NULL: nothing completes later */
	/* NULL: nothing is kept for a disk */
	void (*forget)(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk);
	/* NULL, both: it does not matter where buffers are */
	void (*add_memory)(struct pvr_blkback_engine *engine, void *base, size_t bytes);
	void (*drop_memory)(struct pvr_blkback_engine *engine, void *base);
};

/* The part all engines begin with. */
struct pvr_blkback_engine {
	const struct pvr_blkback_engine_ops *ops;
	struct pvr_blkback_io *done, **done_end;
	unsigned unsent;  /* queued, and not taken by the kernel yet: submit again soon */
	int refused;      /* the kernel's error for the kind that was asked for, or 0 */
	int unfixed;      /* the kernel's error when it would register no more memory, or 0 */
	uint64_t inlined; /* done at once by queue, without a submission */
};

extern const struct pvr_blkback_engine_ops pvr_blkback_engine_uring, pvr_blkback_engine_aio,
	pvr_blkback_engine_nbd, pvr_blkback_engine_sync, pvr_blkback_engine_mem,
	pvr_blkback_engine_null;

/*
 * By the thread that will use it. Where the kernel refuses io_uring or aio it is one of the kinds
 * that follow, ops->name says which and `refused` why. A negative errno when there is no memory.
 */
int pvr_blkback_engine_create(enum pvr_blkback_kind kind, struct pvr_blkback_engine **engine);
/* Nothing may be in flight. */
void pvr_blkback_engine_destroy(struct pvr_blkback_engine *engine);

/* Hand over an I/O; it may start at once, at the latest with submit. */
void pvr_blkback_engine_queue(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io);
void pvr_blkback_engine_submit(struct pvr_blkback_engine *engine);
/* The next one that is complete, or NULL. Never sleeps. */
struct pvr_blkback_io *pvr_blkback_engine_reap(struct pvr_blkback_engine *engine);
/* Readable when reap may have something; -1: it always has all. */
int pvr_blkback_engine_fd(struct pvr_blkback_engine *engine);
/*
 * No ring of this disk is left with this engine's thread, or one of them is gone: lets go of what
 * the engine keeps for the disk (a connection, a registered file) unless something is in flight.
 * Before the disk is closed.
 */
void pvr_blkback_engine_forget(
	struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk);

/*
 * Buffers may lie in these bytes from now on, and what is there stays there until they are dropped,
 * as often as they were added: the engine may have the kernel pin what it uses of them. Whoever
 * unmaps them drops them first, with nothing in flight there.
 */
void pvr_blkback_engine_add_memory(struct pvr_blkback_engine *engine, void *base, size_t bytes);
void pvr_blkback_engine_drop_memory(struct pvr_blkback_engine *engine, void *base);

/*
 * ---- for the engines --------------------------------------------------------------------------
 */

/* Complete: `error` goes to the io, which goes to the done list. */
void pvr_blkback_io_done(struct pvr_blkback_engine *engine, struct pvr_blkback_io *io, int error);

/*
 * The result of a system call, bytes (0 for a flush or a discard) or a negative errno, on what was left of io. 1 when the io is
 * complete (and on the done list), 0 when a rest is left to be done. 0 bytes are the end of an
 * image that was truncated under us: -EIO.
 */
int pvr_blkback_io_result(
	struct pvr_blkback_engine *engine, struct pvr_blkback_io *io, long result);

/* Do it here with system calls that may sleep; `flags` is preadv2's (RWF_NOWAIT). -EAGAIN or bytes,
 * as above. */
long pvr_blkback_io_call(struct pvr_blkback_io *io, int flags);

#endif
