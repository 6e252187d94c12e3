/* SPDX-License-Identifier: MIT */
/* The nodes by which the toolstack says what a device is: its disk, how many rings, its limits. */
#include "configure.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>


static const char *read_optional(
	struct pvr_blkback_device *device, const char *name, char *value, size_t size)
{
	int length = pvr_back_node_text(device->base.home->host, device->base.path, name, value, size);

	return length < 0 ? NULL : value;
}

static int open_disk(struct pvr_blkback_device *device, char error[PVR_BLKBACK_LINE])
{
	char type[16], params[1024], mode[8], direct[8], fixed[8], engine[16], sector[8], discard[8];
	struct pvr_blkback_spec spec = {
		.type = read_optional(device, "type", type, sizeof(type)),
		.params = read_optional(device, "params", params, sizeof(params)),
		.mode = read_optional(device, "mode", mode, sizeof(mode)),
		.direct = read_optional(device, "direct", direct, sizeof(direct)),
		.fixed = read_optional(device, "fixed", fixed, sizeof(fixed)),
		.engine = read_optional(device, "engine", engine, sizeof(engine)),
		.sector = read_optional(device, "sector", sector, sizeof(sector)),
		.discard = read_optional(device, "discard-enable", discard, sizeof(discard)),
	};

	return pvr_blkback_disk_open(&spec, &device->disk, error);
}

/* As many rings as there are workers, unless the toolstack says otherwise. */
static int read_queues(struct pvr_blkback_device *device)
{
	uint32_t queues = device->base.home->worker_count;
	int result = pvr_back_node_number(
		device->base.home->host, device->base.path, "queues", PVR_BLKBACK_QUEUES_MAX, &queues);

	device->queues = queues < PVR_BLKBACK_QUEUES_MAX ? queues : PVR_BLKBACK_QUEUES_MAX;
	return (result && result != -ENOENT) || queues == 0 ? -EINVAL : 0;
}

/* The toolstack's limits; missing or 0: none. */
static int read_limits(struct pvr_blkback_device *device)
{
	struct pvr_blkback_limits *limits = &device->limits;
	struct pvr_host *host = device->base.home->host;
	uint32_t *rate[] = {&limits->requests.per_second, &limits->bytes.per_second};
	static const char *const names[] = {"iops", "bps"};

	for (unsigned i = 0; i < 2; i++) {
		int result =
			pvr_back_node_number(host, device->base.path, names[i], UINT32_MAX, rate[i]);

		if (result == -ENOENT)
			*rate[i] = 0;
		else if (result)
			return result;
	}
	return 0;
}

int pvr_blkback_device_configure(struct pvr_blkback_device *device, char error[PVR_BLKBACK_LINE])
{
	int result = device->disk ? 0 : open_disk(device, error);

	if (result)
		return result;
	result = read_queues(device);
	if (result) {
		snprintf(error, PVR_BLKBACK_LINE, "queues: not a number from 1 to %u",
			PVR_BLKBACK_QUEUES_MAX);
		return result;
	}
	result = read_limits(device);
	if (result)
		snprintf(error, PVR_BLKBACK_LINE, "iops or bps: not a number up to %u", UINT32_MAX);
	return result;
}

uint64_t pvr_blkback_disk_measure(const struct pvr_blkback_disk *disk)
{
	off_t bytes = disk->fd < 0 ? -1 : lseek(disk->fd, 0, SEEK_END);

	if (bytes < 0)
		return 0;
	return (uint64_t)bytes / disk->facts.sector_size *
	       (disk->facts.sector_size / PVR_BLKBACK_SECTOR);
}
