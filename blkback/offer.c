/* SPDX-License-Identifier: MIT */
/*
 * Reads a frontend's nodes. One queue's stand in the frontend's directory itself, those of several
 * in queue-0 and so on below it; protocol and ring-page-order are common to all (io/blkif.h).
 */
#include "offer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../backend/nodes.h"

#define PORT_MAX   131071u
#define PATH_BYTES 160

/* Grant references of a ring: one by either of its two names, or several by number. */
static int read_refs(struct pvr_host *host, const char *directory, struct pvr_blkback_offer *offer)
{
	int result;

	if (offer->pages == 1) {
		result = pvr_back_node_number(
			host, directory, "ring-ref", UINT32_MAX, &offer->refs[0]);
		if (result != -ENOENT)
			return result;
	}
	for (unsigned i = 0; i < offer->pages; i++) {
		char name[24];

		snprintf(name, sizeof(name), "ring-ref%u", i);
		result =
			pvr_back_node_number(host, directory, name, UINT32_MAX, &offer->refs[i]);
		if (result)
			return result;
	}
	return 0;
}

static const char *read_queue(
	struct pvr_host *host, const char *directory, struct pvr_blkback_offer *offer)
{
	if (read_refs(host, directory, offer))
		return "ring-ref: missing or not a number";
	if (pvr_back_node_number(host, directory, "event-channel", PORT_MAX, &offer->port))
		return "event-channel: missing or not a port";
	return NULL;
}

/* What all of its queues share. */
static const char *read_common(
	struct pvr_host *host, const char *frontend, struct pvr_blkback_offer *offer)
{
	char protocol[16];
	uint32_t order = 0, persistent = 0;
	int result = pvr_back_node_text(host, frontend, "protocol", protocol, sizeof(protocol));

	if ((result < 0 && result != -ENOENT) ||
		pvr_blkback_abi_by_name(result < 0 ? NULL : protocol, &offer->abi))
		return "protocol: not one of x86_64-abi, x86_32-abi, arm-abi";
	result = pvr_back_node_number(
		host, frontend, "ring-page-order", PVR_BLKBACK_ORDER_MAX, &order);
	if (result && result != -ENOENT)
		return "ring-page-order: over its maximum or not a number";
	offer->pages = 1u << order;
	/* What it says wrongly here it has not said. */
	if (!pvr_back_node_number(host, frontend, "feature-persistent", 1, &persistent))
		offer->persistent = (int)persistent;
	return NULL;
}

const char *pvr_blkback_offer_read(struct pvr_host *host, const char *frontend, domid_t domid,
	unsigned queues_max, struct pvr_blkback_offer offers[PVR_BLKBACK_QUEUES_MAX],
	unsigned *count)
{
	struct pvr_blkback_offer common = {.domid = domid};
	const char *error = read_common(host, frontend, &common);
	uint32_t queues = 1;
	int result = pvr_back_node_number(
		host, frontend, "multi-queue-num-queues", queues_max, &queues);

	if (error)
		return error;
	if ((result && result != -ENOENT) || queues == 0)
		return "multi-queue-num-queues: none, or more queues than were offered";
	*count = queues;
	for (unsigned i = 0; i < queues && !error; i++) {
		char path[PATH_BYTES];

		offers[i] = common;
		offers[i].queue = i;
		snprintf(path, sizeof(path), queues > 1 ? "%s/queue-%u" : "%s", frontend, i);
		error = read_queue(host, path, &offers[i]);
	}
	return error;
}
