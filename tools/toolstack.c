/* SPDX-License-Identifier: MIT */
/*
 * What libxl does for a disk: the two xenstore directories of a device, written in one transaction,
 * and its orderly end. Node names and permissions are libxl's, so that its tools and ours read the
 * same.
 */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pvring/xen/xenbus.h>
#include <pvring/xenbus.h>

#define ATTACH_TIMEOUT_MS 10000 /* libxl's for a backend to reach InitWait */
#define DETACH_TIMEOUT_MS 10000
#define TX_TRIES          16

/* The two directories of a device. */
struct device {
	struct pvr_host *host;
	pvr_host_tx tx;
	uint32_t domid, devid;
	char front[64], back[64];
	int error; /* the first that failed, so that a row of writes needs one check */
};

static int say(char *why, size_t size, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int say(char *why, size_t size, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return error;
}

static void device_paths(struct device *d, struct pvr_host *host, uint32_t domid, uint32_t devid)
{
	*d = (struct device){.host = host, .domid = domid, .devid = devid};
	snprintf(d->front, sizeof(d->front), "/local/domain/%u/device/vbd/%u", domid, devid);
	snprintf(d->back, sizeof(d->back), "/local/domain/0/backend/vbd/%u/%u", domid, devid);
}

static void put(struct device *d, const char *dir, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void put(struct device *d, const char *dir, const char *name, const char *format, ...)
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

static void write_disk(struct device *d, const struct disk_spec *spec)
{
	static const char *const types[] = {"file", "mem", "null", "nbd"};

	make_dir(d, d->front, d->domid, 0);
	make_dir(d, d->back, 0, d->domid);
	put(d, d->back, "frontend", "%s", d->front);
	put(d, d->back, "frontend-id", "%u", d->domid);
	put(d, d->back, "online", "1");
	put(d, d->back, "dev", "%s", spec->vdev);
	put(d, d->back, "type", "%s", types[spec->type]);
	if (spec->type == DISK_FILE || spec->type == DISK_NBD)
		put(d, d->back, "params", "%s", spec->path);
	else
		put(d, d->back, "params", "%" PRIu64, spec->bytes);
	put(d, d->back, "mode", "%s", spec->readonly ? "r" : "w");
	put(d, d->back, "device-type", "disk");
	if (spec->direct)
		put(d, d->back, "direct", "1");
	if (spec->no_discard)
		put(d, d->back, "discard-enable", "0");
	if (spec->iops)
		put(d, d->back, "iops", "%" PRIu64, spec->iops);
	if (spec->bps)
		put(d, d->back, "bps", "%" PRIu64, spec->bps);
	if (spec->queues)
		put(d, d->back, "queues", "%u", spec->queues);
	if (spec->sector)
		put(d, d->back, "sector", "%u", spec->sector);
	if (*spec->engine)
		put(d, d->back, "engine", "%s", spec->engine);
	put(d, d->back, "state", "%d", XenbusStateInitialising);
	put(d, d->front, "backend", "%s", d->back);
	put(d, d->front, "backend-id", "0");
	put(d, d->front, "virtual-device", "%u", d->devid);
	put(d, d->front, "device-type", "disk");
	put(d, d->front, "state", "%d", XenbusStateInitialising);
}

/* Run `body` in a transaction until it commits. */
static int in_transaction(struct device *d,
	void (*body)(struct device *d, const struct disk_spec *spec), const struct disk_spec *spec)
{
	int rc = -EAGAIN;

	for (int try = 0; try < TX_TRIES && rc == -EAGAIN; try++) {
		rc = pvr_host_store_tx_start(d->host, &d->tx);
		if (rc)
			return rc;
		d->error = 0;
		body(d, spec);
		rc = pvr_host_store_tx_end(d->host, d->tx, !d->error);
		if (d->error)
			rc = d->error;
	}
	d->tx = 0;
	return rc;
}

static int exists(struct device *d, const char *dir)
{
	char path[128], value[16];

	snprintf(path, sizeof(path), "%s/state", dir);
	return pvr_host_store_read(d->host, 0, path, value, sizeof(value)) >= 0;
}

void device_backend_read(struct pvr_host *host, uint32_t domid, uint32_t devid, const char *name,
	char *value, size_t size)
{
	struct device d;
	char path[160];

	device_paths(&d, host, domid, devid);
	snprintf(path, sizeof(path), "%s/%s", d.back, name);
	if (pvr_host_store_read(host, 0, path, value, size) < 0)
		*value = 0;
}

static unsigned backend_state(struct device *d)
{
	char value[16];
	uint64_t state = XenbusStateUnknown;

	device_backend_read(d->host, d->domid, d->devid, "state", value, sizeof(value));
	tool_number(value, 0, 8, &state);
	return (unsigned)state;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

/* Until the backend says it has the image open, or why not. */
static int wait_attached(struct device *d, char *why, size_t size)
{
	char status[32];

	for (unsigned ms = 0; ms < ATTACH_TIMEOUT_MS; ms += 2) {
		device_backend_read(
			d->host, d->domid, d->devid, "hotplug-status", status, sizeof(status));
		if (!strcmp(status, "error")) {
			device_backend_read(
				d->host, d->domid, d->devid, "hotplug-error", why, size);
			return -EIO;
		}
		if (!strcmp(status, "connected") && backend_state(d) != XenbusStateInitialising)
			return 0;
		sleep_ms(2);
	}
	return say(why, size, -ETIMEDOUT,
		"no block backend took the disk within %d s: is 'pvring blkback' running?",
		ATTACH_TIMEOUT_MS / 1000);
}

static int choose_vdev(
	struct device *d, struct pvr_host *host, uint32_t domid, struct disk_spec *spec)
{
	for (char letter = 'a'; letter <= 'z'; letter++) {
		uint32_t number;

		snprintf(spec->vdev, sizeof(spec->vdev), "xvd%c", letter);
		if (disk_vdev_number(spec->vdev, &number))
			return -EINVAL;
		device_paths(d, host, domid, number);
		if (!exists(d, d->front) && !exists(d, d->back))
			return 0;
	}
	return -ENOSPC;
}

static void remove_dirs(struct device *d, const struct disk_spec *unused)
{
	(void)unused;
	d->error = pvr_host_store_rm(d->host, d->tx, d->back);
	if (!d->error || d->error == -ENOENT)
		d->error = pvr_host_store_rm(d->host, d->tx, d->front);
	if (d->error == -ENOENT)
		d->error = 0;
}

int device_attach(struct pvr_host *host, uint32_t domid, struct disk_spec *spec, uint32_t *devid,
	char *why, size_t size)
{
	struct device d;
	uint32_t number;
	int rc;

	if (*spec->vdev) {
		rc = disk_vdev_number(spec->vdev, &number);
		device_paths(&d, host, domid, number);
		if (!rc && (exists(&d, d.front) || exists(&d, d.back)))
			return say(why, size, -EEXIST,
				"%s is there already: choose another vdev=", spec->vdev);
	} else {
		rc = choose_vdev(&d, host, domid, spec);
	}
	if (rc)
		return say(why, size, rc, "no device name is left: xvda to xvdz are taken");

	rc = in_transaction(&d, write_disk, spec);
	if (rc)
		return say(why, size, rc, "xenstore: %s", strerror(-rc));
	rc = wait_attached(&d, why, size);
	if (rc)
		in_transaction(&d, remove_dirs, NULL);
	*devid = d.devid;
	return rc;
}

static void ask_to_close(struct device *d, const struct disk_spec *unused)
{
	(void)unused;
	put(d, d->back, "online", "0");
	put(d, d->back, "state", "%d", XenbusStateClosing);
}

int device_detach(
	struct pvr_host *host, uint32_t domid, uint32_t devid, int force, char *why, size_t size)
{
	struct device d;
	int rc;

	device_paths(&d, host, domid, devid);
	if (!exists(&d, d.front) && !exists(&d, d.back))
		return say(why, size, -ENOENT, "domain %u has no such disk: 'pvring block-list %u'",
			domid, domid);
	if (!force) {
		rc = in_transaction(&d, ask_to_close, NULL);
		for (unsigned ms = 0; !rc && backend_state(&d) != XenbusStateClosed; ms += 2) {
			if (ms >= DETACH_TIMEOUT_MS)
				return say(why, size, -ETIMEDOUT,
					"the guest does not let go of the disk (backend state %s); "
					"--force "
					"takes it away all the same",
					pvr_xenbus_state_name(backend_state(&d)));
			if (!exists(&d, d.back))
				break;
			sleep_ms(2);
		}
		if (rc)
			return say(why, size, rc, "xenstore: %s", strerror(-rc));
	}
	rc = in_transaction(&d, remove_dirs, NULL);
	return rc ? say(why, size, rc, "xenstore: %s", strerror(-rc)) : 0;
}

static void ask_to_resize(struct device *d, const struct disk_spec *unused)
{
	(void)unused;
	put(d, d->back, "resize", "1");
}

int device_resize(struct pvr_host *host, uint32_t domid, uint32_t devid, char *why, size_t size)
{
	struct device d;
	char value[16];
	int rc;

	device_paths(&d, host, domid, devid);
	if (!exists(&d, d.back))
		return say(why, size, -ENOENT, "domain %u has no such disk: 'pvring block-list %u'", domid,
			domid);
	device_backend_read(host, domid, devid, "type", value, sizeof(value));
	if (*value && strcmp(value, "file") && strcmp(value, "phy"))
		return say(why, size, -EOPNOTSUPP,
			"a disk of type %s keeps its size: files and block devices can be resized",
			value);
	rc = in_transaction(&d, ask_to_resize, NULL);
	if (rc)
		return say(why, size, rc, "xenstore: %s", strerror(-rc));
	for (unsigned ms = 0; ms < DETACH_TIMEOUT_MS; ms += 2) {
		device_backend_read(host, domid, devid, "resize", value, sizeof(value));
		if (!*value)
			return 0;
		sleep_ms(2);
	}
	return say(why, size, -ETIMEDOUT,
		"the backend did not look within %d s: is 'pvring blkback' running?",
		DETACH_TIMEOUT_MS / 1000);
}
