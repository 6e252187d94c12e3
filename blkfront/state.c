/* SPDX-License-Identifier: MIT */
/*
 * What a connected disk does when the backend is resized, closes, dies, or is replaced.
 *
 * A backend that is to come back (another one in InitWait; or Closing or Closed while the toolstack's
 * `online` says 1; or the other end of the event channel gone) leaves the disk LOST: the handshake is
 * gone through again, a step whenever somebody polls, and requests wait meanwhile.
 */
#include "internal.h"

#include <errno.h>

/* How often a lost disk looks at the backend when nothing tells it to. */
#define LOOK_NS 100000000ull

void blkfront_become(struct pvr_blkfront *disk, enum blkfront_life life)
{
	uint32_t old = blkfront_life(disk);

	while (old < BLKFRONT_GONE &&
		!atomic_compare_exchange_weak_explicit(&disk->life, &old, (uint32_t)life,
			memory_order_acq_rel, memory_order_acquire))
		;
}

static uint64_t after(uint64_t ns)
{
	uint64_t now = pvr_port_now_ns();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

static uint32_t inflight(const struct pvr_blkfront *disk)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < disk->queues; i++)
		all += blkfront_inflight(&disk->queue[i]);
	return all;
}

/* Each owner ends what it has; the backend is told that we are done with it. */
static void leave(struct pvr_blkfront *disk)
{
	blkfront_become(disk, BLKFRONT_GONE);
	pvr_xenbus_switch(&disk->bus, 0, XenbusStateClosed);
}

static void lose(struct pvr_blkfront *disk)
{
	disk->deadline = after(disk->want.reconnect_ns);
	blkfront_become(disk, BLKFRONT_LOST);
}

/* Set our state unless it is that already. */
static void go(struct pvr_blkfront *disk, enum xenbus_state state)
{
	if (disk->bus.state != state)
		pvr_xenbus_switch(&disk->bus, 0, state);
}

static int is_online(struct pvr_blkfront *disk)
{
	return pvr_xenbus_backend_u64(&disk->bus, "online", 0) == 1;
}

/* ---- the way back ---- */

/* The new backend has our rings: the owners may take them over. */
static void come_back(struct pvr_blkfront *disk)
{
	if (blkfront_facts_read(disk) || pvr_xenbus_switch(&disk->bus, 0, XenbusStateConnected)) {
		leave(disk);
		return;
	}
	disk->reconnects++;
	/* Version first: who sees the disk live must see that its ring is another. */
	atomic_fetch_add_explicit(&disk->version, 1, memory_order_release);
	blkfront_become(disk, BLKFRONT_LIVE);
}

static void offer_again(struct pvr_blkfront *disk)
{
	int r;

	go(disk, XenbusStateInitialising);
	r = blkfront_offer(disk, 1);
	/* Of memory and grants there may be more when requests have ended; of queues there will not. */
	if (r == -ENODEV)
		leave(disk);
}

static void not_offered(struct pvr_blkfront *disk, enum xenbus_state back)
{
	switch (back) {
	case XenbusStateInitWait:
		offer_again(disk);
		break;
	case XenbusStateClosed:
		if (is_online(disk))
			go(disk, XenbusStateInitialising);
		else
			leave(disk);
		break;
	case XenbusStateInitialising:
		go(disk, XenbusStateInitialising);
		break;
	case XenbusStateClosing:
		go(disk, XenbusStateClosed);
		break;
	case XenbusStateUnknown:
		leave(disk);
		break;
	default:
		/* Left there by the one that died; or by one that has not seen us begin again. */
		if (disk->bus.state != XenbusStateConnected)
			go(disk, XenbusStateClosed);
		break;
	}
}

static void reconnect(struct pvr_blkfront *disk, enum xenbus_state back)
{
	if (pvr_port_now_ns() >= disk->deadline) {
		leave(disk);
		return;
	}
	if (disk->bus.state != XenbusStateInitialised) {
		not_offered(disk, back);
		return;
	}
	switch (pvr_xenbus_front_next(disk->bus.state, back)) {
	case PVR_XENBUS_GO:
		come_back(disk);
		break;
	case PVR_XENBUS_CLOSE:
	case PVR_XENBUS_RESTART:
		/* It went again, before it was Connected. */
		blkfront_offer_drop(disk);
		not_offered(disk, back);
		break;
	default:
		break;
	}
}

/* ---- changes ---- */

static void closing(struct pvr_blkfront *disk, enum xenbus_state back)
{
	if (back != XenbusStateUnknown && is_online(disk)) {
		lose(disk);
		return;
	}
	if (back != XenbusStateClosing) {
		leave(disk);
		return;
	}
	/* A backend that is only Closing still answers what it has. */
	disk->deadline = after(BLKFRONT_CLOSE_NS);
	blkfront_become(disk, BLKFRONT_LEAVING);
}

static void live_changed(struct pvr_blkfront *disk, enum xenbus_state back)
{
	switch (pvr_xenbus_front_next(disk->bus.state, back)) {
	case PVR_XENBUS_CLOSE:
		closing(disk, back);
		break;
	case PVR_XENBUS_RESTART:
		lose(disk);
		break;
	default:
		if (blkfront_facts_resized(disk))
			atomic_fetch_add_explicit(&disk->version, 1, memory_order_release);
		break;
	}
}

static void leaving_changed(struct pvr_blkfront *disk, enum xenbus_state back)
{
	if (back != XenbusStateClosing || !inflight(disk) || pvr_port_now_ns() >= disk->deadline)
		leave(disk);
}

/* Something to do although no state has changed: the end of waiting, or a step that failed before. */
static int is_due(struct pvr_blkfront *disk)
{
	uint64_t now = pvr_port_now_ns();

	if (blkfront_life(disk) == BLKFRONT_LEAVING)
		return !inflight(disk) || now >= disk->deadline;
	if (now < disk->next_look && now < disk->deadline)
		return 0;
	disk->next_look = now + LOOK_NS;
	return 1;
}

/* With `control`. */
static void look(struct pvr_blkfront *disk, uint32_t fired)
{
	int changed = fired != atomic_load_explicit(&disk->watch_seen, memory_order_relaxed);
	enum xenbus_state back;

	if (!changed && !is_due(disk))
		return;
	atomic_store_explicit(&disk->watch_seen, fired, memory_order_relaxed);
	back = pvr_xenbus_backend_state(&disk->bus);
	if (blkfront_life(disk) == BLKFRONT_LIVE && changed)
		live_changed(disk, back);
	if (blkfront_life(disk) == BLKFRONT_LEAVING)
		leaving_changed(disk, back);
	if (blkfront_life(disk) == BLKFRONT_LOST)
		reconnect(disk, back);
}

void blkfront_check_backend(struct pvr_blkfront *disk)
{
	uint32_t fired;

	if (blkfront_is_dead(disk))
		return;
	pvr_store_pump();
	/* Of a backend that goes, or comes back, nobody would tell us. */
	if (pvr_store_is_broken()) {
		blkfront_become(disk, BLKFRONT_GONE);
		return;
	}
	fired = atomic_load_explicit(&disk->bus.watch.fired, memory_order_acquire);
	if (blkfront_life(disk) == BLKFRONT_LIVE &&
		fired == atomic_load_explicit(&disk->watch_seen, memory_order_relaxed))
		return;
	/* Another queue's owner sees to it already. */
	if (!pvr_mutex_trylock(&disk->control))
		return;
	if (!blkfront_is_dead(disk))
		look(disk, fired);
	pvr_mutex_unlock(&disk->control);
}

void blkfront_peer_gone(struct pvr_blkfront *disk)
{
	if (!pvr_mutex_trylock(&disk->control))
		return;
	if (blkfront_life(disk) == BLKFRONT_LIVE)
		lose(disk);
	pvr_mutex_unlock(&disk->control);
}
