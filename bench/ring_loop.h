/* SPDX-License-Identifier: MIT */
/*
 * The loop that drives a ring in `pvring bench ring`, the same for every kind of ring. A file that
 * includes it has defined, for its kind:
 *
 *   struct ring_front, struct ring_back         one side's private state
 *   RING_SLOT                                   the slot: a structure whose first field is uint64_t id
 *   front_init(front, page, entries, start)     back_attach(back, page, entries)
 *   front_put(front, &slot)                     front_publish(front, check)
 *   front_pending(front)                        front_take(front, &slot)
 *   back_pending(back), back_take, back_put, back_publish(back, check)
 *
 * A publish with `check` also finds out whether the peer wants an event, as a driver's does.
 *
 * The requester keeps up to `outstanding` requests in the ring and shows them to the peer every `batch`;
 * the responder answers what it finds and shows answers every `batch`, or when nothing is left. Each
 * round trip moves one slot there and one back; nothing sleeps and nothing is notified.
 */
#include "ring_bench.h"

static void requester(struct ring_front *front, const struct ring_run *run)
{
	uint64_t started = 0, completed = 0;
	uint32_t unpublished = 0;
	unsigned notifies = 0; /* nobody asks for any but the first: both sides poll */
	RING_SLOT slot = {0};

	while (completed < run->count) {
		int more = started < run->count && started - completed < run->outstanding;

		if (more) {
			slot.id = started++;
			front_put(front, &slot);
			unpublished++;
		}
		/* Publish a full batch; and what there is, when there is nothing to wait for but its answers. */
		if (unpublished && (unpublished == run->batch || !more)) {
			notifies += (unsigned)front_publish(front, run->check);
			unpublished = 0;
		}
		if (front_pending(front) > 0) {
			front_take(front, &slot);
			if (slot.id != completed++)
				ring_bench_fail(slot.id, completed - 1);
		}
	}
	if (notifies > 1)
		ring_bench_fail(notifies, 1);
}

static void responder(struct ring_back *back, const struct ring_run *run)
{
	uint64_t answered = 0;
	uint32_t unpublished = 0;
	unsigned notifies = 0; /* nobody asks for any but the first: both sides poll */
	RING_SLOT slot;

	while (answered < run->count) {
		if (back_pending(back) > 0) {
			back_take(back, &slot);
			back_put(back, &slot);
			answered++;
			unpublished++;
			if (unpublished < run->batch && answered < run->count)
				continue;
		}
		if (unpublished) {
			notifies += (unsigned)back_publish(back, run->check);
			unpublished = 0;
		}
	}
	if (notifies > 1)
		ring_bench_fail(notifies, 1);
}

static void requester_run(void *page, const struct ring_run *run, struct bench_gate *ready)
{
	struct ring_front front;

	front_init(&front, page, run->entries, run->start);
	bench_gate_pass(ready, 2); /* the shared page is initialised */
	bench_gate_pass(ready, 4); /* and attached */
	requester(&front, run);
}

static void responder_run(void *page, const struct ring_run *run, struct bench_gate *ready)
{
	struct ring_back back;

	bench_gate_pass(ready, 2);
	back_attach(&back, page, run->entries);
	bench_gate_pass(ready, 4);
	responder(&back, run);
}
