/* SPDX-License-Identifier: MIT */
/* Reads the counters that the backend keeps in files below "stats" of the hypervisor's directory. */
#include "stats_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tools.h"

#define STATS_FIELD(field, kind, help)                                                             \
	{#field, help, STATS_##kind, offsetof(struct disk_stats, field)},
const struct stats_field stats_fields[] = {STATS_FIELDS(STATS_FIELD)};
#undef STATS_FIELD
const unsigned stats_fields_count = sizeof(stats_fields) / sizeof(stats_fields[0]);

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void copy(const struct pvr_blkback_stats *from, struct disk_stats *to)
{
	to->domid = from->domid;
	to->devid = from->devid;
#define STATS_FIELD(name, kind, help) to->name = get(&from->name);
	STATS_FIELDS(STATS_FIELD)
#undef STATS_FIELD
	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		to->latency[i] = get(&from->latency[i]);
}

/* Map one file, read-only; NULL when it is not one of ours (any more). */
static const struct pvr_blkback_stats *map(int dir, const char *name)
{
	const struct pvr_blkback_stats *s = MAP_FAILED;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && st.st_size >= (off_t)sizeof(*s))
		s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (s == MAP_FAILED)
		return NULL;
	if (s->magic == PVR_BLKBACK_STATS_MAGIC && s->size >= sizeof(*s))
		return s;
	munmap((void *)(uintptr_t)s, sizeof(*s));
	return NULL;
}

static int by_disk(const void *a, const void *b)
{
	const struct disk_stats *x = a, *y = b;

	if (x->domid != y->domid)
		return x->domid < y->domid ? -1 : 1;
	return (x->devid > y->devid) - (x->devid < y->devid);
}

static int add(struct stats_list *list, int dir, const char *name)
{
	const struct pvr_blkback_stats *s = map(dir, name);
	struct disk_stats *more;

	if (!s)
		return 0;
	more = realloc(list->disk, (list->count + 1) * sizeof(*more));
	if (more) {
		list->disk = more;
		copy(s, &more[list->count++]);
	}
	munmap((void *)(uintptr_t)s, sizeof(*s));
	return more ? 0 : -ENOMEM;
}

int stats_list_read(const char *dir, struct stats_list *list)
{
	struct timespec now;
	char path[192];
	DIR *files;
	int rc = 0;

	*list = (struct stats_list){0};
	snprintf(path, sizeof(path), "%s/stats", dir);
	files = opendir(path);
	if (!files)
		return -errno;
	for (const struct dirent *entry; !rc && (entry = readdir(files));)
		if (!strncmp(entry->d_name, "vbd-", 4))
			rc = add(list, dirfd(files), entry->d_name);
	closedir(files);
	if (rc)
		stats_list_free(list);
	if (list->count)
		qsort(list->disk, list->count, sizeof(*list->disk), by_disk);
	clock_gettime(CLOCK_MONOTONIC, &now);
	list->at_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return rc;
}

int stats_list_read_or_say(const char *dir, struct stats_list *list)
{
	int rc = stats_list_read(dir, list);

	return rc ? tool_error(EX_UNAVAILABLE,
			    "no statistics in '%s/stats' (%s): is 'pvring blkback' running there?",
			    dir, strerror(-rc))
		  : 0;
}

void stats_list_free(struct stats_list *list)
{
	free(list->disk);
	*list = (struct stats_list){0};
}

/* A counter that fell belongs to a disk that was attached anew. */
static int continues(const struct disk_stats *now, const struct disk_stats *before)
{
	for (unsigned i = 0; i < stats_fields_count; i++)
		if (stats_fields[i].kind == STATS_COUNTER &&
			stats_value(now, &stats_fields[i]) < stats_value(before, &stats_fields[i]))
			return 0;
	return 1;
}

static void subtract(struct disk_stats *now, const struct disk_stats *before)
{
	for (unsigned i = 0; i < stats_fields_count; i++)
		if (stats_fields[i].kind == STATS_COUNTER)
			*(uint64_t *)((char *)now + stats_fields[i].offset) -=
				stats_value(before, &stats_fields[i]);
	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		now->latency[i] -= before->latency[i];
}

void stats_list_since(struct stats_list *now, const struct stats_list *before)
{
	for (unsigned i = 0; i < now->count; i++) {
		const struct disk_stats *old =
			before->count ? bsearch(&now->disk[i], before->disk, before->count,
						sizeof(*before->disk), by_disk)
				      : NULL;

		if (old && continues(&now->disk[i], old))
			subtract(&now->disk[i], old);
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
