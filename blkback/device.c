/* SPDX-License-Identifier: MIT */
/*
 * A device's life. Each step looks at the nodes as they are now and does the one thing that
 * follows, so it does not matter which changes it was told of, nor how often.
 */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/xenbus.h>

#include "features.h"

#define ERRORS_LOGGED 10u /* lines a device; a frontend can fail as often as it likes */
#define PORT_MAX      131071u
#define STEPS         8u /* things done before others have their turn */

enum outcome { WAIT, AGAIN, FORGET };

/* What the nodes say now. */
struct view {
	enum xenbus_state own, front;
	int online;
};

struct pvr_blkback_device *pvr_blkback_device_create(
	struct pvr_blkback_home *home, unsigned domid, unsigned devid)
{
	struct pvr_blkback_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->home = home;
	device->domid = domid;
	device->devid = devid;
	device->self = XenbusStateUnknown;
	snprintf(device->path, sizeof(device->path), PVR_BLKBACK_ROOT "/%u/%u", domid, devid);
	return device;
}

void pvr_blkback_device_destroy(struct pvr_blkback_device *device)
{
	pvr_blkback_disk_close(device->disk);
	pvr_blkback_stats_close(device->stats, device->home->dir);
	free(device);
}

__attribute__((format(printf, 2, 3))) static void complain(
	struct pvr_blkback_device *device, const char *format, ...)
{
	char line[PVR_BLKBACK_LINE];
	va_list list;

	if (device->errors >= ERRORS_LOGGED)
		return;
	device->errors++;
	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	fprintf(stderr, "pvring blkback: vbd %u/%u: %s%s\n", device->domid, device->devid, line,
		device->errors == ERRORS_LOGGED ? "; no more is said of this device" : "");
}

/* ---- states ---- */

static enum outcome publish(struct pvr_blkback_device *device, const struct pvr_blkback_node *nodes,
	unsigned count, enum xenbus_state state)
{
	int result =
		pvr_blkback_nodes_publish(device->home->host, device->path, nodes, count, state);

	/* -ENOENT: the directory has just gone, which the next look will find. */
	if (result && result != -ENOENT)
		complain(device, "cannot write %s: %s", device->path, strerror(-result));
	if (!result)
		device->self = state;
	return result ? WAIT : AGAIN;
}

/* Something is wrong with this device alone: say so where the toolstack and the frontend look, and
 * close. */
static enum outcome fail(struct pvr_blkback_device *device, const char *error)
{
	struct pvr_blkback_node node = {.name = "error"};

	complain(device, "%s", error);
	snprintf(node.value, sizeof(node.value), "%s", error);
	device->closing = 1;
	publish(device, &node, 1, XenbusStateClosing);
	return AGAIN;
}

/* ---- the ring ---- */

static int ring_state(const struct pvr_blkback_device *device)
{
	return atomic_load_explicit(&device->ring->state, memory_order_acquire);
}

static void ring_forget(struct pvr_blkback_device *device)
{
	pvr_blkback_ring_destroy(device->ring);
	device->ring = NULL;
}

/* 1 when no worker has a ring of this device any more; otherwise the worker is asked and will wake
 * us. */
static int ring_released(struct pvr_blkback_device *device)
{
	if (!device->ring)
		return 1;
	if (!atomic_load_explicit(&device->ring->leave, memory_order_relaxed))
		pvr_blkback_worker_remove(device->worker, device->ring);
	return 0;
}

/* What the worker has made of the ring since the last look. */
static void ring_settle(struct pvr_blkback_device *device)
{
	const char *error;

	if (!device->ring)
		return;
	switch (ring_state(device)) {
	case PVR_BLKBACK_FAILED:
		error = device->ring->error;
		ring_forget(device);
		if (!device->closing)
			fail(device, error);
		break;
	case PVR_BLKBACK_BROKEN:
		if (!device->closing)
			fail(device, device->ring->error);
		break;
	case PVR_BLKBACK_GONE:
		ring_forget(device);
		break;
	default:
		break;
	}
}

/* ---- looking ---- */

/*
 * The frontend's directory. The node is the toolstack's, but a toolstack has been talked into
 * writing what a guest chose (XSA-175): nothing outside of that guest's own tree is read or
 * watched.
 */
static int find_frontend(struct pvr_blkback_device *device)
{
	struct pvr_host *host = device->home->host;
	char prefix[32], token[32], path[160];
	uint32_t domid;
	int result = pvr_blkback_node_number(
		host, device->path, "frontend-id", DOMID_FIRST_RESERVED - 1, &domid);

	if (!result && domid != device->domid)
		result = -EINVAL;
	if (!result)
		result = pvr_blkback_node_text(
			host, device->path, "frontend", device->frontend, sizeof(device->frontend));
	snprintf(prefix, sizeof(prefix), "/local/domain/%u/", device->domid);
	if (result >= 0 && (strncmp(device->frontend, prefix, strlen(prefix)) ||
				   strstr(device->frontend, "//")))
		result = -EINVAL;
	if (result < 0) {
		device->frontend[0] = '\0';
		return result;
	}
	snprintf(path, sizeof(path), "%s/state", device->frontend);
	snprintf(token, sizeof(token), "f/%u/%u", device->domid, device->devid);
	result = pvr_host_store_watch(host, path, token);
	if (result)
		device->frontend[0] = '\0';
	return result;
}

static void lose_frontend(struct pvr_blkback_device *device)
{
	char token[32], path[160];

	if (!device->frontend[0])
		return;
	snprintf(path, sizeof(path), "%s/state", device->frontend);
	snprintf(token, sizeof(token), "f/%u/%u", device->domid, device->devid);
	pvr_host_store_unwatch(device->home->host, path, token);
	device->frontend[0] = '\0';
}

static enum xenbus_state read_state(struct pvr_host *host, const char *directory)
{
	uint32_t state;

	if (pvr_blkback_node_number(host, directory, "state", XenbusStateReconfigured, &state))
		return XenbusStateUnknown;
	return (enum xenbus_state)state;
}

/* 0, -ENOENT when the directory is gone, -ECONNRESET. */
static int look(struct pvr_blkback_device *device, struct view *view)
{
	struct pvr_host *host = device->home->host;
	char text[16];
	uint32_t online = 1;
	int result = pvr_blkback_node_text(host, device->path, "state", text, sizeof(text));

	if (result == -ENOENT || result == -ECONNRESET)
		return result;
	view->own = read_state(host, device->path);
	view->front = device->frontend[0] ? read_state(host, device->frontend) : XenbusStateUnknown;
	/* Missing as in hand-made devices: somebody wants it, or it would not be there. */
	if (pvr_blkback_node_number(host, device->path, "online", 1, &online))
		online = 1;
	view->online = (int)online;
	return 0;
}

/* ---- the handshake ---- */

static const char *read_optional(
	struct pvr_blkback_device *device, const char *name, char *value, size_t size)
{
	int length = pvr_blkback_node_text(device->home->host, device->path, name, value, size);

	return length < 0 ? NULL : value;
}

static int open_disk(struct pvr_blkback_device *device, char error[PVR_BLKBACK_LINE])
{
	char type[16], params[1024], mode[8], direct[8], engine[16];
	struct pvr_blkback_spec spec = {
		.type = read_optional(device, "type", type, sizeof(type)),
		.params = read_optional(device, "params", params, sizeof(params)),
		.mode = read_optional(device, "mode", mode, sizeof(mode)),
		.direct = read_optional(device, "direct", direct, sizeof(direct)),
		.engine = read_optional(device, "engine", engine, sizeof(engine)),
	};

	return pvr_blkback_disk_open(&spec, &device->disk, error);
}

/* It cannot be served as the toolstack described it; only the toolstack can change that, by making
 * it anew. */
static enum outcome refuse(struct pvr_blkback_device *device, const char *error)
{
	struct pvr_blkback_node nodes[] = {
		{.name = "hotplug-status", .value = "error"},
		{.name = "hotplug-error"},
		{.name = "error"},
	};

	if (!device->home->quiet)
		complain(device, "%s", error);
	snprintf(nodes[1].value, sizeof(nodes[1].value), "%s", error);
	snprintf(nodes[2].value, sizeof(nodes[2].value), "%s", error);
	device->useless = 1;
	publish(device, nodes, 3, XenbusStateClosed);
	return WAIT;
}

static enum outcome prepare(struct pvr_blkback_device *device)
{
	struct pvr_blkback_node nodes[] = {
		{.name = "max-ring-page-order"},
		{.name = "max-ring-pages"}, /* the same, as others spell it */
		{.name = "hotplug-status", .value = "connected"},
	};
	char error[PVR_BLKBACK_LINE];

	if (!device->frontend[0] && find_frontend(device))
		return refuse(device, "frontend or frontend-id: missing, or not that domain's own");
	if (!device->disk && open_disk(device, error))
		return refuse(device, error);
	if (!device->stats)
		device->stats =
			pvr_blkback_stats_open(device->home->dir, device->domid, device->devid);
	if (!device->stats)
		return refuse(device, "no memory");
	snprintf(nodes[0].value, sizeof(nodes[0].value), "%u", PVR_BLKBACK_ORDER_MAX);
	snprintf(nodes[1].value, sizeof(nodes[1].value), "%u", PVR_BLKBACK_PAGES_MAX);
	return publish(device, nodes, 3, XenbusStateInitWait);
}

/* Grant references of the ring: one by either of its two names, or several by number. */
static int read_refs(struct pvr_blkback_device *device, struct pvr_blkback_offer *offer)
{
	struct pvr_host *host = device->home->host;
	uint32_t order = 0;
	int result = pvr_blkback_node_number(
		host, device->frontend, "ring-page-order", PVR_BLKBACK_ORDER_MAX, &order);

	if (result && result != -ENOENT)
		return result;
	offer->pages = 1u << order;
	if (order == 0) {
		result = pvr_blkback_node_number(
			host, device->frontend, "ring-ref", UINT32_MAX, &offer->refs[0]);
		if (result != -ENOENT)
			return result;
	}
	for (unsigned i = 0; i < offer->pages; i++) {
		char name[24];

		snprintf(name, sizeof(name), "ring-ref%u", i);
		result = pvr_blkback_node_number(
			host, device->frontend, name, UINT32_MAX, &offer->refs[i]);
		if (result)
			return result;
	}
	return 0;
}

/* NULL, or what is wrong with what the frontend offers. */
static const char *read_offer(struct pvr_blkback_device *device, struct pvr_blkback_offer *offer)
{
	struct pvr_host *host = device->home->host;
	char protocol[16];
	int result = pvr_blkback_node_text(
		host, device->frontend, "protocol", protocol, sizeof(protocol));
	uint32_t queues;

	memset(offer, 0, sizeof(*offer));
	offer->domid = (domid_t)device->domid;
	if (result < 0 && result != -ENOENT)
		return "protocol: not one of x86_64-abi, x86_32-abi, arm-abi";
	if (pvr_blkback_abi_by_name(result < 0 ? NULL : protocol, &offer->abi))
		return "protocol: not one of x86_64-abi, x86_32-abi, arm-abi";
	result = pvr_blkback_node_number(
		host, device->frontend, "multi-queue-num-queues", 1, &queues);
	if (result != -ENOENT && (result || queues != 1))
		return "multi-queue-num-queues: more queues than were offered";
	if (read_refs(device, offer))
		return "ring-ref: missing or not a number, or ring-page-order over its maximum";
	if (pvr_blkback_node_number(
		    host, device->frontend, "event-channel", PORT_MAX, &offer->port))
		return "event-channel: missing or not a port";
	return NULL;
}

static enum outcome connect_ring(struct pvr_blkback_device *device)
{
	struct pvr_blkback_home *home = device->home;
	struct pvr_blkback_offer offer;
	const char *error = read_offer(device, &offer);

	if (error)
		return fail(device, error);
	device->ring = pvr_blkback_ring_create(&offer, device->disk, device->stats);
	if (!device->ring)
		return fail(device, "no memory for its ring");
	device->worker = home->workers[home->next_worker++ % home->worker_count];
	pvr_blkback_worker_add(device->worker, device->ring);
	return WAIT;
}

/* The ring is live. Frontends read the disk's facts once we are Connected, and not before. */
static enum outcome announce(struct pvr_blkback_device *device)
{
	struct pvr_blkback_node nodes[PVR_BLKBACK_FEATURES];
	unsigned count = pvr_blkback_features(device->disk, nodes);

	return publish(device, nodes, count, XenbusStateConnected);
}

/* ---- a step ---- */

/*
 * The toolstack, too, writes our state: 1 when it makes the device anew, 5 when it wants it closed.
 */
static int adopt_state(struct pvr_blkback_device *device, const struct view *view)
{
	if (device->self == XenbusStateUnknown) {
		/* Just found. What an earlier backend left there is not ours; Closed and not wanted
		 * is. */
		device->self = view->own == XenbusStateClosed && !view->online
				       ? XenbusStateClosed
				       : XenbusStateInitialising;
		return 1;
	}
	if (view->own == XenbusStateInitialising && device->self != XenbusStateInitialising) {
		if (!ring_released(device))
			return 0;
		lose_frontend(device);
		pvr_blkback_disk_close(device->disk);
		device->disk = NULL;
		device->closing = device->useless = 0;
		device->self = XenbusStateInitialising;
		return 1;
	}
	if (view->own != XenbusStateClosing)
		return 1;
	if (device->self == XenbusStateClosed) {
		publish(device, NULL, 0, XenbusStateClosed); /* it is already: say so again */
		return 0;
	}
	device->self = XenbusStateClosing;
	return 1;
}

static enum outcome finish_closing(struct pvr_blkback_device *device)
{
	if (!ring_released(device))
		return WAIT;
	pvr_blkback_disk_close(device->disk);
	device->disk = NULL;
	device->closing = 0;
	return publish(device, NULL, 0, XenbusStateClosed);
}

static enum outcome start_closing(struct pvr_blkback_device *device)
{
	device->closing = 1;
	return device->self == XenbusStateClosing ? AGAIN
						  : publish(device, NULL, 0, XenbusStateClosing);
}

static enum outcome act(struct pvr_blkback_device *device, const struct view *view)
{
	switch (pvr_xenbus_back_next(device->self, view->front, view->online)) {
	case PVR_XENBUS_PREPARE:
		return prepare(device);
	case PVR_XENBUS_CONNECT:
		/*
		 * Only from Initialised. A frontend that is Connected still uses the ring of a
		 * backend that died, where answers have overwritten requests out of order: it has
		 * to offer a new one.
		 */
		return view->front == XenbusStateInitialised ? connect_ring(device) : WAIT;
	case PVR_XENBUS_CLOSE:
		return start_closing(device);
	case PVR_XENBUS_RESTART:
		if (!ring_released(device))
			return WAIT;
		device->self = XenbusStateInitialising;
		return AGAIN;
	default:
		return WAIT;
	}
}

static enum outcome stop(struct pvr_blkback_device *device)
{
	if (!ring_released(device))
		return WAIT;
	if (device->self != XenbusStateUnknown && device->self != XenbusStateClosed)
		publish(device, NULL, 0, XenbusStateClosed);
	device->ended = 1;
	return WAIT;
}

static enum outcome step(struct pvr_blkback_device *device, int *error)
{
	struct view view;

	ring_settle(device);
	*error = look(device, &view);
	if (*error) {
		if (!ring_released(device))
			return WAIT;
		lose_frontend(device);
		return FORGET;
	}
	if (device->home->stopping)
		return stop(device);
	if (!adopt_state(device, &view))
		return WAIT;
	if (device->closing)
		return finish_closing(device);
	if (device->useless)
		return WAIT;
	if (device->ring && device->self == XenbusStateInitWait)
		return ring_state(device) == PVR_BLKBACK_LIVE ? announce(device) : WAIT;
	return act(device, &view);
}

int pvr_blkback_device_step(struct pvr_blkback_device *device)
{
	enum outcome outcome = AGAIN;
	int error;

	for (unsigned i = 0; outcome == AGAIN && i < STEPS; i++)
		outcome = step(device, &error);
	if (outcome == FORGET)
		return error == -ECONNRESET ? error : 1;
	device->dirty = outcome == AGAIN;
	return 0;
}
