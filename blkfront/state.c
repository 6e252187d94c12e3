/* SPDX-License-Identifier: MIT */
/* What a connected disk does when the backend closes, goes away, or is replaced. */
#include "internal.h"

#include <errno.h>

/*
 * Answer everything that was answered, end the rest, and let the backend know that we are done with
 * it.
 */
static void leave(struct pvr_blkfront *disk)
{
	blkfront_queue_poll(disk, &disk->queue[0]);
	if (disk->life != BLKFRONT_DEAD)
		blkfront_kill(disk, -ENODEV);
	pvr_xenbus_switch(&disk->bus, 0, XenbusStateClosed);
}

static void state_changed(struct pvr_blkfront *disk, enum xenbus_state back)
{
	switch (pvr_xenbus_front_next(disk->bus.state, back)) {
	case PVR_XENBUS_CLOSE:
		/* A backend that is only Closing still answers what it has. */
		if (back == XenbusStateClosing && disk->life == BLKFRONT_LIVE) {
			disk->life = BLKFRONT_LEAVING;
			disk->leave_deadline = pvr_port_now_ns() + BLKFRONT_CLOSE_NS;
		} else if (back != XenbusStateClosing) {
			leave(disk);
		}
		break;
	case PVR_XENBUS_RESTART:
		/* Another backend in the old one's place knows nothing of what is in flight. */
		leave(disk);
		break;
	default:
		break;
	}
}

void blkfront_check_backend(struct pvr_blkfront *disk)
{
	uint32_t fired;

	if (disk->life == BLKFRONT_DEAD)
		return;
	pvr_store_pump();
	fired = atomic_load_explicit(&disk->bus.watch.fired, memory_order_acquire);
	if (fired != disk->watch_seen) {
		disk->watch_seen = fired;
		state_changed(disk, pvr_xenbus_backend_state(&disk->bus));
	}
	if (disk->life == BLKFRONT_LEAVING &&
		(!disk->queue[0].inflight || pvr_port_now_ns() >= disk->leave_deadline))
		leave(disk);
}
