/* SPDX-License-Identifier: MIT */
/*
 * Keeps the counters of a disk in a small mapped file.
 *
 * The latency histogram has two buckets an octave: bucket 2k ends at 1.5 * 2^k ns and bucket 2k + 1
 * at 2^(k + 1), so a quantile read from it is at most half too high, and the 64 buckets reach four
 * seconds.
 */
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096

unsigned pvr_blkback_stats_bucket(uint64_t ns)
{
	unsigned octave, bucket;

	if (ns < 2)
		return 0;
	octave = 63u - (unsigned)__builtin_clzll(ns);
	bucket = 2 * octave + (unsigned)(ns >> (octave - 1) & 1);
	return bucket < PVR_BLKBACK_STATS_BUCKETS ? bucket : PVR_BLKBACK_STATS_BUCKETS - 1;
}

uint64_t pvr_blkback_stats_bound(unsigned bucket)
{
	uint64_t octave = 1ull << (bucket / 2);

	return bucket % 2 ? 2 * octave : octave + octave / 2;
}

static int file_path(char *path, const char *dir, unsigned domid, unsigned devid)
{
	int length = snprintf(path, PATH_BYTES, "%s/stats/vbd-%u-%u", dir, domid, devid);

	return length < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* A file of its own each time: who still maps the last one sees it stand still, never shrink. */
static int create_file(const char *dir, unsigned domid, unsigned devid)
{
	char path[PATH_BYTES];
	int fd;

	if (!dir || snprintf(path, sizeof(path), "%s/stats", dir) >= (int)sizeof(path))
		return -1;
	mkdir(path, 0755);
	if (file_path(path, dir, domid, devid))
		return -1;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && ftruncate(fd, sizeof(struct pvr_blkback_stats))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct pvr_blkback_stats *pvr_blkback_stats_open(const char *dir, unsigned domid, unsigned devid)
{
	int fd = create_file(dir, domid, devid);
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	struct pvr_blkback_stats *stats =
		mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, flags, fd, 0);

	if (fd >= 0)
		close(fd);
	if (stats == MAP_FAILED)
		return NULL;
	stats->domid = domid;
	stats->devid = devid;
	stats->size = sizeof(*stats);
	stats->magic = PVR_BLKBACK_STATS_MAGIC;
	return stats;
}

void pvr_blkback_stats_close(struct pvr_blkback_stats *stats, const char *dir)
{
	char path[PATH_BYTES];

	if (!stats)
		return;
	if (dir && !file_path(path, dir, stats->domid, stats->devid))
		unlink(path);
	munmap(stats, sizeof(*stats));
}

void pvr_blkback_stats_add(struct pvr_blkback_stats *to, struct pvr_blkback_stats *from)
{
	/* The counters stand in a row, so that none can be forgotten here. */
	_Atomic uint64_t *out = &to->reads, *in = &from->reads;
	size_t count = (offsetof(struct pvr_blkback_stats, latency) -
			       offsetof(struct pvr_blkback_stats, reads)) /
		       sizeof(*in);

	for (size_t i = 0; i < count; i++) {
		uint64_t n = atomic_load_explicit(&in[i], memory_order_relaxed);

		if (!n)
			continue;
		pvr_blkback_count_shared(&out[i], n);
		atomic_store_explicit(&in[i], 0, memory_order_relaxed);
	}
}
