/* SPDX-License-Identifier: MIT */
/* The handshake of a device: to a backend that is Connected, and back to Closed. */
#include "frontend.h"

#include <errno.h>

/* How long an open waits for the successor of a backend that died meanwhile, and how often. */
#define SUCCESSOR_NS 1000000000ull
#define OPEN_TRIES   4u

static uint32_t fired(struct pvr_front *front)
{
	return atomic_load_explicit(&front->bus.watch.fired, memory_order_acquire);
}

/* Set our state unless it is that already. */
static int go(struct pvr_front *front, enum xenbus_state state)
{
	return front->bus.state == state ? 0 : pvr_xenbus_switch(&front->bus, 0, state);
}

/*
 * Until the backend is in InitWait. One that is still in the middle of something, left there by an
 * earlier owner of the device, lets go of it when it sees Closed, and comes to InitWait when it
 * then sees Initialising.
 */
static int await_ready(struct pvr_front *front, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(front);
		enum xenbus_state back = pvr_xenbus_backend_state(&front->bus);
		int r;

		switch (back) {
		case XenbusStateInitialised:
		case XenbusStateConnected:
		case XenbusStateClosing:
		case XenbusStateReconfiguring:
		case XenbusStateReconfigured:
			r = go(front, XenbusStateClosed);
			break;
		default:
			r = go(front, XenbusStateInitialising);
			break;
		}
		if (r || back == XenbusStateInitWait)
			return r;
		r = pvr_store_wait(&front->bus.watch, seen, deadline_ns);
		if (r)
			return r;
	}
}

/* Until the backend's state is written, or our offer was repeated. */
static int await_news(
	struct pvr_front *front, uint32_t seen, enum xenbus_state back, uint64_t deadline_ns)
{
	uint64_t until =
		front->ops->offered == XenbusStateConnected && front->offer_again < deadline_ns
			? front->offer_again
			: deadline_ns;
	int r = pvr_store_wait(&front->bus.watch, seen, until);

	if (r != -ETIMEDOUT || until == deadline_ns)
		return r;
	if (back != XenbusStateInitWait)
		front->offer_again = deadline_ns;
	return pvr_front_offer_repeat(front, back);
}

/* An offer stands, whatever the state is called that says so. */
static int await_connected(struct pvr_front *front, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(front);
		enum xenbus_state back = pvr_xenbus_backend_state(&front->bus);
		int r;

		front->watch_seen = seen;
		switch (pvr_xenbus_front_next(XenbusStateInitialised, back)) {
		case PVR_XENBUS_GO:
			return 0;
		case PVR_XENBUS_CLOSE:
		case PVR_XENBUS_RESTART:
			return -ENODEV;
		default:
			break;
		}
		r = await_news(front, seen, back, deadline_ns);
		if (r)
			return r;
	}
}

int pvr_front_connect(struct pvr_front *front, uint64_t deadline_ns)
{
	int r = await_ready(front, deadline_ns);

	if (!r)
		r = pvr_front_offer(front, 0);
	if (!r)
		r = await_connected(front, deadline_ns);
	if (r)
		return r;
	front->has_offered = 0;
	return front->ops->facts(front, 0);
}

/*
 * Sleep until the backend has seen that we are closing, or closed, or is no more. Of one in InitWait that is known
 * when it has no offer; otherwise it may map the rings at any moment.
 */
static void await_past(struct pvr_front *front, enum xenbus_state ours, uint64_t deadline_ns)
{
	if (pvr_xenbus_switch(&front->bus, 0, ours))
		return;
	for (;;) {
		uint32_t seen = fired(front);
		enum xenbus_state back = pvr_xenbus_backend_state(&front->bus);

		if (back == XenbusStateClosed || back == XenbusStateUnknown ||
			back == XenbusStateInitialising || back == ours ||
			(back == XenbusStateInitWait && !front->has_offered))
			return;
		if (pvr_store_wait(&front->bus.watch, seen, deadline_ns))
			return;
	}
}

uint64_t pvr_front_disconnect(struct pvr_front *front, uint64_t deadline_ns)
{
	/* Closed already when the backend went first; what stands there now may be its successor. */
	if (front->bus.state != XenbusStateClosed) {
		await_past(front, XenbusStateClosing, deadline_ns);
		await_past(front, XenbusStateClosed, deadline_ns);
	}
	/* With the store went who could unmap. */
	return pvr_store_is_broken() ? 0 : pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;
}

/*
 * A backend that dies in the middle of the handshake leaves its successor a ring that it refuses: begin
 * again with the successor, if one comes soon.
 */
int pvr_front_open(
	int (*once)(void *request, uint64_t deadline_ns), void *request, uint64_t deadline_ns)
{
	int r = once(request, deadline_ns);

	for (unsigned tries = 0; r == -ENODEV && tries < OPEN_TRIES; tries++) {
		uint64_t soon = pvr_port_now_ns() + SUCCESSOR_NS;

		r = once(request, soon < deadline_ns ? soon : deadline_ns);
		if (r == -ETIMEDOUT)
			return -ENODEV;
	}
	return r;
}
