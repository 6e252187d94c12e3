/* SPDX-License-Identifier: MIT */
/* The table by which a worker serves queues of interfaces. */
#include "serve.h"

#include <stdlib.h>

struct ring {
	struct pvr_back_ring base;
	struct pvr_netback_queue *queue;
};

static struct pvr_netback_queue *queue_of(struct pvr_back_ring *base)
{
	return ((struct ring *)base)->queue;
}

static int ring_connect(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	struct pvr_netback_queue *queue = queue_of(base);
	int result = pvr_netback_queue_connect(queue, turn->host);

	base->error = queue->error;
	base->rewound = queue->rewound;
	for (unsigned i = 0; i < PVR_BACK_PORTS; i++)
		base->ports[i] = queue->ports[i];
	return result;
}

static void ring_disconnect(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	(void)turn;
	pvr_netback_queue_disconnect(queue_of(base));
}

static int ring_take(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	struct pvr_netback_queue *queue = queue_of(base);
	int result = pvr_netback_queue_turn(queue, pvr_back_now_ns());

	if (queue->carrier_changed) {
		queue->carrier_changed = 0;
		pvr_back_turn_wake(turn);
	}
	return result < 0 ? pvr_back_ring_break(base, queue->error) : result;
}

static void ring_publish(struct pvr_back_ring *base, struct pvr_back_turn *turn)
{
	(void)turn;
	pvr_netback_queue_publish(queue_of(base));
}

static int ring_pending(struct pvr_back_ring *base)
{
	return pvr_netback_queue_pending(queue_of(base));
}

static int ring_arm(struct pvr_back_ring *base)
{
	return pvr_netback_queue_arm(queue_of(base));
}

static uint64_t ring_due(struct pvr_back_ring *base, struct pvr_back_turn *turn, uint64_t now_ns)
{
	(void)turn;
	(void)now_ns;
	return pvr_netback_queue_due(queue_of(base));
}

static int ring_fd(struct pvr_back_ring *base, short *events)
{
	return pvr_netback_queue_fd(queue_of(base), events);
}

static void ring_destroy(struct pvr_back_ring *base)
{
	free(base);
}

static const struct pvr_back_ring_ops ops = {
	.connect = ring_connect,
	.disconnect = ring_disconnect,
	.take = ring_take,
	.publish = ring_publish,
	.pending = ring_pending,
	.arm = ring_arm,
	.due = ring_due,
	.fd = ring_fd,
	.destroy = ring_destroy,
};

struct pvr_back_ring *pvr_netback_ring_create(struct pvr_netback_queue *queue)
{
	struct pvr_netback_stats *stats = queue->vif->stats;
	struct ring *ring = calloc(1, sizeof(*ring));

	_Static_assert(sizeof(queue->ports) / sizeof(queue->ports[0]) == PVR_BACK_PORTS,
		"a queue has as many ports as a ring");
	if (!ring)
		return NULL;
	ring->base.ops = &ops;
	ring->base.events_in = &stats->events_in;
	ring->base.polls_hit = &stats->polls_hit;
	ring->base.polls_missed = &stats->polls_missed;
	ring->queue = queue;
	return &ring->base;
}

const struct pvr_back_turn_ops pvr_netback_turn_ops = {.size = sizeof(struct pvr_back_turn)};
