/* SPDX-License-Identifier: MIT */
/*
 * The block frontend: a disk of the guest, served by whatever backend speaks Xen's public io/blkif.h.
 *
 * Two ways to use a disk, not both at a time:
 *
 *   asynchronous  fill requests, submit a batch, poll for completions; sleep in pvr_blkfront_wait when
 *                 there is nothing to poll for. One thread at a time owns the disk; there are no locks inside.
 *   blocking      pvr_blkfront_read, _write, _flush from any number of threads at once; on top of the above.
 *
 * Data moves without a copy: a request's segments name pages of the domain's own memory (from
 * pvr_port_pages_alloc), which are granted to the backend while the request is in flight.
 *
 * Sectors are 512 bytes in every interface here, whatever the disk's own sector size (as blkif has it
 * since Xen 4.20); positions and lengths must be multiples of the disk's sector size.
 *
 * What a backend does wrong (an index too far, an id not in flight, an answer to another operation, a page
 * it keeps mapped after the answer) puts the disk into the error state: logged once, every request in
 * flight ends with -EIO, later ones with -ENODEV. A backend that closes for good, or whose directory is
 * gone, ends them with -ENODEV.
 *
 * A backend that is to come back is waited for: another one in InitWait, one Closing or Closed while its
 * `online` node is 1, or one whose end of the event channel is gone. The disk then offers new rings, and
 * what was not answered is issued again, in the order it was submitted: a request may be executed more than
 * once, and one that was answered is never undone. Should the new backend take fewer segments, larger
 * requests go to it in parts; what lies beyond its end or cannot be done by it ends with -EIO. One that
 * takes fewer queues, or none that comes in time, ends everything with -ENODEV. While there is no backend
 * the disk takes requests, as many as the ring has slots.
 *
 * A page that the backend still has mapped when its request must end is lost: the request ends with -EBUSY.
 * Its pages must then be neither used again nor given back to the port, since the backend can read or
 * write them for as long as it likes. A disk in error waits up to a second for the backend to let go. Data
 * that goes through pages of the disk's own (persistent, untrusting) cannot be lost in this way.
 *
 * Freestanding. Thread context.
 */
#ifndef PVR_BLKFRONT_H
#define PVR_BLKFRONT_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/blkif.h>

struct pvr_blkfront;

/* What to ask for; each is taken down to what the backend offers. All zero: the defaults. */
struct pvr_blkfront_options {
	uint32_t queues;     /* rings, each with an owner of its own; 0: one */
	uint32_t ring_order; /* log2 of the pages of a ring, 0 to 4 */
	uint32_t
		max_segments; /* of one request; over 11 uses indirect segments; 0: 32, 256 at the most */
	uint32_t
		persistent; /* reuse granted pages: data is copied, but nothing mapped for each request */
	uint32_t
		untrusting; /* as trusted=0: data goes through pages of our own, zeroed around it */
	uint64_t
		reconnect_ns; /* how long requests wait for a backend that vanished; 0: 60 s; UINT64_MAX: ever */
};

/*
 * What was negotiated. Renewed by poll and serve: when the disk reconnects, but for the number of queues;
 * sectors also when it is resized.
 */
struct pvr_blkfront_info {
	uint64_t sectors;              /* of 512 bytes */
	uint32_t sector_size;          /* bytes; alignment of every request */
	uint32_t physical_sector_size; /* bytes; a hint */
	uint32_t
		readonly; /* VDISK_READONLY: writes end with -EROFS, without reaching the backend */
	uint32_t flush, barrier;  /* offered; else such requests end with -EOPNOTSUPP */
	uint32_t discard, secure; /* the same */
	uint32_t discard_granularity, discard_alignment; /* bytes */
	uint32_t persistent;
	uint32_t entries;      /* slots of a ring */
	uint32_t max_segments; /* segments of one request */
	uint32_t ring_order;   /* log2 of the ring's pages */
	uint32_t queues;
};

/* Counters since the disk was opened. Exact for the disk's owner; with blocking use a moment old. */
struct pvr_blkfront_stats {
	uint64_t requests, responses, errors;
	uint64_t sectors_read, sectors_written;
	uint64_t notifies;      /* events sent */
	uint64_t events;        /* wake-ups taken */
	uint64_t grants_leaked; /* pages the backend did not give back */
	uint64_t grants_reused; /* pages sent by a persistent grant */
	uint64_t indirect;      /* requests with indirect segments */
	uint64_t reconnects,
		reissued; /* backends replaced, and requests given to the new one again */
};

/* A piece of a request within one page: `length` bytes at `address`, both multiples of 512. */
struct pvr_blk_segment {
	void *address;
	uint32_t length;
};

/*
 * One request. The caller owns it and its pages and keeps both, at their addresses, from submit to the
 * call of `done`; there `error` is 0 or a negative errno: -EIO the device failed, -EOPNOTSUPP the backend
 * cannot, -ENODEV the disk is gone, -EBUSY the pages are lost (above). `done` is called from submit, poll or
 * close, may submit again, may not sleep; calling submit from it never goes deeper than what it submits
 * fails at once.
 */
struct pvr_blk_request {
	/*
	 * BLKIF_OP_READ, BLKIF_OP_WRITE; BLKIF_OP_WRITE_BARRIER and BLKIF_OP_FLUSH_DISKCACHE: what was written
	 * before is durable when it ends. Both may have segments to write then (more than 11 go in parts),
	 * which a barrier makes durable too. BLKIF_OP_DISCARD, with discard_sectors and without segments.
	 */
	uint8_t op;
	uint8_t secure; /* of a discard: nothing may be recoverable */
	uint32_t segments_count;
	uint64_t sector;
	uint64_t discard_sectors;
	const struct pvr_blk_segment *segments;
	void (*done)(struct pvr_blk_request *request, int error);
	void *user;
};

/*
 * Connect the disk whose directory is `path` ("device/vbd/51712"): the whole handshake, until the backend is
 * Connected or deadline_ns (pvr_port_now_ns time) has passed. A state left behind by an earlier owner is
 * closed first. options may be NULL. Allocates pages; pvr_blkfront_close gives them back. Errors: -ENOENT no such device,
 * -ETIMEDOUT the backend did not come up, -ENODEV it refused or went away meanwhile, -ENOMEM, -ENOSPC no
 * grant references or event channels left, -EPROTO the backend published what makes no sense (logged).
 */
int pvr_blkfront_open(const char *path, const struct pvr_blkfront_options *options,
	uint64_t deadline_ns, struct pvr_blkfront **disk);

/*
 * Close: waits for what is in flight, goes through Closing and Closed with the backend (bounded by five
 * seconds), ends every grant; a page the backend keeps mapped is leaked, not reused. The disk is freed.
 */
void pvr_blkfront_close(struct pvr_blkfront *disk);

const struct pvr_blkfront_info *pvr_blkfront_info(const struct pvr_blkfront *disk);
void pvr_blkfront_stats(const struct pvr_blkfront *disk, struct pvr_blkfront_stats *stats);

/*
 * One queue of the disk, 0 to info->queues - 1; NULL beyond. It belongs to one thread at a time, and so does
 * everything below that takes a queue. A reconnect keeps the queues there are.
 */
struct pvr_blkfront_queue *pvr_blkfront_queue(struct pvr_blkfront *disk, unsigned index);

/*
 * Queue up to `count` requests; returns how many were taken, in order, 0 when the ring is full. A request
 * that can never succeed (misaligned, beyond the end, too many segments: -EINVAL; -EROFS; -ENODEV) is taken and
 * ends at once through `done`. Nothing is visible to the backend before pvr_blkfront_kick.
 */
unsigned pvr_blkfront_submit(
	struct pvr_blkfront_queue *queue, struct pvr_blk_request *const *requests, unsigned count);

/* Publish what was queued, with at most one event. */
void pvr_blkfront_kick(struct pvr_blkfront_queue *queue);

/*
 * Take completions; calls `done` for each. Returns their number, or -ENODEV once the disk is in error
 * or gone and nothing is in flight any more. A backend that vanished is waited for, as the options say, and
 * what it had not answered is given to the new one again; with a xenstore ring that is broken (pvring/store.h)
 * there is nobody to tell of it, and the disk is gone.
 */
int pvr_blkfront_poll(struct pvr_blkfront_queue *queue);

/* Requests the ring can still take, and those in flight. */
unsigned pvr_blkfront_free(const struct pvr_blkfront_queue *queue);
unsigned pvr_blkfront_inflight(const struct pvr_blkfront_queue *queue);

/*
 * Sleep until there may be something to poll for, or the deadline. Polls the ring for a short while
 * first, as long as that has paid lately. What the backend's state says is noticed within a quarter of a
 * second, and acted upon by the next poll. 0 or -ETIMEDOUT, or a negative errno of SCHEDOP_poll.
 */
int pvr_blkfront_wait(struct pvr_blkfront_queue *queue, uint64_t deadline_ns);

/*
 * Blocking. `buffer` lies in pages of pvr_port_pages_alloc, 512-byte aligned; `bytes` is a multiple of the
 * sector size and may exceed what one request holds. 0 or a negative errno as in struct pvr_blk_request.
 */
int pvr_blkfront_read(struct pvr_blkfront *disk, uint64_t sector, void *buffer, size_t bytes);
int pvr_blkfront_write(
	struct pvr_blkfront *disk, uint64_t sector, const void *buffer, size_t bytes);
int pvr_blkfront_flush(struct pvr_blkfront *disk);
int pvr_blkfront_discard(struct pvr_blkfront *disk, uint64_t sector, uint64_t sectors, int secure);

/*
 * Blocking use leaves nobody to look after a disk without I/O. A housekeeping thread calls this in a loop: it
 * sleeps until the backend's state changes or the deadline, and acts on it (lets a backend that closes go).
 * Safe beside the blocking calls, and costs nothing while nothing happens. 0, -ETIMEDOUT, -ENODEV once the
 * disk is in error or gone, or -EPROTO when the xenstore ring is broken.
 */
int pvr_blkfront_serve(struct pvr_blkfront *disk, uint64_t deadline_ns);

#endif
