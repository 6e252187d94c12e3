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

#include "configure.h"
#include "features.h"

#define ERRORS_LOGGED 10u /* lines a device; a frontend can fail as often as it likes */
#define STEPS         8u  /* things done before others have their turn */

enum outcome { WAIT, AGAIN, FORGET };

/* What the nodes say now. */
struct view {
	enum xenbus_state own, front;
	int online, resize;
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
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++)
		pvr_blkback_ring_destroy(device->lent[i].ring);
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

/* ---- the rings ---- */

static int ring_state(const struct pvr_blkback_ring *ring)
{
	return atomic_load_explicit(&ring->state, memory_order_acquire);
}

static int has_rings(const struct pvr_blkback_device *device)
{
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++)
		if (device->lent[i].ring)
			return 1;
	return 0;
}

static int rings_live(const struct pvr_blkback_device *device)
{
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++)
		if (device->lent[i].ring && ring_state(device->lent[i].ring) != PVR_BLKBACK_LIVE)
			return 0;
	return 1;
}

/* 1 when no worker has a ring of this device any more; otherwise they are asked and will wake us.
 */
static int rings_released(struct pvr_blkback_device *device)
{
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++) {
		struct pvr_blkback_ring *ring = device->lent[i].ring;

		if (ring && !atomic_load_explicit(&ring->leave, memory_order_relaxed))
			pvr_blkback_worker_remove(device->lent[i].worker, ring);
	}
	return !has_rings(device);
}

/* What its worker has made of a ring since the last look; an error that ends the connection, or
 * NULL. */
static const char *ring_settle(struct pvr_blkback_ring **ring)
{
	int state = ring_state(*ring);
	const char *error = NULL;

	if (state == PVR_BLKBACK_FAILED || state == PVR_BLKBACK_BROKEN)
		error = (*ring)->error;
	if (state == PVR_BLKBACK_FAILED || state == PVR_BLKBACK_GONE) {
		pvr_blkback_ring_destroy(*ring);
		*ring = NULL;
	}
	return error;
}

static void rings_settle(struct pvr_blkback_device *device)
{
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++) {
		const char *error =
			device->lent[i].ring ? ring_settle(&device->lent[i].ring) : NULL;

		if (error && !device->closing)
			fail(device, error);
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
	result = pvr_blkback_node_text(host, device->path, "resize", text, sizeof(text));
	view->resize = result >= 0 || result == -E2BIG;
	return 0;
}

/* ---- the handshake ---- */

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
		{.name = "multi-queue-max-queues"},
		{.name = "hotplug-status", .value = "connected"},
	};
	char error[PVR_BLKBACK_LINE];

	if (!device->frontend[0] && find_frontend(device))
		return refuse(device, "frontend or frontend-id: missing, or not that domain's own");
	if (pvr_blkback_device_configure(device, error))
		return refuse(device, error);
	if (!device->stats)
		device->stats =
			pvr_blkback_stats_open(device->home->dir, device->domid, device->devid);
	if (!device->stats)
		return refuse(device, "no memory");
	snprintf(nodes[0].value, sizeof(nodes[0].value), "%u", PVR_BLKBACK_ORDER_MAX);
	snprintf(nodes[1].value, sizeof(nodes[1].value), "%u", PVR_BLKBACK_PAGES_MAX);
	snprintf(nodes[2].value, sizeof(nodes[2].value), "%u", device->queues);
	return publish(device, nodes, 4, XenbusStateInitWait);
}

/* Each ring to the next worker in turn, so that one device's are spread over all. */
static int lend_ring(
	struct pvr_blkback_device *device, unsigned i, const struct pvr_blkback_offer *offer)
{
	struct pvr_blkback_home *home = device->home;
	struct pvr_blkback_limits *limits = &device->limits;
	int limited = limits->requests.per_second || limits->bytes.per_second;
	struct pvr_blkback_ring *ring = pvr_blkback_ring_create(
		offer, device->disk, device->stats, limited ? limits : NULL);
	struct pvr_blkback_worker *worker;

	if (!ring)
		return -ENOMEM;
	if (i > 0 && device->disk->single_worker)
		worker = device->lent[0].worker;
	else
		worker = home->workers[home->next_worker++ % home->worker_count];
	device->lent[i].ring = ring;
	device->lent[i].worker = worker;
	pvr_blkback_worker_add(worker, ring);
	return 0;
}

static enum outcome connect_rings(struct pvr_blkback_device *device)
{
	struct pvr_blkback_offer offers[PVR_BLKBACK_QUEUES_MAX];
	unsigned count;
	const char *error = pvr_blkback_offer_read(device->home->host, device->frontend,
		(domid_t)device->domid, device->queues, offers, &count);

	if (error)
		return fail(device, error);
	for (unsigned i = 0; i < count; i++)
		if (lend_ring(device, i, &offers[i]))
			return fail(device, "no memory for its rings");
	return WAIT;
}

/* The rings are live. Frontends read the disk's facts once we are Connected, and not before. */
static enum outcome announce(struct pvr_blkback_device *device)
{
	struct pvr_blkback_node nodes[PVR_BLKBACK_FEATURES];
	unsigned count = pvr_blkback_features(device->disk, nodes);

	return publish(device, nodes, count, XenbusStateConnected);
}

/* ---- resizing ---- */

/*
 * The toolstack has written node `resize`: the image may have grown or shrunk. The rings learn it
 * before the frontend does, which looks again when it sees our state written anew. Only the control
 * thread looks at facts.sectors; a ring has its own.
 */
static enum outcome resize(struct pvr_blkback_device *device)
{
	uint64_t sectors;
	char path[96];

	snprintf(path, sizeof(path), "%s/resize", device->path);
	if (pvr_host_store_rm(device->home->host, 0, path))
		return WAIT;
	if (!device->disk)
		return AGAIN; /* it is measured when it is opened */
	sectors = pvr_blkback_disk_measure(device->disk);
	if (!sectors) {
		complain(device, "resize: the image has no size now");
		return AGAIN;
	}
	if (sectors == device->disk->facts.sectors)
		return AGAIN;
	device->disk->facts.sectors = sectors;
	for (unsigned i = 0; i < PVR_BLKBACK_QUEUES_MAX; i++)
		if (device->lent[i].ring)
			atomic_store_explicit(
				&device->lent[i].ring->sectors, sectors, memory_order_relaxed);
	return device->self == XenbusStateConnected ? announce(device) : AGAIN;
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
		if (!rings_released(device))
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
	if (!rings_released(device))
		return WAIT;
	/* A file may be another by the time the frontend comes back; memory must still be the same. */
	if (device->disk && device->disk->kind != PVR_BLKBACK_MEM) {
		pvr_blkback_disk_close(device->disk);
		device->disk = NULL;
	}
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
		return view->front == XenbusStateInitialised ? connect_rings(device) : WAIT;
	case PVR_XENBUS_CLOSE:
		return start_closing(device);
	case PVR_XENBUS_RESTART:
		if (!rings_released(device))
			return WAIT;
		device->self = XenbusStateInitialising;
		return AGAIN;
	default:
		return WAIT;
	}
}

static enum outcome stop(struct pvr_blkback_device *device)
{
	if (!rings_released(device))
		return WAIT;
	if (device->self != XenbusStateUnknown && device->self != XenbusStateClosed)
		publish(device, NULL, 0, XenbusStateClosed);
	device->ended = 1;
	return WAIT;
}

static enum outcome step(struct pvr_blkback_device *device, int *error)
{
	struct view view;

	rings_settle(device);
	*error = look(device, &view);
	if (*error) {
		if (!rings_released(device))
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
	if (has_rings(device) && device->self == XenbusStateInitWait)
		return rings_live(device) ? announce(device) : WAIT;
	if (view.resize)
		return resize(device);
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
