/* SPDX-License-Identifier: MIT */
/* The disk's part of device.h: block requests of random fields on a ring of one page. */
#include <string.h>

#include <pvring/xen/blkif.h>

#include "device.h"
#include "hostile.h"

union slot {
	struct blkif_request request;
	struct blkif_request_discard discard;
	struct blkif_request_indirect indirect;
	struct blkif_response response;
};

static void offer(struct device *d)
{
	if (random_once(16))
		pvr_xenbus_write(&d->bus, 0, "protocol", "x86_32-abi");
	else
		pvr_xenbus_write(&d->bus, 0, "protocol", XEN_IO_PROTO_ABI_NATIVE);
	device_node(d, "ring-ref", d->ref[0]);
	device_node(d, "event-channel", d->port[0]);
	device_node(d, "feature-persistent", random_below(2));
	if (random_once(20))
		device_node(d, "multi-queue-num-queues", random_below(3));
	if (random_once(20))
		device_node(d, "ring-page-order", random_below(3));
}

static void segments(struct device *d, struct blkif_request_segment *segment, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		segment[i].gref = device_ref(d);
		segment[i].first_sect = (uint8_t)random_below(random_once(32) ? 256 : 8);
		segment[i].last_sect = (uint8_t)(random_once(32) ? random_below(256) : 7);
	}
}

static uint64_t sector(void)
{
	return random_once(16) ? random_bits() >> random_below(64) : random_below(30000);
}

static void put_indirect(struct device *d, struct blkif_request_indirect *r)
{
	r->operation = BLKIF_OP_INDIRECT;
	r->indirect_op = (uint8_t)(random_once(16) ? random_below(8) : random_below(2));
	r->nr_segments = (uint16_t)(random_once(16) ? random_word() : random_below(300));
	r->sector_number = sector();
	for (unsigned i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++) {
		const unsigned page = 1 + random_below(DEVICE_PAGES - 1);

		r->indirect_grefs[i] = random_once(16) ? device_ref(d) : d->ref[page];
		segments(d, (void *)d->page[page], random_below(20));
	}
}

static void put(struct device *d, unsigned ring, uint32_t number)
{
	static const uint8_t ops[] = {BLKIF_OP_READ, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE,
		BLKIF_OP_WRITE_BARRIER, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_DISCARD,
		BLKIF_OP_RESERVED_1};
	union slot *slot =
		(union slot *)(void *)(d->page[ring] + sizeof(struct pvr_sring)) + number % 32;

	if (random_once(6)) {
		put_indirect(d, &slot->indirect);
	} else {
		struct blkif_request *r = &slot->request;

		segments(d, r->seg, BLKIF_MAX_SEGMENTS_PER_REQUEST);
		r->operation =
			random_once(32) ? (uint8_t)random_bits() : ops[random_below(sizeof(ops))];
		r->nr_segments = (uint8_t)(random_once(32) ? random_bits() : random_below(12));
		r->handle = (blkif_vdev_t)random_word();
		r->sector_number = sector();
	}
	slot->request.id = random_bits();
}

void disk_part(unsigned rounds)
{
	static const char *const optional[] = {"multi-queue-num-queues", "ring-page-order", NULL};
	static struct device disk = {.path = "device/vbd/51712",
		.rings = 1,
		.optional = optional,
		.offer = offer,
		.put = put};

	device_part(&disk, rounds);
}
