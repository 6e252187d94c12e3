/* SPDX-License-Identifier: MIT */
/* Keeps the counters of a device in a small mapped file. */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

static int file_path(
	char *path, const char *dir, const char *type, const struct pvr_back_stats *head)
{
	int length = snprintf(
		path, PATH_BYTES, "%s/stats/%s-%u-%u", dir, type, head->domid, head->devid);

	return length < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* A file of its own each time: who still maps the last one sees it stand still, never shrink. */
static int create_file(const char *dir, const char *type, const struct pvr_back_stats *head)
{
	char path[PATH_BYTES];
	int fd;

	if (!dir || snprintf(path, sizeof(path), "%s/stats", dir) >= (int)sizeof(path))
		return -1;
	mkdir(path, 0755);
	if (file_path(path, dir, type, head))
		return -1;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && ftruncate(fd, head->size)) {
		close(fd);
		return -1;
	}
	return fd;
}

void *pvr_back_stats_open(const char *dir, const char *type, const struct pvr_back_stats *head)
{
	int fd = create_file(dir, type, head);
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	struct pvr_back_stats *stats = mmap(NULL, head->size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (fd >= 0)
		close(fd);
	if (stats == MAP_FAILED)
		return NULL;
	stats->domid = head->domid;
	stats->devid = head->devid;
	stats->size = head->size;
	stats->magic = head->magic; /* last: who finds it finds the others */
	return stats;
}

void pvr_back_stats_close(void *stats, const char *dir, const char *type)
{
	const struct pvr_back_stats *head = stats;
	char path[PATH_BYTES];

	if (!stats)
		return;
	if (dir && !file_path(path, dir, type, head))
		unlink(path);
	munmap(stats, head->size);
}

void pvr_back_stats_add(_Atomic uint64_t *to, _Atomic uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t n = atomic_load_explicit(&from[i], memory_order_relaxed);

		if (!n)
			continue;
		pvr_back_count_shared(&to[i], n);
		atomic_store_explicit(&from[i], 0, memory_order_relaxed);
	}
}
