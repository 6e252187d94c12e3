/* SPDX-License-Identifier: MIT */
/*
 * One ring of a disk: takes requests, maps what they name, hands them to an engine, answers.
 */
#ifndef PVR_BLKBACK_RING_H
#define PVR_BLKBACK_RING_H

#include <pvring/host.h>
#include <pvring/ring.h>

#include "../backend/ring.h"
#include "disk.h"
#include "engine.h"
#include "journal.h"
#include "limit.h"
#include "offer.h"
#include "pages.h"
#include "request.h"
#include "stats.h"

#define PVR_BLKBACK_BATCH 32u /* requests taken of one ring before the next's turn */

/*
 * The same where the I/O is done as it is taken: answers that are ready do not wait for many others, and
 * the frontend works on them meanwhile.
 */
#define PVR_BLKBACK_BATCH_INLINE 4u

/* What an indirect request needs room for beyond what every job has. */
struct pvr_blkback_large {
	struct pvr_blkback_segment segment[PVR_BLKBACK_SEGMENTS_MAX];
	struct pvr_blkback_page page[PVR_BLKBACK_SEGMENTS_MAX];
	struct iovec iov[PVR_BLKBACK_SEGMENTS_MAX];
};

struct pvr_blkback_job {
	struct pvr_blkback_io io; /* first: an engine gives this back */
	struct pvr_blkback_request request;
	struct pvr_blkback_ring *ring;
	struct pvr_blkback_job *next; /* in the free list or in a turn's done list */
	uint64_t taken_ns;
	int16_t status;    /* BLKIF_RSP_* */
	uint8_t write_due; /* after the flush that is under way */
	uint32_t asked;    /* bytes of the discard that is under way */
	unsigned pages;    /* asked for: of these, those that are okay are to be put back */
	const struct pvr_blkback_segment *segment;
	struct pvr_blkback_page *page, list; /* list: the page of an indirect request's segments */
	struct pvr_blkback_large *large;     /* or NULL, and then these are used */
	struct pvr_blkback_page small_page[BLKIF_MAX_SEGMENTS_PER_REQUEST];
	struct iovec small_iov[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct pvr_blkback_ring {
	struct pvr_back_ring base;
	struct pvr_blkback_offer offer;
	const struct pvr_blkback_disk *disk;
	struct pvr_blkback_stats *stats; /* of the device, and of all its rings */
	struct pvr_blkback_limits *limits; /* of the device; NULL: none */
	_Atomic uint64_t sectors; /* of the disk, which may grow and shrink: the control thread's */
	const char *dir; /* where the journal's file is, or NULL */
	int again; /* it takes over what another process has served */

	/* From here on the worker's. */
	struct pvr_blkback_stats counts; /* what is not in `stats` yet */
	int counted;
	struct pvr_ring ring;
	struct pvr_host_area area;
	struct pvr_blkback_journal *journal; /* an entry for each job */
	unsigned inflight;  /* taken and not answered */
	unsigned batch;     /* requests to take in the next turn, at most */
	uint64_t wait_until; /* when a limit lets more through; 0: nothing waits for that */
	struct pvr_blkback_facts facts; /* as of this batch */
	struct pvr_blkback_job *jobs, *free;
	struct pvr_blkback_grants *grants; /* that persist; NULL: the frontend does not do that */
	struct pvr_blkback_job *barrier; /* taken: nothing more is until it is answered */
	int barrier_started;
};

/* What one worker brings along for all of its rings. */
struct pvr_blkback_turn {
	struct pvr_back_turn base;
	struct pvr_blkback_engine *engine[PVR_BLKBACK_KINDS];
	struct pvr_blkback_job *done, **done_end; /* finished and not answered */
	struct pvr_blkback_pages pages;
};

/*
 * By the control thread. NULL: no memory; or, of->again, no journal that is this ring's. of->dir,
 * disk, stats and limits (or NULL) must outlive it.
 */
struct pvr_blkback_ring *pvr_blkback_ring_create(const struct pvr_blkback_offer *offer,
	const struct pvr_blkback_journal_of *of, const struct pvr_blkback_disk *disk,
	struct pvr_blkback_stats *stats, struct pvr_blkback_limits *limits);
/*
 * FAILED, GONE, or never given to a worker. One that did not drain before the process ends leaves
 * its journal to the next one.
 */
void pvr_blkback_ring_destroy(struct pvr_blkback_ring *ring);

/* What the worker calls (serve.c). */
extern const struct pvr_back_ring_ops pvr_blkback_ring_ops;
extern const struct pvr_back_turn_ops pvr_blkback_turn_ops;

/*
 * ---- by the worker ------------------------------------------------------------------------------
 */

/*
 * Map the ring, put back what its last process left open, bind the event channel; 0, or a negative
 * errno with ring->error set and nothing held. Sleeps.
 */
int pvr_blkback_ring_connect(struct pvr_blkback_ring *ring, struct pvr_host *host);
/* Nothing is in flight: publish the last answers, unbind and unmap. */
void pvr_blkback_ring_disconnect(struct pvr_blkback_ring *ring, struct pvr_host *host);

/*
 * Take at most a batch: how many, or -EPROTO when the frontend's index is impossible; the ring is
 * then BROKEN, once. What could not be started is on the turn's done list. Nothing is taken while a
 * barrier is open.
 */
int pvr_blkback_ring_take(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn);

/* Start the barrier that was taken, if everything before it is answered; 1 when it was started. */
int pvr_blkback_ring_barrier(struct pvr_blkback_ring *ring, struct pvr_blkback_turn *turn);

/* Submit what was taken, reap what is complete, answer it; how many. Responses are not published
 * yet. */
unsigned pvr_blkback_turn_finish(struct pvr_blkback_turn *turn);

/* Publish what was answered, and counted; one event if the frontend asked for one. */
void pvr_blkback_ring_publish(struct pvr_blkback_ring *ring, struct pvr_host *host);

/*
 * ---- between the parts of it --------------------------------------------------------------------
 */

/* The answer of a job that is finished; it stands in the turn's done list. */
void pvr_blkback_job_done(
	struct pvr_blkback_turn *turn, struct pvr_blkback_job *job, int16_t status);

/*
 * The one copy of the next slot, in the journal; pvr_ring_pending was > 0. And the answer into the
 * next one.
 */
const union pvr_blkback_slot *pvr_blkback_ring_copy_slot(const struct pvr_blkback_job *job);
void pvr_blkback_ring_put_response(const struct pvr_blkback_job *job);

#endif
