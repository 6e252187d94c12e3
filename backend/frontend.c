/* SPDX-License-Identifier: MIT */
/* Finds the frontend of a device, and watches it. See frontend.h. */
#include "frontend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Watch its nodes, or do so no more: 0, or the first error. */
static int watch_frontend(struct pvr_back_device *device,
	int (*watch)(struct pvr_host *host, const char *path, const char *token))
{
	static const char *const none[] = {NULL};
	const char *const *more = device->home->kind->front_watched;
	const char *name = "state";
	char token[32], path[160];
	int result = 0;

	snprintf(token, sizeof(token), "f/%u/%u", device->domid, device->devid);
	for (more = more ? more : none; name; name = *more++) {
		int one;

		snprintf(path, sizeof(path), "%s/%s", device->frontend, name);
		one = watch(device->home->host, path, token);
		result = result ? result : one;
	}
	return result;
}

void pvr_back_frontend_lose(struct pvr_back_device *device)
{
	if (device->frontend[0])
		watch_frontend(device, pvr_host_store_unwatch);
	device->frontend[0] = '\0';
	device->front_events = 0;
}

/*
 * The frontend's directory. The node is the toolstack's, but a toolstack has been talked into
 * writing what a guest chose (XSA-175): nothing outside of that guest's own tree is read or
 * watched.
 */
int pvr_back_frontend_find(struct pvr_back_device *device)
{
	struct pvr_host *host = device->home->host;
	char prefix[32];
	uint32_t domid;
	int result = pvr_back_node_number(
		host, device->path, "frontend-id", DOMID_FIRST_RESERVED - 1, &domid);

	if (!result && domid != device->domid)
		result = -EINVAL;
	if (!result)
		result = pvr_back_node_text(
			host, device->path, "frontend", device->frontend, sizeof(device->frontend));
	snprintf(prefix, sizeof(prefix), "/local/domain/%u/", device->domid);
	if (result >= 0 && (strncmp(device->frontend, prefix, strlen(prefix)) ||
				   strstr(device->frontend, "//")))
		result = -EINVAL;
	if (result < 0) {
		device->frontend[0] = '\0';
		return result;
	}
	result = watch_frontend(device, pvr_host_store_watch);
	if (result)
		pvr_back_frontend_lose(device);
	return result;
}

enum xenbus_state pvr_back_state_read(struct pvr_host *host, const char *directory)
{
	uint32_t state;

	if (pvr_back_node_number(host, directory, "state", XenbusStateReconfigured, &state))
		return XenbusStateUnknown;
	return (enum xenbus_state)state;
}
