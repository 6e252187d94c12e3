/* SPDX-License-Identifier: MIT */
/*
 * A device's life. Each step looks at the nodes as they are now and does the one thing that
 * follows, so it does not matter which changes it was told of, nor how often.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <pvring/xenbus.h>

#include "frontend.h"
#include "lent.h"

#define ERRORS_LOGGED 10u /* lines a device; a frontend can fail as often as it likes */
#define STEPS         8u  /* things done before others have their turn */

enum outcome { WAIT, AGAIN, LATER /* when events were taken */, FORGET };

/* What the nodes say now. */
struct view {
	enum xenbus_state own, front;
	int online;
};

struct pvr_back_device *pvr_back_device_create(
	struct pvr_back_home *home, unsigned domid, unsigned devid)
{
	struct pvr_back_device *device = calloc(1, home->kind->size);

	if (!device)
		return NULL;
	device->home = home;
	device->domid = domid;
	device->devid = devid;
	device->self = XenbusStateUnknown;
	snprintf(device->path, sizeof(device->path), "%s/%u/%u", home->root, domid, devid);
	return device;
}

void pvr_back_device_destroy(struct pvr_back_device *device)
{
	pvr_back_lent_destroy(device);
	device->home->kind->destroy(device);
	free(device);
}

void pvr_back_device_complain(struct pvr_back_device *device, const char *format, ...)
{
	char line[PVR_BACK_LINE];
	va_list list;

	if (device->errors >= ERRORS_LOGGED)
		return;
	device->errors++;
	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	fprintf(stderr, "pvring %s: %s %u/%u: %s%s\n", device->home->kind->program,
		device->home->kind->type, device->domid, device->devid, line,
		device->errors == ERRORS_LOGGED ? "; no more is said of this device" : "");
}

/* ---- states ---- */

static enum outcome publish(
	struct pvr_back_device *device, const struct pvr_back_nodes *nodes, enum xenbus_state state)
{
	int result = pvr_back_nodes_publish(device->home->host, device->path,
		nodes ? nodes->node : NULL, nodes ? nodes->count : 0, state);

	/* -ENOENT: the directory has just gone, which the next look will find. */
	if (result && result != -ENOENT)
		pvr_back_device_complain(
			device, "cannot write %s: %s", device->path, strerror(-result));
	if (!result)
		device->self = state;
	return result ? WAIT : AGAIN;
}

/* Something is wrong with this device alone: say so where the toolstack and the frontend look, and
 * close. */
static enum outcome fail(struct pvr_back_device *device, const char *error)
{
	struct pvr_back_nodes nodes = {0};

	pvr_back_device_complain(device, "%s", error);
	pvr_back_nodes_add(&nodes, "error", "%s", error);
	device->closing = 1;
	publish(device, &nodes, XenbusStateClosing);
	return AGAIN;
}

/* ---- the rings ---- */

static void leave_to_frontend(struct pvr_back_device *device, const char *error)
{
	pvr_back_device_complain(device, "not taken over: %s", error);
	device->taking_over = 0;
	device->left = 1;
}

static void rings_settle(struct pvr_back_device *device)
{
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++) {
		const char *error = pvr_back_lent_settle(device, i);

		if (error && device->taking_over && !device->lent[i].ring) {
			leave_to_frontend(device, error);
			continue;
		}
		if (error && !device->closing)
			fail(device, error);
	}
}

/* ---- looking ---- */

/* 0, -ENOENT when the directory is gone, -ECONNRESET. */
static int look(struct pvr_back_device *device, struct view *view)
{
	struct pvr_host *host = device->home->host;
	char text[16];
	uint32_t online = 1;
	int result = pvr_back_node_text(host, device->path, "state", text, sizeof(text));

	if (result == -ENOENT || result == -ECONNRESET)
		return result;
	view->own = pvr_back_state_read(host, device->path);
	view->front = device->frontend[0] ? pvr_back_state_read(host, device->frontend)
					  : XenbusStateUnknown;
	/* Missing as in hand-made devices: somebody wants it, or it would not be there. */
	if (pvr_back_node_number(host, device->path, "online", 1, &online))
		online = 1;
	view->online = (int)online;
	if (view->front != XenbusStateConnected)
		device->fresh = 1;
	return 0;
}

/* ---- the handshake ---- */

/* It cannot be served as the toolstack described it; only the toolstack can change that, by making
 * it anew. */
static enum outcome refuse(struct pvr_back_device *device, const char *error)
{
	struct pvr_back_nodes nodes = {0};

	if (!device->home->quiet)
		pvr_back_device_complain(device, "%s", error);
	pvr_back_nodes_add(&nodes, "hotplug-status", "error");
	pvr_back_nodes_add(&nodes, "hotplug-error", "%s", error);
	pvr_back_nodes_add(&nodes, "error", "%s", error);
	device->useless = 1;
	publish(device, &nodes, XenbusStateClosed);
	return WAIT;
}

static enum outcome prepare(struct pvr_back_device *device)
{
	struct pvr_back_nodes nodes = {0};
	char error[PVR_BACK_LINE];

	if (!device->frontend[0] && pvr_back_frontend_find(device))
		return refuse(device, "frontend or frontend-id: missing, or not that domain's own");
	if (device->home->kind->front_jumps && !device->front_events)
		return WAIT;
	if (device->home->kind->prepare(device, &nodes, error))
		return refuse(device, error);
	device->reconfiguring = device->taking_over = device->left = device->asked_again = 0;
	if (getrandom(&device->serving, sizeof(device->serving), 0) != sizeof(device->serving))
		return refuse(device, "no random numbers");
	pvr_back_nodes_add(&nodes, "journal", "%016" PRIx64, device->serving);
	pvr_back_nodes_add(&nodes, "hotplug-status", "connected");
	/* Asked before it can answer us: what is Connected now is so to somebody else. */
	device->fresh = pvr_back_state_read(device->home->host, device->frontend) !=
			XenbusStateConnected;
	device->front_events = 1;
	return publish(device, &nodes, XenbusStateInitWait);
}

/* What was read may have been written a moment ago, and its event wait behind the answer: 1 when asked a second time. */
static int events_counted(struct pvr_back_device *device)
{
	device->asked_again = !device->asked_again;
	return !device->asked_again;
}

static enum outcome connect_rings(struct pvr_back_device *device)
{
	const char *error;

	device->offer_events = device->front_events;
	error = device->home->kind->offer(device);

	return error ? fail(device, error) : WAIT;
}

/* The rings are live. Frontends read the device's facts once we are Connected, and not before. */
static enum outcome announce(struct pvr_back_device *device)
{
	struct pvr_back_nodes nodes = {0};

	if (device->home->kind->announce)
		device->home->kind->announce(device, &nodes);
	return publish(device, &nodes,
		device->reconfiguring ? XenbusStateReconfigured : XenbusStateConnected);
}

/*
 * The workers map the rings. A frontend that lost patience may offer others by now, which can have the numbers of the
 * old ones: what tells is that its state was written since the offer was read. Those are given back, and it is read again.
 */
static enum outcome join_rings(struct pvr_back_device *device, const struct view *view)
{
	if (device->front_events != device->offer_events ||
		pvr_xenbus_back_next(XenbusStateInitWait, view->front, view->online) !=
			PVR_XENBUS_CONNECT)
		return pvr_back_lent_returned(device) ? AGAIN : WAIT;
	if (!pvr_back_lent_live(device))
		return WAIT;
	return events_counted(device) ? announce(device) : LATER;
}

/* ---- after another's death ---- */

static int read_serving(struct pvr_back_device *device)
{
	char text[24], *end;

	if (pvr_back_node_text(
		    device->home->host, device->path, "journal", text, sizeof(text)) != 16)
		return -ENOENT;
	device->serving = strtoull(text, &end, 16);
	return *end ? -EINVAL : 0;
}

/*
 * Both are Connected, but nobody serves: the backend died, and a frontend that has not noticed
 * (Linux's never do) still fills the rings. They are mapped again and served on from where their
 * journals have them, without a word to the frontend. 1 when that has begun; otherwise the frontend
 * has to offer new rings.
 */
static int take_over(struct pvr_back_device *device, const struct view *view)
{
	struct pvr_back_nodes nodes = {0};
	char error[PVR_BACK_LINE];
	const char *missing;

	if (view->own != XenbusStateConnected || pvr_back_frontend_find(device) ||
		pvr_back_state_read(device->home->host, device->frontend) != XenbusStateConnected)
		return 0;
	if (read_serving(device) || device->home->kind->prepare(device, &nodes, error))
		return 0;
	device->taking_over = 1;
	missing = device->home->kind->offer(device);
	if (missing) {
		leave_to_frontend(device, missing);
		device->left = 0; /* nothing was begun */
		return 0;
	}
	device->self = XenbusStateConnected;
	return 1;
}

/* Every ring is served again. */
static enum outcome taken_over(struct pvr_back_device *device)
{
	device->taking_over = 0;
	if (!device->home->quiet)
		fprintf(stderr, "pvring %s: %s %u/%u: taken over, %u done again\n",
			device->home->kind->program, device->home->kind->type, device->domid,
			device->devid, pvr_back_lent_rewound(device));
	return device->home->kind->outdated && device->home->kind->outdated(device)
		       ? announce(device)
		       : AGAIN;
}

/* What could not be taken over is let go, and the handshake begins anew. */
static enum outcome begin_anew(struct pvr_back_device *device)
{
	if (!pvr_back_lent_returned(device))
		return WAIT;
	device->left = 0;
	device->self = XenbusStateInitialising;
	return AGAIN;
}

/* ---- a step ---- */

/*
 * The toolstack, too, writes our state: 1 when it makes the device anew, 5 when it wants it closed.
 */
static int adopt_state(struct pvr_back_device *device, const struct view *view)
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
		if (!pvr_back_lent_returned(device))
			return 0;
		pvr_back_frontend_lose(device);
		device->home->kind->closed(device, 1);
		device->closing = device->useless = 0;
		device->self = XenbusStateInitialising;
		return 1;
	}
	if (view->own != XenbusStateClosing)
		return 1;
	if (device->self == XenbusStateClosed) {
		publish(device, NULL, XenbusStateClosed); /* it is already: say so again */
		return 0;
	}
	device->self = XenbusStateClosing;
	return 1;
}

/*
 * Closed follows when the frontend is, as Linux's backends have it: one that is Closing waits for our Closing, which
 * Closed on its heels would hide from it. Linux's shutdown then waits in vain, five seconds a device.
 */
static enum outcome finish_closing(struct pvr_back_device *device, const struct view *view)
{
	if (!pvr_back_lent_returned(device) || view->front == XenbusStateClosing)
		return WAIT;
	device->home->kind->closed(device, 0);
	device->closing = 0;
	return publish(device, NULL, XenbusStateClosed);
}

static enum outcome start_closing(struct pvr_back_device *device)
{
	device->closing = 1;
	return device->self == XenbusStateClosing ? AGAIN
						  : publish(device, NULL, XenbusStateClosing);
}

/*
 * A frontend that is Connected still uses the rings of a backend that died, which could not be
 * taken over: answers have overwritten requests out of order, and it has to offer new ones. Where
 * that is said by Connected too, it must have been seen in another state, or its state must have
 * been written again since we are InitWait: it can have gone back and forth faster than we look.
 */
static int offers(const struct pvr_back_device *device, enum xenbus_state front)
{
	if (front == XenbusStateInitialised)
		return 1;
	return device->home->kind->front_jumps && (device->fresh || device->front_events > 1);
}

/*
 * The frontend has changed its mind (Linux's netfront, when it wants headroom for XDP): it waits
 * for Reconfigured and says Connected then, and so do we. Rings that were given back in order are as
 * good as new.
 */
static enum outcome reconfigure(struct pvr_back_device *device)
{
	device->reconfiguring = 1; /* also if it changes its mind again while they are drained */
	if (!pvr_back_lent_returned(device))
		return WAIT;
	device->self = XenbusStateInitWait;
	return connect_rings(device);
}

static enum outcome reconfigured(struct pvr_back_device *device)
{
	device->reconfiguring = 0;
	return publish(device, NULL, XenbusStateConnected);
}

static enum outcome act(struct pvr_back_device *device, const struct view *view)
{
	if (device->home->kind->front_jumps && device->self == XenbusStateConnected &&
		(view->front == XenbusStateReconfiguring || device->reconfiguring))
		return reconfigure(device);
	if (device->self == XenbusStateReconfigured && view->front == XenbusStateConnected)
		return reconfigured(device);
	switch (pvr_xenbus_back_next(device->self, view->front, view->online)) {
	case PVR_XENBUS_PREPARE:
		return prepare(device);
	case PVR_XENBUS_CONNECT:
		if (!offers(device, view->front))
			return WAIT;
		return events_counted(device) ? connect_rings(device) : LATER;
	case PVR_XENBUS_CLOSE:
		return start_closing(device);
	case PVR_XENBUS_RESTART:
		if (!pvr_back_lent_returned(device))
			return WAIT;
		device->self = XenbusStateInitialising;
		return AGAIN;
	default:
		return WAIT;
	}
}

static enum outcome stop(struct pvr_back_device *device)
{
	if (!pvr_back_lent_returned(device))
		return WAIT;
	if (device->self != XenbusStateUnknown && device->self != XenbusStateClosed)
		publish(device, NULL, XenbusStateClosed);
	device->ended = 1;
	return WAIT;
}

static enum outcome step(struct pvr_back_device *device, int *error)
{
	struct view view;

	rings_settle(device);
	*error = look(device, &view);
	if (*error) {
		if (!pvr_back_lent_returned(device))
			return WAIT;
		pvr_back_frontend_lose(device);
		return FORGET;
	}
	if (device->home->stopping)
		return stop(device);
	if (device->self == XenbusStateUnknown && take_over(device, &view))
		return AGAIN;
	if (!adopt_state(device, &view))
		return WAIT;
	if (device->closing)
		return finish_closing(device, &view);
	if (device->useless)
		return WAIT;
	if (device->left)
		return begin_anew(device);
	if (device->taking_over && pvr_back_lent_live(device))
		return taken_over(device);
	if (pvr_back_lent_any(device) && device->self == XenbusStateInitWait)
		return join_rings(device, &view);
	switch (device->home->kind->look ? device->home->kind->look(device) : PVR_BACK_SAME) {
	case PVR_BACK_ANNOUNCE:
		return device->self == XenbusStateConnected ? announce(device) : AGAIN;
	case PVR_BACK_CHANGED:
		return AGAIN;
	default:
		return act(device, &view);
	}
}

int pvr_back_device_step(struct pvr_back_device *device)
{
	enum outcome outcome = AGAIN;
	int error;

	for (unsigned i = 0; outcome == AGAIN && i < STEPS; i++)
		outcome = step(device, &error);
	if (outcome == FORGET)
		return error == -ECONNRESET ? error : 1;
	device->dirty = outcome == AGAIN || outcome == LATER;
	return 0;
}
