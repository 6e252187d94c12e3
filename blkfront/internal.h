/* SPDX-License-Identifier: MIT */
/*
 * The block frontend's own structures.
 *
 * A disk has queues; a queue has a ring, an event channel, and one shadow for each slot of the
 * ring: what the backend must not be asked to remember for us. Everything a request needs is there
 * before the first one (grant references too), so that the data path neither locks nor allocates.
 */
#ifndef PVR_BLKFRONT_INTERNAL_H
#define PVR_BLKFRONT_INTERNAL_H

#include <pvring/blkfront.h>
#include <pvring/evtchn.h>
#include <pvring/grant.h>
#include <pvring/port.h>
#include <pvring/ring.h>
#include <pvring/xenbus.h>

#include "../rings/internal.h"

#define BLKFRONT_RING_ORDER_MAX 0
#define BLKFRONT_RING_PAGES_MAX (1u << BLKFRONT_RING_ORDER_MAX)
#define BLKFRONT_QUEUES_MAX     1

/* How long a backend that is wrong or gone may still keep our pages before we call them lost. */
#define BLKFRONT_PATIENCE_NS 1000000000ull

/* How long a close, ours or the backend's, may take. */
#define BLKFRONT_CLOSE_NS 5000000000ull

PVR_RING_TYPE(blkif, struct blkif_request, struct blkif_response);

/* One slot. The request's id is the shadow's index. */
struct blkfront_shadow {
	struct pvr_blk_request *request; /* NULL: free */
	grant_ref_t *grants;             /* max_segments of them */
	uint32_t at;                     /* ring index the request was put at */
	uint16_t next;                   /* in the free list */
	uint8_t op;
	uint8_t granted; /* of grants, how many are in use */
};

struct pvr_blkfront_queue {
	struct pvr_blkfront *disk;
	struct pvr_ring ring;
	struct pvr_sring *pages;
	unsigned pages_count;
	grant_ref_t page_grants[BLKFRONT_RING_PAGES_MAX];
	evtchn_port_t port;

	struct blkfront_shadow *shadow; /* ring.entries of them, then their grants */
	unsigned shadow_pages;
	uint32_t grants_count;
	uint16_t free; /* head of the free list */
	uint32_t inflight;

	uint64_t spin_ns; /* how long to poll before sleeping, as it has paid lately */
};

enum blkfront_life {
	BLKFRONT_LIVE,
	BLKFRONT_LEAVING, /* the backend closes: it may still answer, nothing is added */
	BLKFRONT_DEAD,
};

struct sync_call; /* sync.c */

struct pvr_blkfront {
	struct pvr_xenbus_dev bus;
	struct pvr_blkfront_info info;
	struct pvr_blkfront_stats stats;
	blkif_vdev_t handle;
	enum blkfront_life life;
	uint32_t watch_seen;     /* bus.watch.fired as last acted upon */
	uint64_t leave_deadline; /* of BLKFRONT_LEAVING */
	struct pvr_blkfront_queue queue[BLKFRONT_QUEUES_MAX];

	/* Blocking use only; see sync.c. */
	struct pvr_mutex mutex;
	struct sync_call *calls;
	int led;
};

/* connect.c, queue.c */
int blkfront_queue_make(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue);
void blkfront_queue_free(
	struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue, uint64_t deadline_ns);

/* Take a page's grant back, waiting until the deadline for a peer that still maps it; -EBUSY. */
int blkfront_grant_end(grant_ref_t ref, uint64_t deadline_ns);

/* complete.c: take what the ring holds and call `done`; how many. A wrong answer kills the disk. */
int blkfront_queue_poll(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue);

/*
 * complete.c: the disk is dead. Everything in flight ends with `error`, or -EBUSY where pages are
 * lost.
 */
void blkfront_kill(struct pvr_blkfront *disk, int error);

/*
 * state.c: act on what the backend's state has become since the last time; cheap when it did not
 * change.
 */
void blkfront_check_backend(struct pvr_blkfront *disk);

/*
 * wait.c: pvr_blkfront_wait in steps, for blocking use, where the disk is not owned while sleeping.
 * `spin` and `sleep` touch nothing that another thread's submit writes; `arm` needs the disk. arm
 * returns nonzero when there is something to do already.
 */
int blkfront_spin(struct pvr_blkfront_queue *queue, uint32_t cons, uint64_t deadline_ns);
int blkfront_arm(struct pvr_blkfront *disk);
int blkfront_sleep(struct pvr_blkfront_queue *queue, uint64_t deadline_ns);
void blkfront_spin_learn(struct pvr_blkfront_queue *queue, uint64_t waited_ns);

/* Sectors of 512 bytes of the disk's own sector size. */
static inline uint32_t blkfront_sector_units(const struct pvr_blkfront *disk)
{
	return disk->info.sector_size / 512;
}

#endif
