/* SPDX-License-Identifier: MIT */
/* Becoming the domain that the environment names, and opening its disk. */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <pvring/port.h>
#include <pvring/process.h>
#include <pvring/store.h>

#include "tools.h"

#define OPEN_TIMEOUT_NS 10000000000ull

int guest_attach(void)
{
	const char *dir = getenv(PVR_HV_ENV_DIR), *domid = getenv(PVR_HV_ENV_DOMID);
	int rc = pvr_process_attach(NULL, 0);

	switch (rc) {
	case 0:
		return 0;
	case -EINVAL:
		return tool_error(EX_USAGE,
			"this is a guest program: run it under 'pvring run --disk SPEC -- ...', or "
			"set %s and %s",
			PVR_HV_ENV_DIR, PVR_HV_ENV_DOMID);
	case -EBUSY:
		return tool_error(EX_TEMPFAIL, "another process is attached to domain %s", domid);
	case -EACCES:
		return tool_error(EX_NOPERM, "domain %s is another user's", domid);
	default:
		return tool_error(tool_status(rc), "cannot attach to domain %s of '%s': %s",
			domid ? domid : "?", dir ? dir : "?", strerror(-rc));
	}
}

/* The device number of the disk wanted. */
static int find(const char *vdev, uint32_t *devid)
{
	char names[2048];
	uint64_t number, lowest = UINT64_MAX;
	int length;

	if (vdev)
		return !tool_number(vdev, 0, UINT32_MAX, &number) ? (*devid = (uint32_t)number, 0)
								  : disk_vdev_number(vdev, devid);
	length = pvr_store_list(0, "device/vbd", names, sizeof(names));
	for (int at = 0; at < length; at += (int)strlen(names + at) + 1)
		if (!tool_number(names + at, 0, UINT32_MAX, &number) && number < lowest)
			lowest = number;
	if (lowest == UINT64_MAX)
		return -ENOENT;
	*devid = (uint32_t)lowest;
	return 0;
}

enum { QUEUES = 0x200, ORDER, SEGMENTS, PERSISTENT, UNTRUSTING };

static const struct argp_option disk_keys[] = {
	{NULL, 0, NULL, 0, "What the disk asks of its backend; it gets what there is:", 10},
	{"queues", QUEUES, "N", 0, "rings, up to 16 (default 1)", 10},
	{"order", ORDER, "N", 0, "log2 of a ring's pages, up to 4 (default 0)", 10},
	{"segments", SEGMENTS, "N", 0, "pages of a request, up to 256 (default 32)", 10},
	{"persistent", PERSISTENT, NULL, 0, "grants that stay mapped; data is copied", 10},
	{"untrusting", UNTRUSTING, NULL, 0, "the backend sees nothing but the data", 10},
	{0},
};

static void disk_number(struct argp_state *state, const char *name, const char *arg,
	uint64_t lowest, uint64_t highest, uint32_t *to)
{
	uint64_t number;

	if (tool_number(arg, lowest, highest, &number))
		argp_failure(state, EX_USAGE, 0, "--%s is a number from %u to %u, not '%s'", name,
			(unsigned)lowest, (unsigned)highest, arg);
	else
		*to = (uint32_t)number;
}

static error_t disk_parse(int key, char *arg, struct argp_state *state)
{
	struct pvr_blkfront_options *o = state->input;

	switch (key) {
	case QUEUES:
		disk_number(state, "queues", arg, 1, 16, &o->queues);
		return 0;
	case ORDER:
		disk_number(state, "order", arg, 0, 4, &o->ring_order);
		return 0;
	case SEGMENTS:
		disk_number(state, "segments", arg, 1, 256, &o->max_segments);
		return 0;
	case PERSISTENT:
		o->persistent = 1;
		return 0;
	case UNTRUSTING:
		o->untrusting = 1;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp guest_disk_argp = {disk_keys, disk_parse, NULL, NULL, NULL, NULL, NULL};

int guest_disk_open(const char *vdev, const struct pvr_blkfront_options *options,
	struct pvr_blkfront **disk, char name[16])
{
	char path[64];
	uint32_t devid;
	int rc = find(vdev, &devid);

	if (rc == -EINVAL)
		return tool_error(
			EX_USAGE, "'%s' is no disk: xvda to xvdz, or a device number", vdev);
	if (rc)
		return tool_error(EX_NOINPUT,
			"the domain has no disk: give it one with --disk or block-attach");
	disk_vdev_name(devid, name);
	snprintf(path, sizeof(path), "device/vbd/%u", devid);
	rc = pvr_blkfront_open(path, options, pvr_port_now_ns() + OPEN_TIMEOUT_NS, disk);
	if (rc == -ENOENT)
		return tool_error(EX_NOINPUT, "the domain has no disk %s", name);
	if (rc == -ETIMEDOUT)
		return tool_error(EX_UNAVAILABLE,
			"the backend of %s did not connect: is 'pvring blkback' running?", name);
	return rc ? tool_error(tool_status(rc), "%s: %s", name, strerror(-rc)) : 0;
}
