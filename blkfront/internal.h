/* SPDX-License-Identifier: MIT */
/*
 * The block frontend's own structures.
 *
 * A disk has queues; a queue has a ring, an event channel, one shadow for each slot of the ring (what
 * the backend must not be asked to remember for us), and a pool of grants. Everything a request needs
 * is there before the first one, so that the data path neither locks nor allocates, but for the pages
 * of a pool, which are allocated when they are first used.
 *
 * Who may touch what: a queue's owner everything in it but `next`; whoever holds front.control the disk,
 * its nodes and each queue's `next`. See frontend/frontend.h.
 */
#ifndef PVR_BLKFRONT_INTERNAL_H
#define PVR_BLKFRONT_INTERNAL_H

#include <pvring/blkfront.h>

#include "../frontend/frontend.h"

#define BLKFRONT_ORDER_MAX        4u
#define BLKFRONT_QUEUES_MAX       16u
#define BLKFRONT_SEGMENTS_DEFAULT 32u
#define BLKFRONT_SEGMENTS_MAX     256u

/* Grants of a queue: as many pages can be in flight, or kept by persistent grants. */
#define BLKFRONT_POOL_MAX 2048u

_Static_assert(PVR_FRONT_PAGES_MAX == 1u << BLKFRONT_ORDER_MAX, "pages of a ring");

PVR_RING_TYPE(blkif, struct blkif_request, struct blkif_response);

/* No index into the pool or the shadows. */
#define BLKFRONT_NONE 0xffffu

/* An element of a queue's pool. Free ones are a list, and so are those of one request. */
struct blkfront_grant {
	grant_ref_t ref; /* PVR_GRANT_NONE: lost */
	uint16_t next;
	uint16_t live; /* grants something now */
	void *page;    /* our own, where data is copied; NULL before its first use */
};

enum blkfront_where { BLKFRONT_FREE, BLKFRONT_WAITING, BLKFRONT_WIRED };

/*
 * One slot. The request's id is the shadow's index. A request is WIRED while it is on the ring, and
 * WAITING while it has to get there (again): no backend, no slot, or its next part.
 */
struct blkfront_shadow {
	struct pvr_blk_request *request;
	struct blkif_request_segment
		*indirect; /* a page, granted for good; NULL: none negotiated */
	grant_ref_t indirect_ref;
	uint32_t at;    /* ring index it was put at */
	uint32_t age;   /* those WAITING go in the order they were submitted */
	uint16_t next;  /* in the free list */
	uint16_t chain; /* its grants, in the order of its segments */
	uint16_t first; /* segments done by earlier parts */
	uint16_t count; /* segments of the part on the ring */
	uint8_t op;     /* the answer's operation */
	uint8_t where;
};

/* What a backend is offered for one queue. */
struct blkfront_ring {
	struct pvr_ring ring;
	struct pvr_front_pages pages;
	evtchn_port_t port;
};

struct pvr_blkfront_queue {
	struct pvr_blkfront *disk;
	struct blkfront_ring live;
	uint32_t version;               /* of the disk, as last taken over */
	struct pvr_blkfront_info facts; /* the disk's, our copy */
	struct pvr_blkfront_stats stats;

	struct blkfront_shadow *shadow; /* disk->slots of them */
	unsigned shadow_pages;
	struct blkif_request_segment *indirect; /* the shadows' pages */
	unsigned indirect_count;                /* of them granted */
	struct blkfront_grant *pool;
	unsigned pool_pages, pool_count;
	uint16_t free, free_grants; /* heads of the lists */
	_Atomic uint32_t inflight;  /* read by others, to know whether the disk is idle */
	uint32_t waiting, age;

	uint64_t spin_ns; /* how long to poll before sleeping, as it has paid lately */

	struct blkfront_ring next; /* under the disk's `control`; no pages: none */
} __attribute__((aligned(64)));

struct sync_call; /* sync.c */

struct pvr_blkfront {
	struct pvr_front front;
	struct pvr_blkfront_options want; /* within bounds, defaults filled in */
	struct pvr_blkfront_info info;    /* under front.control, after pvr_blkfront_open */
	uint64_t offers_leaked; /* pages of offers that came to nothing; under front.control */

	blkif_vdev_t handle;
	uint32_t slots; /* shadows of a queue */
	int bounce;     /* data is copied through pages of our own */
	unsigned queues;
	struct pvr_blkfront_queue queue[BLKFRONT_QUEUES_MAX];

	/* Blocking use only; see sync.c. */
	struct pvr_mutex mutex;
	struct sync_call *calls;
	int led;
};

static inline struct pvr_blkfront *blkfront_disk(struct pvr_front *front)
{
	return (struct pvr_blkfront *)((char *)front - offsetof(struct pvr_blkfront, front));
}

/* ---- offer.c: rings, and the nodes that tell of them; see struct pvr_front_ops ---- */

/* Also for one half made. Pages the backend keeps mapped are lost; how many references, is returned. */
unsigned blkfront_ring_free(struct blkfront_ring *ring, uint64_t deadline_ns);

/* The `next` ring of every queue. */
int blkfront_offer_make(struct pvr_front *front, int again);
int blkfront_offer_write(struct pvr_front *front, pvr_store_tx tx);
void blkfront_offer_drop(struct pvr_front *front);

/* facts.c: what the backend publishes once it is Connected, into disk->info. -EPROTO (logged). */
int blkfront_facts_read(struct pvr_blkfront *disk);

/* The size again, which a backend may change while Connected. Nonzero when it did. */
int blkfront_facts_resized(struct pvr_front *front);

/* ---- queue.c ---- */

/* Shadows, pool and indirect pages, for what disk->info says. */
int blkfront_queue_make(struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue);
void blkfront_queue_free(struct pvr_blkfront_queue *queue, uint64_t deadline_ns);

/*
 * Take over what has changed of the disk: facts, and the new ring, on which everything unanswered is
 * put again. The queue's owner, from poll.
 */
void blkfront_queue_adopt(struct pvr_blkfront_queue *queue);

/* ---- wire.c: requests to and from the ring ---- */

/* A request that was just submitted: onto the ring if it can be, else it waits. */
void blkfront_issue_new(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow);

/* Put what waits on the ring, as far as it goes. */
void blkfront_pump(struct pvr_blkfront_queue *queue);

/* Every grant of the request's part ends: 0, or -EBUSY. The deadline 0: no patience. */
int blkfront_unwire(
	struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, uint64_t deadline_ns);

/* Of a read that succeeded: from our pages into the request's, where data is copied. */
void blkfront_copy_back(struct pvr_blkfront_queue *queue, const struct blkfront_shadow *shadow);

/* Give the part's grants back to the pool, but for those which could not be ended. */
void blkfront_chain_free(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow);

/* ---- complete.c ---- */

/* The request is over: free its slot, then tell its owner, who may take the slot for the next one. */
void blkfront_finish(struct pvr_blkfront_queue *queue, struct blkfront_shadow *shadow, int error);

/* Take what the ring holds and call `done`; how many. A wrong answer fails the disk. */
int blkfront_queue_take(struct pvr_blkfront_queue *queue);

/*
 * The disk is dead: what was answered before counts, the rest ends, with -EBUSY where pages are lost.
 * How many were answered.
 */
int blkfront_queue_end(struct pvr_blkfront_queue *queue);

/* ---- request.c ---- */

/* Whether a request can be put to this disk: 0 or the error it ends with. */
int blkfront_check(const struct pvr_blkfront_info *facts, const struct pvr_blk_request *request);

/* ---- wait.c: pvr_blkfront_wait in steps, for blocking use, where the disk is not owned while
 * sleeping. `spin` and `sleep` touch nothing that another thread's submit writes; `arm` needs the
 * queue. arm returns nonzero when there is something to do already. ---- */
int blkfront_spin(struct pvr_blkfront_queue *queue, uint32_t cons, uint64_t deadline_ns);
int blkfront_arm(struct pvr_blkfront_queue *queue);
int blkfront_sleep(struct pvr_blkfront_queue *queue, uint64_t deadline_ns);

static inline uint32_t blkfront_inflight(const struct pvr_blkfront_queue *queue)
{
	return atomic_load_explicit(&queue->inflight, memory_order_relaxed);
}

/* The owner alone writes it, so no read-modify-write is needed. */
static inline void blkfront_inflight_add(struct pvr_blkfront_queue *queue, uint32_t change)
{
	atomic_store_explicit(
		&queue->inflight, blkfront_inflight(queue) + change, memory_order_relaxed);
}

#endif
