/* SPDX-License-Identifier: MIT */
/* How a queue's owner waits for answers: polling while that pays, then asleep on its event channel. */
#include "internal.h"

#include <errno.h>

int blkfront_spin(struct pvr_blkfront_queue *queue, uint32_t cons, uint64_t deadline_ns)
{
	const struct pvr_front_look look = {&queue->live.ring, cons};

	return pvr_front_spin(&look, 1, queue->spin_ns, deadline_ns);
}

int blkfront_arm(struct pvr_blkfront_queue *queue)
{
	const struct pvr_front *front = &queue->disk->front;

	return pvr_front_is_dead(front) || pvr_ring_final_check(&queue->live.ring) ||
	       pvr_front_has_news(front, queue->version);
}

int blkfront_sleep(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	return pvr_front_sleep(&queue->disk->front, &queue->live.port, 1,
		blkfront_inflight(queue) != 0, deadline_ns);
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
		if (pvr_front_life(&queue->disk->front) != PVR_FRONT_LIVE)
			break;
	}
	return 0;
}

int pvr_blkfront_wait(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	uint64_t start;
	int r = 0;

	if (pvr_front_is_dead(&queue->disk->front) || pvr_ring_pending(&queue->live.ring))
		return 0;
	start = pvr_port_now_ns();
	if (!blkfront_spin(queue, queue->live.ring.cons, deadline_ns))
		r = sleep_armed(queue, deadline_ns);
	pvr_front_spin_learn(&queue->spin_ns, pvr_port_now_ns() - start);
	return r;
}
