/* SPDX-License-Identifier: MIT */
/*
 * A ring comes and goes, and its two layouts. The way of a request through it: copied once out of
 * the ring, checked, its pages mapped with all the others of the batch, queued (take.c), and when
 * done unmapped with all the others and answered (respond.c).
 */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

PVR_RING_TYPE(x86_64, struct blkif_x86_64_request, struct blkif_x86_64_response);
PVR_RING_TYPE(x86_32, struct blkif_x86_32_request, struct blkif_x86_32_response);

#define PAGE        4096u
#define ENTRIES_MAX 1024u /* of the largest ring, and more */

_Static_assert(PVR_BLKBACK_PAGES_MAX * PAGE / sizeof(struct blkif_x86_32_request) < ENTRIES_MAX,
	"slots of 16 pages");

/* ---- a ring comes and goes ---- */

static uint32_t ring_entries(const struct pvr_blkback_offer *offer)
{
	size_t bytes = (size_t)offer->pages * PAGE;

	return offer->abi == PVR_BLKBACK_ABI_X86_32 ? x86_32_entries(bytes) : x86_64_entries(bytes);
}

struct pvr_blkback_ring *pvr_blkback_ring_create(const struct pvr_blkback_offer *offer,
	const struct pvr_blkback_journal_of *of, const struct pvr_blkback_disk *disk,
	struct pvr_blkback_stats *stats, struct pvr_blkback_limits *limits)
{
	struct pvr_blkback_ring *ring = calloc(1, sizeof(*ring));
	uint32_t entries = ring_entries(offer);

	if (!ring)
		return NULL;
	ring->dir = of->dir;
	ring->again = of->again;
	ring->jobs = calloc(entries, sizeof(*ring->jobs));
	ring->journal = pvr_blkback_journal_open(of, offer, offer->queue, entries);
	if (!ring->jobs || !ring->journal) {
		pvr_blkback_ring_destroy(ring);
		return NULL;
	}
	for (uint32_t i = 0; i < entries; i++) {
		ring->jobs[i].ring = ring;
		ring->jobs[i].next = ring->free;
		ring->free = &ring->jobs[i];
	}
	ring->base.ops = &pvr_blkback_ring_ops;
	ring->base.events_in = &stats->events_in;
	ring->base.polls_hit = &stats->polls_hit;
	ring->base.polls_missed = &stats->polls_missed;
	ring->offer = *offer;
	ring->batch = PVR_BLKBACK_BATCH;
	ring->disk = disk;
	ring->stats = stats;
	ring->limits = limits;
	ring->facts = disk->facts;
	atomic_store_explicit(&ring->sectors, disk->facts.sectors, memory_order_relaxed);
	return ring;
}

void pvr_blkback_ring_destroy(struct pvr_blkback_ring *ring)
{
	int state;

	if (!ring)
		return;
	state = pvr_back_ring_state(&ring->base);
	pvr_blkback_journal_close(
		ring->journal, ring->dir, state == PVR_BACK_LIVE || state == PVR_BACK_BROKEN);
	free(ring->jobs);
	free(ring);
}

static void put_request(struct pvr_blkback_ring *ring, const union pvr_blkback_slot *slot)
{
	if (ring->offer.abi == PVR_BLKBACK_ABI_X86_32)
		x86_32_request_put(&ring->ring, &slot->x86_32);
	else
		x86_64_request_put(&ring->ring, &slot->x86_64);
}

/*
 * Puts back what the process before us took and did not answer. Those slots are ours to write; what
 * the frontend makes of them is a request as any, which is copied and checked when it is taken.
 */
static int rewind_ring(struct pvr_blkback_ring *ring)
{
	const struct pvr_blkback_entry *open[ENTRIES_MAX];
	uint32_t rsp = ring->ring.prod;
	int count = pvr_blkback_journal_find(ring->journal, ring->ring.entries, rsp, open);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		put_request(ring, &open[i]->slot);
	ring->ring.prod = rsp;
	pvr_blkback_journal_rewound(ring->journal, rsp);
	ring->base.rewound = (unsigned)count;
	return 0;
}

static int start_journal(struct pvr_blkback_ring *ring)
{
	if (ring->again)
		return rewind_ring(ring);
	pvr_blkback_journal_begin(ring->journal, ring->ring.cons);
	return 0;
}

int pvr_blkback_ring_connect(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	const struct pvr_blkback_offer *offer = &ring->offer;
	int16_t status;
	int result = pvr_host_map_area(
		host, offer->domid, offer->refs, offer->pages, &ring->area, &status);

	if (result) {
		ring->base.error = "cannot map the ring: ring-ref is not granted to this domain";
		return result;
	}
	result = pvr_ring_back_attach(&ring->ring, ring->area.address, ring_entries(offer));
	if (result) {
		ring->base.error = "the ring's indices are impossible";
		goto unmap;
	}
	result = start_journal(ring);
	if (result) {
		ring->base.error = "the ring is not as the journal of its last backend has it";
		goto unmap;
	}
	result = pvr_back_ring_bind(&ring->base, host, 0, offer->domid, offer->port);
	if (result) {
		ring->base.error = "cannot bind event-channel";
		goto unmap;
	}
	if (offer->persistent) /* without memory for it: as if it did not */
		ring->grants = pvr_blkback_grants_create();
	if (ring->again) /* the event for the last answers may have died with who published them */
		pvr_host_evtchn_notify(host, ring->base.ports[0]);
	return 0;

unmap:
	pvr_host_unmap_area(host, &ring->area);
	return result;
}

void pvr_blkback_ring_disconnect(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	assert(ring->inflight == 0);
	pvr_blkback_ring_publish(ring, host);
	pvr_blkback_grants_destroy(ring->grants, host);
	ring->grants = NULL;
	pvr_back_ring_unbind(&ring->base, host);
	pvr_host_unmap_area(host, &ring->area);
}

/* ---- slots ---- */

const union pvr_blkback_slot *pvr_blkback_ring_copy_slot(const struct pvr_blkback_job *job)
{
	struct pvr_blkback_ring *ring = job->ring;
	union pvr_blkback_slot *slot =
		pvr_blkback_journal_claim(ring->journal, (uint32_t)(job - ring->jobs));

	if (ring->offer.abi == PVR_BLKBACK_ABI_X86_32)
		x86_32_request_take(&ring->ring, &slot->x86_32);
	else
		x86_64_request_take(&ring->ring, &slot->x86_64);
	pvr_blkback_journal_taken(ring->journal);
	return slot;
}

/* Zeroed whole first: the padding of a response goes to the frontend too (XSA-216). */
void pvr_blkback_ring_put_response(const struct pvr_blkback_job *job)
{
	struct pvr_blkback_ring *ring = job->ring;
	uint32_t at = ring->ring.prod;

	if (ring->offer.abi == PVR_BLKBACK_ABI_X86_32) {
		struct blkif_x86_32_response response;

		memset(&response, 0, sizeof(response));
		response.id = job->request.id;
		response.operation = job->request.operation;
		response.status = job->status;
		x86_32_response_put(&ring->ring, &response);
	} else {
		struct blkif_x86_64_response response;

		memset(&response, 0, sizeof(response));
		response.id = job->request.id;
		response.operation = job->request.operation;
		response.status = job->status;
		x86_64_response_put(&ring->ring, &response);
	}
	pvr_blkback_journal_answered(ring->journal, (uint32_t)(job - ring->jobs), at);
}

void pvr_blkback_ring_publish(struct pvr_blkback_ring *ring, struct pvr_host *host)
{
	if (ring->counted)
		pvr_blkback_stats_add(ring->stats, &ring->counts);
	ring->counted = 0;
	if (!pvr_ring_publish_notify(&ring->ring))
		return;
	pvr_back_count_shared(&ring->stats->events_out, 1);
	pvr_host_evtchn_notify(host, ring->base.ports[0]);
}
