/* SPDX-License-Identifier: MIT */
/* The outside that is not there: swallows packets, and sends packets of one size as fast as they
 * are taken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outside.h"

#define ETH_HEADER 14u
#define SIZE_MAX_  65535u

struct null {
	struct pvr_netback_outside outside;
	size_t size; /* of a packet; 0: none */
	uint8_t packet[];
};

/* An Ethernet header to the frontend, of a type for local experiments; no payload. */
static void make_packet(struct null *null, const uint8_t mac[6])
{
	static const uint8_t rest[] = {0x02, 0, 0, 0, 0, 0xfe, 0x88, 0xb5};

	memcpy(null->packet, mac, 6);
	memcpy(null->packet + 6, rest, sizeof(rest));
}

static int null_open(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
	char error[PVR_NETBACK_LINE])
{
	const char *params = spec->params && *spec->params ? spec->params : "0";
	struct null *null;
	char *end;
	unsigned long size = strtoul(params, &end, 10);

	if (*end || *params < '0' || *params > '9' || size > SIZE_MAX_ ||
		(size && size < ETH_HEADER)) {
		snprintf(error, PVR_NETBACK_LINE,
			"params: \"%.32s\" is no size of a packet, %u to %u, or 0", params,
			ETH_HEADER, SIZE_MAX_);
		return -EINVAL;
	}
	null = calloc(1, sizeof(*null) + size);
	if (!null) {
		snprintf(error, PVR_NETBACK_LINE, "out of memory");
		return -ENOMEM;
	}
	null->outside.ops = &pvr_netback_outside_null;
	null->outside.queues_max = spec->queues;
	null->outside.takes = PVR_NETBACK_CSUM | PVR_NETBACK_GSO4 | PVR_NETBACK_GSO6;
	null->outside.packet_max = size;
	null->size = size;
	if (size)
		make_packet(null, spec->mac);
	*outside = &null->outside;
	return 0;
}

static void null_close(struct pvr_netback_outside *outside)
{
	free(outside);
}

static int null_connect(struct pvr_netback_outside *outside, unsigned queues, unsigned gives)
{
	(void)outside;
	(void)queues;
	(void)gives;
	return 0;
}

static void null_disconnect(struct pvr_netback_outside *outside)
{
	(void)outside;
}

static int null_write(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	(void)outside;
	(void)queue;
	(void)iov;
	(void)count;
	return 0;
}

static ssize_t null_read(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	const struct null *null = (const struct null *)outside;
	size_t done = 0;

	(void)queue;
	if (!null->size)
		return -EAGAIN;
	memset(iov[0].iov_base, 0, iov[0].iov_len);
	for (int i = 1; i < count && done < null->size; i++) {
		size_t length = null->size - done;

		if (length > iov[i].iov_len)
			length = iov[i].iov_len;
		memcpy(iov[i].iov_base, null->packet + done, length);
		done += length;
	}
	return (ssize_t)(iov[0].iov_len + null->size);
}

static int null_ready(struct pvr_netback_outside *outside, unsigned queue)
{
	(void)queue;
	return ((const struct null *)outside)->size != 0;
}

const struct pvr_netback_outside_ops pvr_netback_outside_null = {
	.type = "null",
	.open = null_open,
	.close = null_close,
	.connect = null_connect,
	.disconnect = null_disconnect,
	.write = null_write,
	.read = null_read,
	.ready = null_ready,
};
