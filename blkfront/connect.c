/* SPDX-License-Identifier: MIT */
/* A disk opened and closed. Nodes and states: Xen's public io/blkif.h. */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

#define DISK_PAGES ((unsigned)((sizeof(struct pvr_blkfront) + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE))

/* Our own node says which device this is; requests repeat it. Not every toolstack writes it. */
static blkif_vdev_t read_handle(struct pvr_blkfront *disk)
{
	char path[96];
	uint64_t number;

	if (pvr_text_path(disk->front.bus.path, "virtual-device", path, sizeof(path)) ||
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

static int read_facts(struct pvr_front *front, int again)
{
	struct pvr_blkfront *disk = blkfront_disk(front);
	int r = blkfront_facts_read(disk);

	if (r || again)
		return r;
	disk->handle = read_handle(disk);
	return make_queues(disk);
}

static int is_idle(struct pvr_front *front)
{
	const struct pvr_blkfront *disk = blkfront_disk(front);
	uint32_t all = 0;

	for (unsigned i = 0; i < disk->queues; i++)
		all += blkfront_inflight(&disk->queue[i]);
	return !all;
}

static const struct pvr_front_ops ops = {
	.offered = XenbusStateInitialised,
	.make = blkfront_offer_make,
	.write = blkfront_offer_write,
	.drop = blkfront_offer_drop,
	.facts = read_facts,
	.changed = blkfront_facts_resized,
	.idle = is_idle,
};

static void disconnect(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	uint64_t patience = pvr_front_disconnect(&disk->front, deadline_ns);

	for (unsigned i = 0; i < disk->queues; i++) {
		blkfront_ring_free(&disk->queue[i].next, patience);
		blkfront_queue_free(&disk->queue[i], patience);
	}
	pvr_xenbus_close(&disk->front.bus);
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
		want.reconnect_ns = PVR_FRONT_RECONNECT_NS;
	return want;
}

struct opening {
	const char *path;
	const struct pvr_blkfront_options *options;
	struct pvr_blkfront **disk;
};

static int open_once(void *request, uint64_t deadline_ns)
{
	const struct opening *opening = request;
	struct pvr_blkfront *made = pvr_port_pages_alloc(DISK_PAGES);
	int r;

	if (!made)
		return -ENOMEM;
	made->want = within_bounds(opening->options);
	made->front.ops = &ops;
	made->front.reconnect_ns = made->want.reconnect_ns;
	r = pvr_xenbus_open(&made->front.bus, opening->path);
	if (r) {
		pvr_port_pages_free(made, DISK_PAGES);
		return r;
	}
	r = pvr_front_connect(&made->front, deadline_ns);
	if (!r)
		r = pvr_xenbus_switch(&made->front.bus, 0, XenbusStateConnected);
	if (r) {
		disconnect(made, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
		return r;
	}
	*opening->disk = made;
	return 0;
}

int pvr_blkfront_open(const char *path, const struct pvr_blkfront_options *options,
	uint64_t deadline_ns, struct pvr_blkfront **disk)
{
	struct opening opening = {path, options, disk};

	return pvr_front_open(open_once, &opening, deadline_ns);
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
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_CLOSE_NS;

	for (unsigned i = 0; i < disk->queues; i++)
		drain(&disk->queue[i], deadline);
	pvr_front_become(&disk->front, PVR_FRONT_GONE);
	for (unsigned i = 0; i < disk->queues; i++)
		blkfront_queue_end(&disk->queue[i]);
	disconnect(disk, pvr_port_now_ns() + PVR_FRONT_CLOSE_NS);
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
	*stats = (struct pvr_blkfront_stats){
		.reconnects = disk->front.reconnects,
		.grants_leaked = disk->offers_leaked,
	};
	for (unsigned i = 0; i < disk->queues; i++)
		add_stats(stats, &disk->queue[i].stats);
}

struct pvr_blkfront_queue *pvr_blkfront_queue(struct pvr_blkfront *disk, unsigned index)
{
	return index < disk->queues ? &disk->queue[index] : NULL;
}
