/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching to the domain and opening its disks. Both happen once a process, since a domain is a process;
 * fio's jobs are threads of it. They are closed by a destructor, because fio unloads and ends an engine
 * job by job and tells nobody which job is the last.
 */
#include "disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pvring/port.h>
#include <pvring/process.h>
#include <pvring/store.h>

#define DISKS   16u
#define QUEUES  64u
#define OPEN_NS 10000000000ull

struct disk {
	struct pvr_blkfront *front;
	uint32_t devid;
	char name[16];
	unsigned char taken[QUEUES];
};

static struct {
	pthread_mutex_t lock;
	pid_t attached; /* 0: not yet. After a fork the child has nothing of it */
	struct disk disk[DISKS];
	unsigned count;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int say(int rc, char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int say(int rc, char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return rc;
}

static int attach(char *why, size_t size)
{
	int rc = all.attached ? 0 : pvr_process_attach(NULL, 0);

	if (rc == -EINVAL)
		return say(rc, why, size, "run fio as a guest: pvring run --disk SPEC -- fio ...");
	if (rc == -EBUSY)
		return say(rc, why, size, "another process is attached to this domain");
	if (rc)
		return say(rc, why, size,
			"cannot attach to the domain of $PVRING_DIR and $PVRING_DOMID: %s",
			strerror(-rc));
	all.attached = getpid();
	return 0;
}

/* Device numbers as in Xen's docs/man/xen-vbd-interface: major 202, 16 minors a disk, extended from the 17th on. */
static int devid_of(const char *vdev, uint32_t *devid)
{
	uint32_t index;

	if (strncmp(vdev, "xvd", 3) || vdev[3] < 'a' || vdev[3] > 'z' || vdev[4])
		return -EINVAL;
	index = (uint32_t)(vdev[3] - 'a');
	*devid = index < 16 ? 202u << 8 | index << 4 : 1u << 28 | index << 8;
	return 0;
}

static int devid_first(uint32_t *devid)
{
	char names[2048];
	int length = pvr_store_list(0, "device/vbd", names, sizeof(names));
	unsigned long lowest = UINT32_MAX;

	for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
		char *end;
		unsigned long number = strtoul(names + at, &end, 10);

		if (!*end && number < lowest)
			lowest = number;
	}
	*devid = (uint32_t)lowest;
	return lowest == UINT32_MAX ? -ENOENT : 0;
}

static void name_of(uint32_t devid, char name[16])
{
	if (devid >> 8 == 202 && !(devid & 15))
		snprintf(name, 16, "xvd%c", (int)('a' + (devid >> 4 & 15)));
	else if (devid >> 28 == 1 && (devid >> 8 & 0xfffff) < 26)
		snprintf(name, 16, "xvd%c", (int)('a' + (devid >> 8 & 0xfffff)));
	else
		snprintf(name, 16, "%u", devid);
}

static int open_disk(
	const struct pvr_blkfront_options *options, struct disk *disk, char *why, size_t size)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "device/vbd/%u", disk->devid);
	rc = pvr_blkfront_open(path, options, pvr_port_now_ns() + OPEN_NS, &disk->front);
	if (rc == -ENOENT)
		return say(rc, why, size, "the domain has no disk %s", disk->name);
	if (rc == -ETIMEDOUT)
		return say(rc, why, size,
			"the backend of %s did not connect: is 'pvring blkback' running?",
			disk->name);
	if (rc)
		return say(rc, why, size, "%s: %s", disk->name, strerror(-rc));
	return 0;
}

static int find_or_open(const char *vdev, const struct pvr_blkfront_options *options,
	struct disk **disk, char *why, size_t size)
{
	struct disk *new = &all.disk[all.count];
	uint32_t devid;
	int rc = attach(why, size);

	if (rc)
		return rc;
	rc = vdev ? devid_of(vdev, &devid) : devid_first(&devid);
	if (rc)
		return vdev ? say(rc, why, size, "vdev=%s: xvda to xvdz", vdev)
			    : say(rc, why, size,
				      "the domain has no disk: pvring run --disk SPEC -- fio ...");
	for (unsigned i = 0; i < all.count; i++) {
		if (all.disk[i].devid == devid) {
			*disk = &all.disk[i];
			return 0;
		}
	}
	if (all.count == DISKS)
		return say(-ENOSPC, why, size, "more than %u disks in one fio", DISKS);
	new->devid = devid;
	name_of(devid, new->name);
	rc = open_disk(options, new, why, size);
	if (rc)
		return rc;
	all.count++;
	*disk = new;
	return 0;
}

int disk_get(const char *vdev, const struct pvr_blkfront_options *options, struct disk **disk,
	char *why, size_t size)
{
	int rc;

	pthread_mutex_lock(&all.lock);
	rc = find_or_open(vdev, options, disk, why, size);
	pthread_mutex_unlock(&all.lock);
	return rc;
}

const char *disk_name(const struct disk *disk)
{
	return disk->name;
}

const struct pvr_blkfront_info *disk_info(const struct disk *disk)
{
	return pvr_blkfront_info(disk->front);
}

struct pvr_blkfront_queue *disk_queue_claim(struct disk *disk)
{
	struct pvr_blkfront_queue *queue = NULL;

	pthread_mutex_lock(&all.lock);
	for (unsigned i = 0; i < QUEUES; i++) {
		if (disk->taken[i])
			continue;
		queue = pvr_blkfront_queue(disk->front, i);
		disk->taken[i] = !!queue;
		break;
	}
	pthread_mutex_unlock(&all.lock);
	return queue;
}

void disk_queue_release(struct disk *disk, struct pvr_blkfront_queue *queue)
{
	pthread_mutex_lock(&all.lock);
	for (unsigned i = 0; i < QUEUES; i++)
		if (disk->taken[i] && pvr_blkfront_queue(disk->front, i) == queue)
			disk->taken[i] = 0;
	pthread_mutex_unlock(&all.lock);
}

static void __attribute__((destructor)) leave(void)
{
	if (all.attached != getpid())
		return;
	for (unsigned i = 0; i < all.count; i++)
		pvr_blkfront_close(all.disk[i].front);
	pvr_process_detach();
}
