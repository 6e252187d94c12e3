/* SPDX-License-Identifier: MIT */
/* See stats.h. */
#include "stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const vm_exit_names[VM_EXITS_KINDS] = {"hypercalls", "sends", "timers", "event_calls",
	"grant_calls", "io", "mmio", "msr", "signals", "other", "page_tables", "page_faults",
	"mmaps", "pages_mapped", "emulated_interrupt", "emulated_segment", "emulated_control"};

static int path_make(char *path, size_t size, const char *dir, uint32_t domid)
{
	return snprintf(path, size, "%s/stats/guest-%u", dir, domid) < (int)size;
}

/* A file of its own each time: who still maps the last one sees it stand still, never shrink. */
static int file_new(const char *dir, uint32_t domid)
{
	char path[512];
	int fd;

	if (snprintf(path, sizeof(path), "%s/stats", dir) >= (int)sizeof(path))
		return -1;
	mkdir(path, 0755);
	if (!path_make(path, sizeof(path), dir, domid))
		return -1;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && ftruncate(fd, sizeof(struct vm_stats))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct vm_stats *vm_stats_new(const char *dir, uint32_t domid)
{
	int fd = file_new(dir, domid);
	struct vm_stats *stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE,
		fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (stats == MAP_FAILED)
		return NULL;
	stats->magic = VM_STATS_MAGIC;
	return stats;
}

void vm_stats_free(struct vm_stats *stats, const char *dir, uint32_t domid)
{
	if (!stats)
		return;
	vm_stats_remove(dir, domid);
	munmap(stats, sizeof(*stats));
}

void vm_stats_remove(const char *dir, uint32_t domid)
{
	char path[512];

	if (path_make(path, sizeof(path), dir, domid))
		unlink(path);
}
