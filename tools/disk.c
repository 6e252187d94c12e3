/* SPDX-License-Identifier: MIT */
/* Disks as a class of devices: their nodes, names and listing, and what only they can, a new size. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/xenbus.h>

#include "device.h"

static void write_nodes(struct device *d, const void *opaque)
{
	static const char *const types[] = {"file", "mem", "null", "nbd"};
	const struct disk_spec *spec = opaque;
	char vdev[16];

	device_put(d, d->back, "dev", "%s", disk_vdev_name(d->devid, vdev));
	device_put(d, d->back, "type", "%s", types[spec->type]);
	if (spec->type == DISK_FILE || spec->type == DISK_NBD)
		device_put(d, d->back, "params", "%s", spec->path);
	else
		device_put(d, d->back, "params", "%" PRIu64, spec->bytes);
	device_put(d, d->back, "mode", "%s", spec->readonly ? "r" : "w");
	device_put(d, d->back, "device-type", "disk");
	if (spec->direct)
		device_put(d, d->back, "direct", "1");
	if (spec->no_fixed)
		device_put(d, d->back, "fixed", "0");
	if (spec->no_discard)
		device_put(d, d->back, "discard-enable", "0");
	if (spec->iops)
		device_put(d, d->back, "iops", "%" PRIu64, spec->iops);
	if (spec->bps)
		device_put(d, d->back, "bps", "%" PRIu64, spec->bps);
	if (spec->queues)
		device_put(d, d->back, "queues", "%u", spec->queues);
	if (spec->sector)
		device_put(d, d->back, "sector", "%u", spec->sector);
	if (*spec->engine)
		device_put(d, d->back, "engine", "%s", spec->engine);
	device_put(d, d->front, "virtual-device", "%u", d->devid);
	device_put(d, d->front, "device-type", "disk");
}

static void *parse(const char *text, char *why, size_t size)
{
	struct disk_spec *spec = malloc(sizeof(*spec));

	if (!spec) {
		tool_say(why, size, 0, "no memory");
	} else if (disk_spec_parse(text, spec, why, size)) {
		free(spec);
		spec = NULL;
	}
	return spec;
}

static uint32_t wanted(const void *opaque)
{
	const struct disk_spec *spec = opaque;
	uint32_t devid;

	return *spec->vdev && !disk_vdev_number(spec->vdev, &devid) ? devid : DEVICE_ANY;
}

static int nth(unsigned n, uint32_t *devid)
{
	char vdev[] = "xvda";

	if (n > 'z' - 'a')
		return -ENOSPC;
	vdev[3] = (char)('a' + n);
	return disk_vdev_number(vdev, devid);
}

/* The nodes a listing shows, in the order of its columns. */
static const char *const shown[] = {"state", "type", "params", "mode", "sectors"};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void row(struct device *d, json_t *list)
{
	char value[SHOWN][1100], vdev[16], size[16];
	uint64_t state = 0, sectors = 0;

	for (size_t i = 0; i < SHOWN; i++)
		device_read(d, shown[i], value[i], sizeof(value[i]));
	tool_number(value[0], 0, 8, &state);
	tool_number(value[4], 0, UINT64_MAX >> 9, &sectors);
	disk_vdev_name(d->devid, vdev);
	if (list) {
		json_array_append_new(list,
			json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "vdev", vdev, "devid",
				(int)d->devid, "state", pvr_xenbus_state_name((unsigned)state),
				"type", value[1], "params", value[2], "mode", value[3], "bytes",
				(json_int_t)(sectors * 512)));
		return;
	}
	printf("%-8s %8u %-13s %-5s %-4s %8s  %s\n", vdev, d->devid,
		pvr_xenbus_state_name((unsigned)state), value[1], value[3],
		sectors ? tool_size_text(sectors * 512, size) : "-", value[2]);
}

const struct device_class disk_class = {
	.name = "vbd",
	.noun = "disk",
	.verb = "block",
	.server = "pvring blkback",
	.names = "xvda to xvdz",
	.operand = "VDEV",
	.attach_doc =
		"Give a domain a disk. Returns when the backend has opened it; prints its name.",
	.attach_help = disk_spec_help,
	.detach_doc = "Take a disk (xvda, xvdb, ... or its number) away from a domain, once the "
		      "guest has let go of it.",
	.list_doc = "List the disks of a domain.",
	.list_heading = "Vdev           ID State         Type  Mode     Size  Params",
	.number = disk_vdev_number,
	.name_of = disk_vdev_name,
	.nth = nth,
	.parse = parse,
	.wanted = wanted,
	.write = write_nodes,
	.row = row,
};

int disk_attach(
	struct pvr_host *host, uint32_t domid, const struct disk_spec *spec, char *why, size_t size)
{
	struct device d;

	device_init(&d, &disk_class, host, domid, wanted(spec));
	return device_attach(&d, spec, why, size);
}

/* ---- block-resize ---- */

static int is_measured(struct device *d)
{
	char value[16];

	device_read(d, "resize", value, sizeof(value));
	return !*value;
}

int disk_resize(struct device *d, char *why, size_t size)
{
	char type[16];
	int rc = device_check(d, why, size);

	if (rc)
		return rc;
	device_read(d, "type", type, sizeof(type));
	if (*type && strcmp(type, "file") && strcmp(type, "phy"))
		return tool_say(why, size, -EOPNOTSUPP,
			"a disk of type %s keeps its size: files and block devices can be resized",
			type);
	device_put(d, d->back, "resize", "1");
	if (d->error)
		return tool_say(why, size, d->error, "xenstore: %s", strerror(-d->error));
	rc = device_wait(d, is_measured);
	return rc < 0 ? tool_say(why, size, rc,
				"the backend does not look at it: is '%s' running?",
				d->class->server)
		      : 0;
}
