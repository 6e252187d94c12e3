/* SPDX-License-Identifier: MIT */
/* Watches its kind's directory, keeps the list of devices, and steps those of which something may have
 * changed. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cpus.h"
#include "device.h"

#define WORKERS_AUTO 4u
#define DEVICES_MAX  1024u
#define EVENTS_TURN  128u /* watch events taken before devices are looked at again */
#define DRAIN_TRY_MS 10
#define DRAIN_TRIES                                                                                \
	3000 /* a stop waits half a minute, no longer, for I/O that does not come back */
#define NAMES_BYTES 4096 /* a directory's listing, as xenstore bounds it */

struct pvr_back_control {
	struct pvr_back_home home;
	struct pvr_back_worker *workers[PVR_BACK_WORKERS_MAX];
	struct pvr_back_device *devices;
	unsigned device_count;
	int full_said;
	int wake_fd; /* eventfd, written by workers */
};

static void mark_all(struct pvr_back_control *control)
{
	for (struct pvr_back_device *device = control->devices; device; device = device->next)
		device->dirty = 1;
}

/* It is to be looked at: the device, which may be a new one, or NULL. */
static struct pvr_back_device *mark(
	struct pvr_back_control *control, unsigned domid, unsigned devid)
{
	struct pvr_back_device *device;

	for (device = control->devices; device; device = device->next)
		if (device->domid == domid && device->devid == devid) {
			device->dirty = 1;
			return device;
		}
	if (control->device_count >= DEVICES_MAX) {
		if (!control->full_said++)
			fprintf(stderr, "pvring %s: more than %u devices; the rest waits\n",
				control->home.kind->program, DEVICES_MAX);
		return NULL;
	}
	device = pvr_back_device_create(&control->home, domid, devid);
	if (!device)
		return NULL;
	device->dirty = 1;
	device->next = control->devices;
	control->devices = device;
	control->device_count++;
	return device;
}

/* ---- finding devices ---- */

/* A number that is a whole path component: returns what follows it, or NULL. */
static const char *component(const char *text, unsigned *number)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || value > UINT32_MAX || (*end && *end != '/'))
		return NULL;
	*number = (unsigned)value;
	return *end ? end + 1 : end;
}

static void scan_domain(struct pvr_back_control *control, unsigned domid, const char *name)
{
	char path[128], names[NAMES_BYTES];
	int length;

	snprintf(path, sizeof(path), "%s/%s", control->home.root, name);
	length = pvr_host_store_list(control->home.host, 0, path, names, sizeof(names));
	for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
		unsigned devid;
		const char *rest = component(names + at, &devid);

		if (rest && !*rest)
			mark(control, domid, devid);
	}
}

static void scan_all(struct pvr_back_control *control)
{
	char names[NAMES_BYTES];
	int length = pvr_host_store_list(
		control->home.host, 0, control->home.root, names, sizeof(names));

	mark_all(control);
	for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
		unsigned domid;
		const char *rest = component(names + at, &domid);

		if (rest && !*rest && domid < DOMID_FIRST_RESERVED)
			scan_domain(control, domid, names + at);
	}
}

/* Most changes below a device are what we write ourselves; these are the others. */
static int interesting(const struct pvr_back_kind *kind, const char *name)
{
	if (!*name || !strcmp(name, "state") || !strcmp(name, "online") ||
		!strcmp(name, "frontend"))
		return 1;
	for (const char *const *watched = kind->watched; watched && *watched; watched++)
		if (!strcmp(name, *watched))
			return 1;
	return 0;
}

static void backend_event(struct pvr_back_control *control, const char *path)
{
	const char *root = control->home.root;
	size_t length = strlen(root);
	unsigned domid, devid;
	const char *rest;

	if (strncmp(path, root, length) || path[length] != '/') {
		scan_all(control);
		return;
	}
	rest = component(path + length + 1, &domid);
	if (!rest || domid >= DOMID_FIRST_RESERVED)
		return;
	if (!*rest) {
		scan_all(control);
		return;
	}
	rest = component(rest, &devid);
	if (rest && interesting(control->home.kind, rest))
		mark(control, domid, devid);
}

static void frontend_event(struct pvr_back_control *control, const char *path, const char *token)
{
	const char *name = strrchr(path, '/');
	struct pvr_back_device *device = NULL;
	unsigned domid, devid;

	if (sscanf(token, "f/%u/%u", &domid, &devid) == 2)
		device = mark(control, domid, devid);
	if (device && name && !strcmp(name, "/state"))
		device->front_events++;
}

/* A turn's worth of events: 1 when more may wait, 0 when none does, or -ECONNRESET. */
static int take_events(struct pvr_back_control *control)
{
	char path[512], token[64];

	for (unsigned i = 0; i < EVENTS_TURN; i++) {
		int result = pvr_host_store_event(
			control->home.host, path, sizeof(path), token, sizeof(token));

		if (result <= 0)
			return result == -ECONNRESET ? result : 0;
		if (token[0] == 'f')
			frontend_event(control, path, token);
		else
			backend_event(control, path);
	}
	return 1;
}

/* ---- the loop ---- */

static int step_devices(struct pvr_back_control *control)
{
	struct pvr_back_device **at = &control->devices;
	int reset = 0;

	while (*at) {
		struct pvr_back_device *device = *at;
		int result = device->dirty ? pvr_back_device_step(device) : 0;

		if (result < 0)
			reset = result;
		if (result == 0) {
			at = &device->next;
			continue;
		}
		*at = device->next;
		control->device_count--;
		pvr_back_device_destroy(device);
	}
	return reset;
}

static int any(const struct pvr_back_control *control, int (*is)(const struct pvr_back_device *))
{
	for (const struct pvr_back_device *device = control->devices; device; device = device->next)
		if (is(device))
			return 1;
	return 0;
}

static int is_dirty(const struct pvr_back_device *device)
{
	return device->dirty;
}

static int is_open(const struct pvr_back_device *device)
{
	return !device->ended;
}

/* Sleeps for at most timeout_ms (-1: no limit); 1 when stop_fd is readable. */
static int wait_events(struct pvr_back_control *control, int stop_fd, int timeout_ms)
{
	int stopping =
		control->home.stopping; /* then only workers matter, and xenstore may be gone */
	struct pollfd fds[] = {
		{.fd = stopping ? -1 : pvr_host_store_fd(control->home.host), .events = POLLIN},
		{.fd = control->wake_fd, .events = POLLIN},
		{.fd = stop_fd, .events = POLLIN},
	};
	uint64_t count;

	if (poll(fds, 3, timeout_ms) <= 0)
		return 0;
	if (fds[1].revents && read(control->wake_fd, &count, sizeof(count)) > 0)
		mark_all(control);
	return fds[2].revents != 0;
}

/* Every device gives its ring back and says Closed. Without xenstore there is nobody to tell. */
static void drain(struct pvr_back_control *control)
{
	control->home.stopping = 1;
	mark_all(control);
	step_devices(control);
	for (int tries = 0; any(control, is_open) && tries < DRAIN_TRIES; tries++) {
		wait_events(control, -1, DRAIN_TRY_MS);
		mark_all(control);
		step_devices(control);
	}
}

int pvr_back_control_run(struct pvr_back_control *control, int stop_fd)
{
	int result = 0, stop = 0;

	while (result >= 0 && !stop) {
		result = take_events(control);
		if (result < 0)
			break;

		/*
		 * A step talks to xenstore, and events come in with the answers without making the
		 * descriptor readable again: sleep only after a look that found nothing to do.
		 */
		int busy = result || any(control, is_dirty);

		result = step_devices(control);
		if (!result)
			stop = wait_events(control, stop_fd, busy ? 0 : -1);
	}
	drain(control);
	return result < 0 ? result : 0;
}

/* ---- making it ---- */

static unsigned default_workers(void)
{
	cpu_set_t cpus;
	unsigned count = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned)CPU_COUNT(&cpus);

	return count < WORKERS_AUTO ? count : WORKERS_AUTO;
}

static const char *address(const struct pvr_back_config *config)
{
	return config->host ? config->host : config->dir;
}

static int start_workers(struct pvr_back_control *control, const struct pvr_back_config *config)
{
	struct pvr_back_home *home = &control->home;
	unsigned cpus[PVR_BACK_WORKERS_MAX], count = config->workers;
	int pinned =
		config->cpus ? pvr_back_cpus_parse(config->cpus, cpus, PVR_BACK_WORKERS_MAX) : 0;

	if (pinned < 0)
		return pinned;
	if (count == 0)
		count = pinned ? (unsigned)pinned : default_workers();
	if (count > PVR_BACK_WORKERS_MAX)
		count = PVR_BACK_WORKERS_MAX;
	for (unsigned i = 0; i < count; i++) {
		int cpu = pinned ? (int)cpus[i % (unsigned)pinned] : -1;
		int result = pvr_back_worker_start(home->kind->turn, address(config),
			control->wake_fd, i == 0, cpu, &control->workers[i]);

		if (result)
			return result;
		home->worker_count++;
	}
	return 0;
}

int pvr_back_control_create(const struct pvr_back_kind *kind, const struct pvr_back_config *config,
	struct pvr_back_control **control)
{
	struct pvr_back_control *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->home.kind = kind;
	new->home.dir = config->dir;
	snprintf(new->home.root, sizeof(new->home.root), "/local/domain/0/backend/%s", kind->type);
	new->home.quiet = config->quiet;
	new->home.workers = new->workers;
	new->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	result = new->wake_fd < 0 ? -errno : pvr_host_open(address(config), &new->home.host);
	if (!result)
		result = start_workers(new, config);
	if (!result)
		result = pvr_host_store_watch(new->home.host, new->home.root, "b");
	if (result) {
		pvr_back_control_destroy(new);
		return result;
	}
	*control = new;
	return 0;
}

const struct pvr_host *pvr_back_control_host(const struct pvr_back_control *control)
{
	return control->home.host;
}

void pvr_back_control_destroy(struct pvr_back_control *control)
{
	struct pvr_back_device *device;

	for (unsigned i = 0; i < control->home.worker_count; i++)
		pvr_back_worker_stop(control->workers[i]);
	while ((device = control->devices)) {
		control->devices = device->next;
		/* With rings that did not drain in time: their worker is gone now, and the process
		 * soon is. */
		pvr_back_device_destroy(device);
	}
	if (control->home.host)
		pvr_host_close(control->home.host);
	if (control->wake_fd >= 0)
		close(control->wake_fd);
	free(control);
}
