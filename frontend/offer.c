/* SPDX-License-Identifier: MIT */
/* An offer: rings are made, the nodes that tell of them appear together, the state says so. */
#include "frontend.h"
#include "../rings/text.h"

#include <errno.h>

/* Transactions lose against other writers now and then, but not for ever. */
#define TX_TRIES 16

/* Longer than backends take to map rings, when they are not in the way of other work. */
#define STALE_NS 1000000000ull

static int remove_node(struct pvr_front *front, pvr_store_tx tx, const char *name)
{
	char path[96];
	int r = pvr_text_path(front->bus.path, name, path, sizeof(path));

	if (!r)
		r = pvr_store_rm(tx, path);
	return r == -ENOENT ? 0 : r;
}

int pvr_front_write_optional(
	struct pvr_front *front, pvr_store_tx tx, const char *name, uint64_t value, int wanted)
{
	return wanted ? pvr_xenbus_write_u64(&front->bus, tx, name, value)
		      : remove_node(front, tx, name);
}

int pvr_front_write_queue(struct pvr_front *front, pvr_store_tx tx, unsigned queues, unsigned index,
	const char *name, int number, uint64_t value)
{
	char path[48];
	struct pvr_text text;

	pvr_text_init(&text, path, sizeof(path));
	if (queues > 1) {
		pvr_text_add(&text, "queue-");
		pvr_text_add_u64(&text, index);
		pvr_text_add(&text, "/");
	}
	pvr_text_add(&text, name);
	if (number >= 0)
		pvr_text_add_u64(&text, (uint64_t)number);
	return pvr_xenbus_write_u64(&front->bus, tx, path, value);
}

/* All nodes or none become visible. */
static int publish(struct pvr_front *front)
{
	int r = -EAGAIN;

	for (int i = 0; i < TX_TRIES && r == -EAGAIN; i++) {
		pvr_store_tx tx;

		r = pvr_store_tx_start(&tx);
		if (r)
			return r;
		r = front->ops->write(front, tx);
		if (r)
			pvr_store_tx_end(tx, 0);
		else
			r = pvr_store_tx_end(tx, 1);
	}
	return r;
}

void pvr_front_offer_drop(struct pvr_front *front)
{
	front->has_offered = 0;
	front->ops->drop(front);
}

int pvr_front_offer(struct pvr_front *front, int again)
{
	int r;

	pvr_front_offer_drop(front);
	r = front->ops->make(front, again);
	if (!r)
		r = publish(front);
	if (!r)
		r = pvr_xenbus_switch(&front->bus, 0, front->ops->offered);
	if (r)
		pvr_front_offer_drop(front);
	else
		front->has_offered = 1;
	front->offer_again = pvr_port_now_ns() + STALE_NS;
	return r;
}

int pvr_front_offer_repeat(struct pvr_front *front, enum xenbus_state back)
{
	if (front->ops->offered != XenbusStateConnected || back != XenbusStateInitWait ||
		pvr_port_now_ns() < front->offer_again)
		return 0;
	front->offer_again = pvr_port_now_ns() + STALE_NS;
	return pvr_xenbus_switch(&front->bus, 0, front->ops->offered);
}
