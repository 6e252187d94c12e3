/* SPDX-License-Identifier: MIT */
/*
 * What a connected device does when the backend says something new, closes, dies, or is replaced.
 *
 * A backend that is to come back (another one in InitWait; or Closing or Closed while the toolstack's
 * `online` says 1; or the other end of the event channel gone) leaves the device LOST: the handshake is
 * gone through again, a step whenever somebody polls.
 */
#include "frontend.h"
#include "../rings/text.h"

#include <errno.h>

/* How often a lost device looks at the backend when nothing tells it to. */
#define LOOK_NS 100000000ull

void pvr_front_become(struct pvr_front *front, enum pvr_front_life life)
{
	uint32_t old = pvr_front_life(front);

	while (old < PVR_FRONT_GONE &&
		!atomic_compare_exchange_weak_explicit(&front->life, &old, (uint32_t)life,
			memory_order_acq_rel, memory_order_acquire))
		;
}

static uint64_t after(uint64_t ns)
{
	uint64_t now = pvr_port_now_ns();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

/* Each owner ends what it has; the backend is told that we are done with it. */
static void leave(struct pvr_front *front)
{
	pvr_front_become(front, PVR_FRONT_GONE);
	pvr_xenbus_switch(&front->bus, 0, XenbusStateClosed);
}

/* Set our state unless it is that already. */
static int go(struct pvr_front *front, enum xenbus_state state)
{
	return front->bus.state == state ? 0 : pvr_xenbus_switch(&front->bus, 0, state);
}

/*
 * Connected must not stand there when we have given the rings up: the next backend would take them
 * over, or, where that is what an offer says, take them for an offer to it. One that has taken them
 * over already lets them go again.
 */
static void lose(struct pvr_front *front)
{
	front->deadline = after(front->reconnect_ns);
	pvr_front_become(front, PVR_FRONT_LOST);
	go(front, XenbusStateInitialising);
}

static int is_online(struct pvr_front *front)
{
	return pvr_xenbus_backend_u64(&front->bus, "online", 0) == 1;
}

/* ---- the way back ---- */

/* The new backend has our rings: the owners may take them over. */
static void come_back(struct pvr_front *front)
{
	front->has_offered = 0;
	if (front->ops->facts(front, 1) || go(front, XenbusStateConnected)) {
		leave(front);
		return;
	}
	front->reconnects++;
	/* Version first: who sees the device live must see that its ring is another. */
	atomic_fetch_add_explicit(&front->version, 1, memory_order_release);
	pvr_front_become(front, PVR_FRONT_LIVE);
}

static void offer_again(struct pvr_front *front)
{
	int r;

	go(front, XenbusStateInitialising);
	r = pvr_front_offer(front, 1);
	/* Of memory and grants there may be more when requests have ended; of queues there will not. */
	if (r == -ENODEV)
		leave(front);
}

static void not_offered(struct pvr_front *front, enum xenbus_state back)
{
	switch (back) {
	case XenbusStateInitWait:
		offer_again(front);
		break;
	case XenbusStateClosed:
		if (is_online(front))
			go(front, XenbusStateInitialising);
		else
			leave(front);
		break;
	case XenbusStateInitialising:
		go(front, XenbusStateInitialising);
		break;
	case XenbusStateClosing:
		go(front, XenbusStateClosed);
		break;
	case XenbusStateUnknown:
		leave(front);
		break;
	default:
		/* Left there by the one that died; or by one that has not seen us begin again. */
		go(front, XenbusStateInitialising);
		break;
	}
}

static void reconnect(struct pvr_front *front, enum xenbus_state back)
{
	if (pvr_port_now_ns() >= front->deadline) {
		leave(front);
		return;
	}
	if (!front->has_offered) {
		not_offered(front, back);
		return;
	}
	switch (pvr_xenbus_front_next(XenbusStateInitialised, back)) {
	case PVR_XENBUS_GO:
		come_back(front);
		break;
	case PVR_XENBUS_CLOSE:
	case PVR_XENBUS_RESTART:
		/* It went again, before it was Connected; it may still be unmapping what the next offer drops. */
		front->has_offered = 0;
		not_offered(front, back);
		break;
	default:
		pvr_front_offer_repeat(front, back);
		break;
	}
}

/* ---- changes ---- */

static void closing(struct pvr_front *front, enum xenbus_state back)
{
	if (back != XenbusStateUnknown && is_online(front)) {
		lose(front);
		return;
	}
	if (back != XenbusStateClosing) {
		leave(front);
		return;
	}
	/* A backend that is only Closing still answers what it has. */
	front->deadline = after(PVR_FRONT_CLOSE_NS);
	pvr_front_become(front, PVR_FRONT_LEAVING);
}

static void live_changed(struct pvr_front *front, enum xenbus_state back)
{
	switch (pvr_xenbus_front_next(front->bus.state, back)) {
	case PVR_XENBUS_CLOSE:
		closing(front, back);
		break;
	case PVR_XENBUS_RESTART:
		lose(front);
		break;
	default:
		if (front->ops->changed(front))
			atomic_fetch_add_explicit(&front->version, 1, memory_order_release);
		break;
	}
}

static void leaving_changed(struct pvr_front *front, enum xenbus_state back)
{
	if (back != XenbusStateClosing || front->ops->idle(front) ||
		pvr_port_now_ns() >= front->deadline)
		leave(front);
}

/* Something to do although no state has changed: the end of waiting, or a step that failed before. */
static int is_due(struct pvr_front *front)
{
	uint64_t now = pvr_port_now_ns();

	if (pvr_front_life(front) == PVR_FRONT_LEAVING)
		return front->ops->idle(front) || now >= front->deadline;
	if (now < front->next_look && now < front->deadline)
		return 0;
	front->next_look = now + LOOK_NS;
	return 1;
}

/* With `control`. */
static void look(struct pvr_front *front, uint32_t fired)
{
	int changed = fired != atomic_load_explicit(&front->watch_seen, memory_order_relaxed);
	enum xenbus_state back;

	if (!changed && !is_due(front))
		return;
	atomic_store_explicit(&front->watch_seen, fired, memory_order_relaxed);
	back = pvr_xenbus_backend_state(&front->bus);
	if (pvr_front_life(front) == PVR_FRONT_LIVE && changed)
		live_changed(front, back);
	if (pvr_front_life(front) == PVR_FRONT_LEAVING)
		leaving_changed(front, back);
	if (pvr_front_life(front) == PVR_FRONT_LOST)
		reconnect(front, back);
}

void pvr_front_check_backend(struct pvr_front *front)
{
	uint32_t fired;

	if (pvr_front_is_dead(front))
		return;
	pvr_store_pump();
	/* Of a backend that goes, or comes back, nobody would tell us. */
	if (pvr_store_is_broken()) {
		pvr_front_become(front, PVR_FRONT_GONE);
		return;
	}
	fired = atomic_load_explicit(&front->bus.watch.fired, memory_order_acquire);
	if (pvr_front_life(front) == PVR_FRONT_LIVE &&
		fired == atomic_load_explicit(&front->watch_seen, memory_order_relaxed))
		return;
	/* Another queue's owner sees to it already. */
	if (!pvr_mutex_trylock(&front->control))
		return;
	if (!pvr_front_is_dead(front))
		look(front, fired);
	pvr_mutex_unlock(&front->control);
}

void pvr_front_peer_gone(struct pvr_front *front)
{
	if (!pvr_mutex_trylock(&front->control))
		return;
	if (pvr_front_life(front) == PVR_FRONT_LIVE)
		lose(front);
	pvr_mutex_unlock(&front->control);
}

void pvr_front_fail(struct pvr_front *front, const char *what, const char *more, uint64_t number)
{
	char line[160];
	struct pvr_text text;

	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add_foreign(&text, front->bus.path);
	pvr_text_add(&text, ": ");
	pvr_text_add(&text, what);
	pvr_text_add(&text, more);
	pvr_text_add_u64(&text, number);
	pvr_text_add(&text, "; the device is in error");
	pvr_port_log(line);
	pvr_front_become(front, PVR_FRONT_FAILED);
}
