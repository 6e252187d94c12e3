/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the ring: poll it for a moment, then sleep on the event channel.
 *
 * The moment adapts as the kernel's halt polling does: a wait that ended soon after the sleep began
 * would have been spared it by polling longer; one that ended late would not. An idle disk ends up
 * with none.
 */
#include "internal.h"

#include <errno.h>

#define SPIN_MAX_NS   50000ull
#define SPIN_FIRST_NS 5000ull

/* Polls between two looks at the clock. */
#define SPIN_BATCH 32

/* The longest sleep in one piece: how late a change of the backend's state may be noticed. */
#define SLICE_NS 250000000ull

/* The same while there is no backend, for answers that one which is closing still gives. */
#define LOST_SLICE_NS 20000000ull

static uint32_t ring_produced(const struct pvr_blkfront_queue *queue)
{
	return atomic_load_explicit(queue->live.ring.in_prod, memory_order_relaxed);
}

int blkfront_spin(struct pvr_blkfront_queue *queue, uint32_t cons, uint64_t deadline_ns)
{
	uint64_t now, until;

	/* With one vCPU the backend's answer cannot come while we hold the CPU. */
	if (!queue->spin_ns || pvr_boot_facts.vcpus == 1)
		return 0;
	now = pvr_port_now_ns();
	until = now + queue->spin_ns;
	if (until > deadline_ns)
		return 0;
	do {
		for (int i = 0; i < SPIN_BATCH; i++) {
			if (ring_produced(queue) != cons)
				return 1;
			pvr_cpu_relax();
		}
	} while (pvr_port_now_ns() < until);
	return 0;
}

void blkfront_spin_learn(struct pvr_blkfront_queue *queue, uint64_t waited_ns)
{
	if (waited_ns > SPIN_MAX_NS)
		queue->spin_ns = queue->spin_ns > SPIN_FIRST_NS ? queue->spin_ns / 2 : 0;
	else if (waited_ns > queue->spin_ns)
		queue->spin_ns = queue->spin_ns ? queue->spin_ns * 2 : SPIN_FIRST_NS;
	if (queue->spin_ns > SPIN_MAX_NS)
		queue->spin_ns = SPIN_MAX_NS;
}

int blkfront_arm(struct pvr_blkfront_queue *queue)
{
	const struct pvr_blkfront *disk = queue->disk;

	if (blkfront_is_dead(disk) || pvr_ring_final_check(&queue->live.ring))
		return 1;
	pvr_store_pump();
	return pvr_store_is_broken() ||
	       atomic_load_explicit(&disk->bus.watch.fired, memory_order_acquire) !=
		       atomic_load_explicit(&disk->watch_seen, memory_order_relaxed) ||
	       (blkfront_life(disk) == BLKFRONT_LIVE && blkfront_version(disk) != queue->version);
}

/* The hypervisor closes the other end when its owner dies; some do not tell, and the store will. */
static int is_peer_gone(const struct pvr_blkfront_queue *queue)
{
	struct evtchn_status status = {.dom = DOMID_SELF, .port = queue->live.port};

	return !pvr_port_hypercall(
		       __HYPERVISOR_event_channel_op, EVTCHNOP_status, (unsigned long)&status, 0) &&
	       status.status == EVTCHNSTAT_unbound;
}

int blkfront_sleep(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	struct pvr_blkfront *disk = queue->disk;
	uint64_t slice = pvr_port_now_ns();
	int r;

	/* Without a backend it is the store that has news. */
	if (blkfront_life(disk) == BLKFRONT_LOST) {
		slice += LOST_SLICE_NS;
		return pvr_store_wait(&disk->bus.watch,
			atomic_load_explicit(&disk->watch_seen, memory_order_relaxed),
			slice < deadline_ns ? slice : deadline_ns);
	}
	slice += SLICE_NS;
	r = pvr_evtchn_wait(queue->live.port, slice < deadline_ns ? slice : deadline_ns);
	if (r == -ETIMEDOUT && blkfront_inflight(queue) && is_peer_gone(queue))
		blkfront_peer_gone(disk);
	return r;
}

/*
 * Sleep in slices until there is something to do. A backend that closes or has gone has a deadline,
 * which poll looks at.
 */
static int sleep_armed(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	while (!blkfront_arm(queue)) {
		int r = blkfront_sleep(queue, deadline_ns);

		if (!r)
			queue->stats.events++;
		if (r != -ETIMEDOUT)
			return r;
		if (pvr_port_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (blkfront_life(queue->disk) != BLKFRONT_LIVE)
			break;
	}
	return 0;
}

int pvr_blkfront_wait(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	uint64_t start;
	int r = 0;

	if (blkfront_is_dead(queue->disk) || pvr_ring_pending(&queue->live.ring))
		return 0;
	start = pvr_port_now_ns();
	if (!blkfront_spin(queue, queue->live.ring.cons, deadline_ns))
		r = sleep_armed(queue, deadline_ns);
	blkfront_spin_learn(queue, pvr_port_now_ns() - start);
	return r;
}
