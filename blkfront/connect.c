/* SPDX-License-Identifier: MIT */
/*
 * The handshake of a disk: to Connected, and back to Closed. Nodes and states: Xen's public
 * io/blkif.h.
 */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

#define DISK_PAGES ((unsigned)((sizeof(struct pvr_blkfront) + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE))

static uint32_t fired(struct pvr_blkfront *disk)
{
	return atomic_load_explicit(&disk->bus.watch.fired, memory_order_acquire);
}

/* Set our state unless it is that already. */
static int become(struct pvr_blkfront *disk, enum xenbus_state state)
{
	return disk->bus.state == state ? 0 : pvr_xenbus_switch(&disk->bus, 0, state);
}

/*
 * Until the backend is in InitWait. One that is still in the middle of something, left there by an
 * earlier owner of the device, lets go of it when it sees Closed, and comes to InitWait when it
 * then sees Initialising.
 */
static int await_backend_ready(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);
		int r;

		switch (back) {
		case XenbusStateInitialised:
		case XenbusStateConnected:
		case XenbusStateClosing:
		case XenbusStateReconfiguring:
		case XenbusStateReconfigured:
			r = become(disk, XenbusStateClosed);
			break;
		default:
			r = become(disk, XenbusStateInitialising);
			break;
		}
		if (r || back == XenbusStateInitWait)
			return r;
		r = pvr_store_wait(&disk->bus.watch, seen, deadline_ns);
		if (r)
			return r;
	}
}

static int await_connected(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);
		int r;

		disk->watch_seen = seen;
		switch (pvr_xenbus_front_next(disk->bus.state, back)) {
		case PVR_XENBUS_GO:
			return 0;
		case PVR_XENBUS_CLOSE:
		case PVR_XENBUS_RESTART:
			return -ENODEV;
		default:
			break;
		}
		r = pvr_store_wait(&disk->bus.watch, seen, deadline_ns);
		if (r)
			return r;
	}
}

/* Our own node says which device this is; requests repeat it. Not every toolstack writes it. */
static blkif_vdev_t read_handle(struct pvr_blkfront *disk)
{
	char path[96];
	uint64_t number;

	if (pvr_text_path(disk->bus.path, "virtual-device", path, sizeof(path)) ||
		pvr_store_read_u64(0, path, &number))
		return 0;
	return (blkif_vdev_t)number;
}

/* What was agreed on now bounds what later backends may offer: it is what there are pages for. */
static int make_queues(struct pvr_blkfront *disk)
{
	int r = 0;

	disk->want.max_segments = disk->info.max_segments;
	disk->want.persistent = disk->info.persistent;
	disk->bounce = disk->want.persistent || disk->want.untrusting;
	for (unsigned i = 0; i < disk->queues && !r; i++) {
		struct pvr_blkfront_queue *queue = &disk->queue[i];

		queue->disk = disk;
		queue->facts = disk->info;
		queue->live = queue->next;
		queue->next = (struct blkfront_ring){0};
		r = blkfront_queue_make(disk, queue);
	}
	return r;
}

static int connect(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	int r = await_backend_ready(disk, deadline_ns);

	if (r)
		return r;
	disk->handle = read_handle(disk);
	r = blkfront_offer(disk, 0);
	if (!r)
		r = await_connected(disk, deadline_ns);
	if (!r)
		r = blkfront_facts_read(disk);
	if (!r)
		r = make_queues(disk);
	if (!r)
		r = pvr_xenbus_switch(&disk->bus, 0, XenbusStateConnected);
	return r;
}

/* Sleep until the backend has seen that we are closing, or closed, or is no more. */
static void await_backend_past(
	struct pvr_blkfront *disk, enum xenbus_state ours, uint64_t deadline_ns)
{
	if (pvr_xenbus_switch(&disk->bus, 0, ours))
		return;
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);

		if (back == XenbusStateClosed || back == XenbusStateUnknown ||
			back == XenbusStateInitialising || back == XenbusStateInitWait ||
			back == ours)
			return;
		if (pvr_store_wait(&disk->bus.watch, seen, deadline_ns))
			return;
	}
}

static void disconnect(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	uint64_t patience;

	/*
	 * Closed already when the backend went first; what stands there now may be its successor.
	 */
	if (disk->bus.state != XenbusStateClosed) {
		await_backend_past(disk, XenbusStateClosing, deadline_ns);
		await_backend_past(disk, XenbusStateClosed, deadline_ns);
	}
	/* With the store went who could unmap. */
	patience = pvr_store_is_broken() ? 0 : pvr_port_now_ns() + BLKFRONT_PATIENCE_NS;
	for (unsigned i = 0; i < disk->queues; i++) {
		blkfront_ring_free(&disk->queue[i].next, patience);
		blkfront_queue_free(&disk->queue[i], patience);
	}
	pvr_xenbus_close(&disk->bus);
	pvr_port_pages_free(disk, DISK_PAGES);
}

static uint32_t at_most(uint32_t number, uint32_t most)
{
	return number < most ? number : most;
}

static struct pvr_blkfront_options within_bounds(const struct pvr_blkfront_options *options)
{
	struct pvr_blkfront_options want = {0};

	if (options)
		want = *options;
	want.queues = at_most(want.queues ? want.queues : 1, BLKFRONT_QUEUES_MAX);
	want.ring_order = at_most(want.ring_order, BLKFRONT_ORDER_MAX);
	want.max_segments =
		at_most(want.max_segments ? want.max_segments : BLKFRONT_SEGMENTS_DEFAULT,
			BLKFRONT_SEGMENTS_MAX);
	if (!want.reconnect_ns)
		want.reconnect_ns = BLKFRONT_RECONNECT_NS;
	return want;
}

static int open_once(const char *path, const struct pvr_blkfront_options *options,
	uint64_t deadline_ns, struct pvr_blkfront **disk)
{
	struct pvr_blkfront *made = pvr_port_pages_alloc(DISK_PAGES);
	int r;

	if (!made)
		return -ENOMEM;
	made->want = within_bounds(options);
	r = pvr_xenbus_open(&made->bus, path);
	if (r) {
		pvr_port_pages_free(made, DISK_PAGES);
		return r;
	}
	r = connect(made, deadline_ns);
	if (r) {
		disconnect(made, pvr_port_now_ns() + BLKFRONT_PATIENCE_NS);
		return r;
	}
	*disk = made;
	return 0;
}

/*
 * A backend that dies in the middle of the handshake leaves its successor a ring that it refuses: begin
 * again with the successor, if one comes soon.
 */
int pvr_blkfront_open(const char *path, const struct pvr_blkfront_options *options,
	uint64_t deadline_ns, struct pvr_blkfront **disk)
{
	int r = open_once(path, options, deadline_ns, disk);

	for (unsigned tries = 0; r == -ENODEV && tries < BLKFRONT_OPEN_TRIES; tries++) {
		uint64_t soon = pvr_port_now_ns() + BLKFRONT_SUCCESSOR_NS;

		r = open_once(path, options, soon < deadline_ns ? soon : deadline_ns, disk);
		if (r == -ETIMEDOUT)
			return -ENODEV;
	}
	return r;
}

/* Until the queue has nothing in flight, or the deadline. */
static void drain(struct pvr_blkfront_queue *queue, uint64_t deadline_ns)
{
	pvr_blkfront_kick(queue);
	while (blkfront_inflight(queue) && pvr_port_now_ns() < deadline_ns)
		if (pvr_blkfront_poll(queue) == 0)
			pvr_blkfront_wait(queue, deadline_ns);
}

void pvr_blkfront_close(struct pvr_blkfront *disk)
{
	uint64_t deadline = pvr_port_now_ns() + BLKFRONT_CLOSE_NS;

	for (unsigned i = 0; i < disk->queues; i++)
		drain(&disk->queue[i], deadline);
	blkfront_become(disk, BLKFRONT_GONE);
	for (unsigned i = 0; i < disk->queues; i++)
		blkfront_queue_end(&disk->queue[i]);
	disconnect(disk, pvr_port_now_ns() + BLKFRONT_CLOSE_NS);
}

const struct pvr_blkfront_info *pvr_blkfront_info(const struct pvr_blkfront *disk)
{
	return &disk->info;
}

static void add_stats(struct pvr_blkfront_stats *sum, const struct pvr_blkfront_stats *one)
{
	sum->requests += one->requests;
	sum->responses += one->responses;
	sum->errors += one->errors;
	sum->sectors_read += one->sectors_read;
	sum->sectors_written += one->sectors_written;
	sum->notifies += one->notifies;
	sum->events += one->events;
	sum->grants_leaked += one->grants_leaked;
	sum->grants_reused += one->grants_reused;
	sum->indirect += one->indirect;
	sum->reissued += one->reissued;
}

void pvr_blkfront_stats(const struct pvr_blkfront *disk, struct pvr_blkfront_stats *stats)
{
	*stats = (struct pvr_blkfront_stats){.reconnects = disk->reconnects};
	for (unsigned i = 0; i < disk->queues; i++)
		add_stats(stats, &disk->queue[i].stats);
}

struct pvr_blkfront_queue *pvr_blkfront_queue(struct pvr_blkfront *disk, unsigned index)
{
	return index < disk->queues ? &disk->queue[index] : NULL;
}
