/* SPDX-License-Identifier: MIT */
/* Reads the counters that the backends keep in files below "stats" of the hypervisor's directory. */
#include "stats_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tools.h"

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Map one file, read-only, whose class begins with a magic number and a size; NULL when it is not one of ours (any more). */
static const void *map(int dir, const char *name, uint32_t magic, size_t size)
{
	const uint32_t *s = MAP_FAILED;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && st.st_size >= (off_t)size)
		s = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (s == MAP_FAILED)
		return NULL;
	if (s[0] == magic && s[1] >= size)
		return s;
	munmap((void *)(uintptr_t)s, size);
	return NULL;
}

/* ---- disks ---- */

#define STATS_FIELD(field, kind, help)                                                             \
	{#field, help, STATS_##kind, offsetof(struct disk_stats, field)},
static const struct stats_field disk_fields[] = {STATS_FIELDS(STATS_FIELD)};
#undef STATS_FIELD

static const void *disk_map(int dir, const char *name, size_t *size)
{
	*size = sizeof(struct pvr_blkback_stats);
	return map(dir, name, PVR_BLKBACK_STATS_MAGIC, *size);
}

static void disk_copy(const void *file, void *record)
{
	const struct pvr_blkback_stats *from = file;
	struct disk_stats *to = record;

	to->domid = from->domid;
	to->devid = from->devid;
#define STATS_FIELD(name, kind, help) to->name = get(&from->name);
	STATS_FIELDS(STATS_FIELD)
#undef STATS_FIELD
	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		to->latency[i] = get(&from->latency[i]);
}

static void disk_subtract(void *now, const void *before)
{
	const struct disk_stats *from = before;
	struct disk_stats *to = now;

	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		to->latency[i] -= from->latency[i];
}

const struct stats_class stats_disks = {
	.name = "vbd",
	.noun = "vdev",
	.name_of = disk_vdev_name,
	.fields = disk_fields,
	.fields_count = sizeof(disk_fields) / sizeof(disk_fields[0]),
	.size = sizeof(struct disk_stats),
	.map = disk_map,
	.copy = disk_copy,
	.subtract = disk_subtract,
};

/* ---- network interfaces ---- */

#define STATS_FIELD(field, member, kind, help)                                                     \
	{#field, help, STATS_##kind, offsetof(struct vif_stats, field)},
static const struct stats_field vif_fields[] = {STATS_VIF_FIELDS(STATS_FIELD)};
#undef STATS_FIELD

static const void *vif_map(int dir, const char *name, size_t *size)
{
	*size = sizeof(struct pvr_netback_stats);
	return map(dir, name, PVR_NETBACK_STATS_MAGIC, *size);
}

static void vif_copy(const void *file, void *record)
{
	const struct pvr_netback_stats *from = file;
	struct vif_stats *to = record;

	to->domid = from->domid;
	to->devid = from->devid;
#define STATS_FIELD(name, member, kind, help) to->name = get(&from->member);
	STATS_VIF_FIELDS(STATS_FIELD)
#undef STATS_FIELD
}

static const char *vif_name(uint32_t devid, char out[16])
{
	snprintf(out, 16, "%u", devid);
	return out;
}

const struct stats_class stats_vifs = {
	.name = "vif",
	.noun = "vif",
	.name_of = vif_name,
	.fields = vif_fields,
	.fields_count = sizeof(vif_fields) / sizeof(vif_fields[0]),
	.size = sizeof(struct vif_stats),
	.map = vif_map,
	.copy = vif_copy,
};

uint64_t stats_vif_tx_lost(const struct vif_stats *s)
{
	return s->tx_dropped_grant + s->tx_dropped_malformed + s->tx_dropped_outside;
}

uint64_t stats_vif_rx_lost(const struct vif_stats *s)
{
	return s->rx_dropped_grant + s->rx_dropped_malformed + s->rx_dropped_no_buffer +
	       s->rx_dropped_too_big;
}

/* ---- lists of either ---- */

/* What every record starts with. */
struct id {
	uint32_t domid, devid;
};

static int by_device(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	if (x->domid != y->domid)
		return x->domid < y->domid ? -1 : 1;
	return (x->devid > y->devid) - (x->devid < y->devid);
}

static int add(struct stats_list *list, int dir, const char *name)
{
	size_t size;
	const void *file = list->class->map(dir, name, &size);
	void *more;

	if (!file)
		return 0;
	more = realloc(list->records, (list->count + 1) * list->class->size);
	if (more) {
		list->records = more;
		list->class->copy(file, stats_record(list, list->count++));
	}
	munmap((void *)(uintptr_t)file, size);
	return more ? 0 : -ENOMEM;
}

int stats_list_read(const char *dir, const struct stats_class *class, struct stats_list *list)
{
	size_t prefix = strlen(class->name);
	struct timespec now;
	char path[192];
	DIR *files;
	int rc = 0;

	*list = (struct stats_list){.class = class};
	snprintf(path, sizeof(path), "%s/stats", dir);
	files = opendir(path);
	if (!files)
		return -errno;
	for (const struct dirent *entry; !rc && (entry = readdir(files));)
		if (!strncmp(entry->d_name, class->name, prefix) && entry->d_name[prefix] == '-')
			rc = add(list, dirfd(files), entry->d_name);
	closedir(files);
	if (rc)
		stats_list_free(list);
	if (list->count)
		qsort(list->records, list->count, class->size, by_device);
	clock_gettime(CLOCK_MONOTONIC, &now);
	list->at_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return rc;
}

int stats_list_read_or_say(
	const char *dir, const struct stats_class *class, struct stats_list *list)
{
	int rc = stats_list_read(dir, class, list);

	return rc ? tool_error(EX_UNAVAILABLE,
			    "no statistics in '%s/stats' (%s): is a backend running there?", dir,
			    strerror(-rc))
		  : 0;
}

void stats_list_free(struct stats_list *list)
{
	free(list->records);
	*list = (struct stats_list){.class = list->class};
}

/* A counter that fell belongs to a device that was attached anew. */
static int continues(const struct stats_class *class, const void *now, const void *before)
{
	for (unsigned i = 0; i < class->fields_count; i++)
		if (class->fields[i].kind == STATS_COUNTER &&
			stats_value(now, &class->fields[i]) <
				stats_value(before, &class->fields[i]))
			return 0;
	return 1;
}

static void subtract(const struct stats_class *class, void *now, const void *before)
{
	for (unsigned i = 0; i < class->fields_count; i++)
		if (class->fields[i].kind == STATS_COUNTER)
			*(uint64_t *)((char *)now + class->fields[i].offset) -=
				stats_value(before, &class->fields[i]);
	if (class->subtract)
		class->subtract(now, before);
}

void stats_list_since(struct stats_list *now, const struct stats_list *before)
{
	for (unsigned i = 0; i < now->count; i++) {
		void *record = stats_record(now, i);
		const void *old = before->count ? bsearch(record, before->records, before->count,
							  now->class->size, by_device)
						: NULL;

		if (old && continues(now->class, record, old))
			subtract(now->class, record, old);
	}
}

uint64_t stats_requests(const struct disk_stats *s)
{
	return s->reads + s->writes + s->flushes + s->others;
}

uint64_t stats_latency_at(const struct disk_stats *s, double fraction)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		total += s->latency[i];
	for (unsigned i = 0; total && i < PVR_BLKBACK_STATS_BUCKETS; i++) {
		seen += s->latency[i];
		if ((double)seen >= fraction * (double)total)
			return pvr_blkback_stats_bound(i);
	}
	return 0;
}
