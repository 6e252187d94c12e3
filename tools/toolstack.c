/* SPDX-License-Identifier: MIT */
/*
 * What libxl does for a device: its two xenstore directories, written in one transaction, and its
 * orderly end. Node names and permissions are libxl's, so that its tools and ours read the same.
 */
#include "device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <pvring/xen/xenbus.h>
#include <pvring/xenbus.h>

#define TIMEOUT_S 10 /* libxl's for a backend to reach InitWait, and ours for all others */
#define POLL_MS   2
#define TX_TRIES  16

static void set_devid(struct device *d, uint32_t devid)
{
	d->devid = devid;
	snprintf(d->front, sizeof(d->front), "/local/domain/%u/device/%s/%u", d->domid,
		d->class->name, devid);
	snprintf(d->back, sizeof(d->back), "/local/domain/0/backend/%s/%u/%u", d->class->name,
		d->domid, devid);
}

void device_init(struct device *d, const struct device_class *class, struct pvr_host *host,
	uint32_t domid, uint32_t devid)
{
	*d = (struct device){.class = class, .host = host, .domid = domid};
	set_devid(d, devid);
}

void device_put(struct device *d, const char *dir, const char *name, const char *format, ...)
{
	char path[128], value[1200];
	va_list args;

	if (d->error)
		return;
	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	d->error = pvr_host_store_write(d->host, d->tx, path, value);
}

void device_read(struct device *d, const char *name, char *value, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", d->back, name);
	if (pvr_host_store_read(d->host, 0, path, value, size) < 0)
		*value = 0;
}

/* ---- the bodies of transactions ---- */

/* A directory that `owner` owns and `reader` may read. */
static void make_dir(struct device *d, const char *dir, uint32_t owner, uint32_t reader)
{
	char perms[32];
	int length;

	if (d->error)
		return;
	d->error = pvr_host_store_write(d->host, d->tx, dir, "");
	if (d->error)
		return;
	length = snprintf(perms, sizeof(perms), "n%u", owner) + 1;
	length += snprintf(perms + length, sizeof(perms) - (size_t)length, "r%u", reader) + 1;
	d->error = pvr_host_store_set_perms(d->host, d->tx, dir, perms, (size_t)length);
}

static void create_dirs(struct device *d, const void *spec)
{
	make_dir(d, d->front, d->domid, 0);
	make_dir(d, d->back, 0, d->domid);
	device_put(d, d->back, "frontend", "%s", d->front);
	device_put(d, d->back, "frontend-id", "%u", d->domid);
	device_put(d, d->back, "online", "1");
	device_put(d, d->front, "backend", "%s", d->back);
	device_put(d, d->front, "backend-id", "0");
	d->class->write(d, spec);
	device_put(d, d->back, "state", "%d", XenbusStateInitialising);
	device_put(d, d->front, "state", "%d", XenbusStateInitialising);
}

static void remove_dirs(struct device *d, const void *unused)
{
	(void)unused;
	d->error = pvr_host_store_rm(d->host, d->tx, d->back);
	if (!d->error || d->error == -ENOENT)
		d->error = pvr_host_store_rm(d->host, d->tx, d->front);
	if (d->error == -ENOENT)
		d->error = 0;
}

static void ask_to_close(struct device *d, const void *unused)
{
	(void)unused;
	device_put(d, d->back, "online", "0");
	device_put(d, d->back, "state", "%d", XenbusStateClosing);
}

/* Run `body` in a transaction until it commits. */
static int in_transaction(
	struct device *d, void (*body)(struct device *d, const void *spec), const void *spec)
{
	int rc = -EAGAIN;

	for (int try = 0; try < TX_TRIES && rc == -EAGAIN; try++) {
		rc = pvr_host_store_tx_start(d->host, &d->tx);
		if (rc)
			break;
		d->error = 0;
		body(d, spec);
		rc = pvr_host_store_tx_end(d->host, d->tx, !d->error);
		if (d->error)
			rc = d->error;
	}
	d->tx = 0;
	return rc;
}

static int store_failed(int rc, char *why, size_t size)
{
	return rc ? tool_say(why, size, rc, "xenstore: %s", strerror(-rc)) : 0;
}

/* ---- waiting ---- */

static int exists(struct device *d, const char *dir)
{
	char path[128], value[16];

	snprintf(path, sizeof(path), "%s/state", dir);
	return pvr_host_store_read(d->host, 0, path, value, sizeof(value)) >= 0;
}

static int in_use(struct device *d)
{
	return exists(d, d->front) || exists(d, d->back);
}

static unsigned backend_state(struct device *d)
{
	char value[16];
	uint64_t state = XenbusStateUnknown;

	device_read(d, "state", value, sizeof(value));
	tool_number(value, 0, 8, &state);
	return (unsigned)state;
}

int device_wait(struct device *d, int (*is_over)(struct device *d))
{
	struct timespec pause = {.tv_nsec = POLL_MS * 1000000};

	for (unsigned ms = 0; ms < TIMEOUT_S * 1000; ms += POLL_MS) {
		int over = is_over(d);

		if (over)
			return over;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

/* The backend has the device open, or says why not. */
static int is_taken(struct device *d)
{
	char status[32];

	device_read(d, "hotplug-status", status, sizeof(status));
	if (!strcmp(status, "error"))
		return -EIO;
	return !strcmp(status, "connected") && backend_state(d) != XenbusStateInitialising;
}

static int is_closed(struct device *d)
{
	return backend_state(d) == XenbusStateClosed || !exists(d, d->back);
}

static int wait_taken(struct device *d, char *why, size_t size)
{
	int rc = device_wait(d, is_taken);

	if (rc == -EIO)
		device_read(d, "hotplug-error", why, size);
	else if (rc < 0)
		tool_say(why, size, rc, "no backend took the %s within %d s: is '%s' running?",
			d->class->noun, TIMEOUT_S, d->class->server);
	return rc < 0 ? rc : 0;
}

/* ---- what verbs do ---- */

static int choose(struct device *d)
{
	uint32_t devid;

	for (unsigned n = 0; !d->class->nth(n, &devid); n++) {
		set_devid(d, devid);
		if (!in_use(d))
			return 0;
	}
	return -ENOSPC;
}

int device_attach(struct device *d, const void *spec, char *why, size_t size)
{
	char name[16];
	int rc;

	if (d->devid == DEVICE_ANY && choose(d))
		return tool_say(
			why, size, -ENOSPC, "no name is left: %s are taken", d->class->names);
	if (in_use(d))
		return tool_say(why, size, -EEXIST, "%s is there already: choose another",
			d->class->name_of(d->devid, name));
	rc = in_transaction(d, create_dirs, spec);
	if (rc)
		return store_failed(rc, why, size);
	rc = wait_taken(d, why, size);
	if (rc)
		in_transaction(d, remove_dirs, NULL);
	return rc;
}

static int is_missing(struct device *d, char *why, size_t size)
{
	return tool_say(why, size, -ENOENT, "domain %u has no such %s: 'pvring %s-list %u'",
		d->domid, d->class->noun, d->class->verb, d->domid);
}

int device_detach(struct device *d, int force, char *why, size_t size)
{
	if (!in_use(d))
		return is_missing(d, why, size);
	if (!force) {
		int rc = in_transaction(d, ask_to_close, NULL);

		if (rc)
			return store_failed(rc, why, size);
		if (device_wait(d, is_closed) < 0)
			return tool_say(why, size, -ETIMEDOUT,
				"the guest does not let go of the %s (backend state %s); --force "
				"takes it away all the same",
				d->class->noun, pvr_xenbus_state_name(backend_state(d)));
	}
	return store_failed(in_transaction(d, remove_dirs, NULL), why, size);
}

int device_check(struct device *d, char *why, size_t size)
{
	return exists(d, d->back) ? 0 : is_missing(d, why, size);
}
