/* SPDX-License-Identifier: MIT */
/* The outside that is a mirror: what a queue sends comes back to it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "outside.h"

struct loop {
	struct pvr_netback_outside outside;
	struct {
		struct pvr_netback_inbox inbox;
		uint8_t *bytes; /* of the packet that is read */
	} port[];
};

static void loop_close(struct pvr_netback_outside *outside)
{
	struct loop *loop = (struct loop *)outside;

	for (unsigned i = 0; i < outside->queues_max; i++) {
		pvr_netback_inbox_end(&loop->port[i].inbox);
		free(loop->port[i].bytes);
	}
	free(loop);
}

static int loop_open(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
	char error[PVR_NETBACK_LINE])
{
	struct loop *loop = calloc(1, sizeof(*loop) + spec->queues * sizeof(loop->port[0]));

	if (!loop)
		goto no_memory;
	loop->outside.ops = &pvr_netback_outside_loop;
	loop->outside.takes = PVR_NETBACK_CSUM | PVR_NETBACK_GSO4 | PVR_NETBACK_GSO6;
	loop->outside.packet_max = PVR_NETBACK_PARCEL_MAX - 1;
	for (unsigned i = 0; i < spec->queues; i++) {
		loop->port[i].bytes = malloc(PVR_NETBACK_PARCEL_MAX);
		if (!loop->port[i].bytes)
			goto no_memory;
		if (pvr_netback_inbox_init(&loop->port[i].inbox)) {
			free(loop->port[i].bytes);
			goto no_memory;
		}
		loop->outside.queues_max = i + 1;
	}
	*outside = &loop->outside;
	return 0;

no_memory:
	if (loop)
		loop_close(&loop->outside);
	snprintf(error, PVR_NETBACK_LINE, "out of memory or descriptors");
	return -ENOMEM;
}

static int loop_connect(struct pvr_netback_outside *outside, unsigned queues, unsigned gives)
{
	(void)outside;
	(void)queues;
	(void)gives;
	return 0;
}

/* What the last frontend has not fetched is not for the next. */
static void loop_disconnect(struct pvr_netback_outside *outside)
{
	struct loop *loop = (struct loop *)outside;
	struct pvr_netback_parcel parcel;

	for (unsigned i = 0; i < outside->queues_max; i++)
		while (pvr_netback_inbox_take(&loop->port[i].inbox, &parcel, loop->port[i].bytes))
			;
}

static int loop_write(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	struct loop *loop = (struct loop *)outside;
	struct pvr_netback_parcel parcel = {.hash_type = -1};

	memcpy(&parcel.vnet, iov[0].iov_base, sizeof(parcel.vnet));
	for (int i = 1; i < count; i++)
		parcel.bytes += (uint32_t)iov[i].iov_len;
	return pvr_netback_inbox_put(&loop->port[queue].inbox, &parcel, iov + 1, count - 1);
}

static ssize_t loop_read(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	struct loop *loop = (struct loop *)outside;
	uint8_t *bytes = loop->port[queue].bytes;
	struct pvr_netback_parcel parcel;
	size_t done = 0;

	if (!pvr_netback_inbox_take(&loop->port[queue].inbox, &parcel, bytes))
		return -EAGAIN;
	memcpy(iov[0].iov_base, &parcel.vnet, sizeof(parcel.vnet));
	for (int i = 1; i < count && done < parcel.bytes; i++) {
		size_t length = parcel.bytes - done;

		if (length > iov[i].iov_len)
			length = iov[i].iov_len;
		memcpy(iov[i].iov_base, bytes + done, length);
		done += length;
	}
	return (ssize_t)(sizeof(parcel.vnet) + parcel.bytes);
}

static uint32_t used(const struct pvr_netback_outside *outside, unsigned queue)
{
	const struct loop *loop = (const struct loop *)outside;

	return atomic_load_explicit(&loop->port[queue].inbox.used, memory_order_relaxed);
}

static int loop_ready(struct pvr_netback_outside *outside, unsigned queue)
{
	return used(outside, queue) != 0;
}

/* A batch may still go beyond, and is lost then. */
static int loop_room(struct pvr_netback_outside *outside, unsigned queue)
{
	return used(outside, queue) <= PVR_NETBACK_INBOX_BYTES / 2;
}

const struct pvr_netback_outside_ops pvr_netback_outside_loop = {
	.type = "loop",
	.open = loop_open,
	.close = loop_close,
	.connect = loop_connect,
	.disconnect = loop_disconnect,
	.write = loop_write,
	.read = loop_read,
	.ready = loop_ready,
	.room = loop_room,
};
