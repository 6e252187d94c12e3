/* SPDX-License-Identifier: MIT */
/* Requests on their way to the backend: check, grant, put on the ring, publish. */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* Bytes of the request's segments, or -EINVAL. */
static int64_t segments_bytes(
	const struct pvr_blkfront *disk, const struct pvr_blk_request *request)
{
	int64_t bytes = 0;

	if (!request->segments_count || request->segments_count > disk->info.max_segments)
		return -EINVAL;
	for (uint32_t i = 0; i < request->segments_count; i++) {
		const struct pvr_blk_segment *segment = &request->segments[i];
		uint32_t offset = (uint32_t)((uintptr_t)segment->address & (PVR_PAGE_SIZE - 1));

		if (!segment->length || (segment->length | offset) % 512 ||
			segment->length > PVR_PAGE_SIZE - offset)
			return -EINVAL;
		bytes += segment->length;
	}
	return bytes;
}

static int check_data(const struct pvr_blkfront *disk, const struct pvr_blk_request *request)
{
	uint32_t units = blkfront_sector_units(disk);
	int64_t bytes = segments_bytes(disk, request);
	uint32_t sectors;

	if (bytes < 0)
		return (int)bytes;
	sectors = (uint32_t)bytes / 512;
	/* Both are powers of two. */
	if ((sectors | (uint32_t)request->sector) & (units - 1))
		return -EINVAL;
	if (request->sector > disk->info.sectors || sectors > disk->info.sectors - request->sector)
		return -EINVAL;
	return request->op == BLKIF_OP_WRITE && disk->info.readonly ? -EROFS : 0;
}

static int check(const struct pvr_blkfront *disk, const struct pvr_blk_request *request)
{
	if (disk->life != BLKFRONT_LIVE)
		return -ENODEV;
	switch (request->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return check_data(disk, request);
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (request->segments_count)
			return -EINVAL;
		return disk->info.flush ? 0 : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

/* A free slot is there, and nothing can fail any more. */
static void put(
	struct pvr_blkfront *disk, struct pvr_blkfront_queue *queue, struct pvr_blk_request *request)
{
	uint16_t id = queue->free;
	struct blkfront_shadow *shadow = &queue->shadow[id];
	struct blkif_request wire;

	memset(&wire, 0, sizeof(wire));
	wire.operation = request->op;
	wire.nr_segments = (uint8_t)request->segments_count;
	wire.handle = disk->handle;
	wire.id = id;
	wire.sector_number = request->op == BLKIF_OP_FLUSH_DISKCACHE ? 0 : request->sector;
	for (uint32_t i = 0; i < request->segments_count; i++) {
		const struct pvr_blk_segment *segment = &request->segments[i];
		uint32_t first =
			(uint32_t)((uintptr_t)segment->address & (PVR_PAGE_SIZE - 1)) / 512;

		pvr_grant_access(shadow->grants[i], disk->bus.backend_id,
			pvr_port_gfn(segment->address), request->op == BLKIF_OP_WRITE);
		wire.seg[i].gref = shadow->grants[i];
		wire.seg[i].first_sect = (uint8_t)first;
		wire.seg[i].last_sect = (uint8_t)(first + segment->length / 512 - 1);
	}
	queue->free = shadow->next;
	shadow->request = request;
	shadow->op = request->op;
	shadow->granted = (uint8_t)request->segments_count;
	shadow->at = queue->ring.prod;
	queue->inflight++;
	disk->stats.requests++;
	blkif_request_put(&queue->ring, &wire);
}

unsigned pvr_blkfront_submit(
	struct pvr_blkfront_queue *queue, struct pvr_blk_request *const *requests, unsigned count)
{
	struct pvr_blkfront *disk = queue->disk;
	unsigned taken = 0;

	for (; taken < count; taken++) {
		int error = check(disk, requests[taken]);

		if (error) {
			disk->stats.errors++;
			requests[taken]->done(requests[taken], error);
			continue;
		}
		/* Shadows and slots are as many, and a shadow is freed with its slot. */
		if (queue->free == disk->info.entries)
			break;
		put(disk, queue, requests[taken]);
	}
	return taken;
}

void pvr_blkfront_kick(struct pvr_blkfront_queue *queue)
{
	struct pvr_blkfront *disk = queue->disk;

	if (disk->life == BLKFRONT_DEAD || !pvr_ring_publish_notify(&queue->ring))
		return;
	disk->stats.notifies++;
	pvr_evtchn_notify(queue->port);
}

unsigned pvr_blkfront_free(const struct pvr_blkfront_queue *queue)
{
	return queue->disk->info.entries - queue->inflight;
}

unsigned pvr_blkfront_inflight(const struct pvr_blkfront_queue *queue)
{
	return queue->inflight;
}
