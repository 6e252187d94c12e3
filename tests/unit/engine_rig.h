/* SPDX-License-Identifier: MIT */
/* Disks and single I/Os for the tests of the engines. */
#ifndef PVR_TEST_ENGINE_RIG_H
#define PVR_TEST_ENGINE_RIG_H

#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../blkback/disk.h"
#include "../../blkback/engine.h"

#define IMAGE_BYTES (1024u * 1024)
#define PAGE        4096u

static _Alignas(4096) uint8_t pages[8][PAGE];

/* In /dev/shm (a tmpfs: answered inline) or in /var/tmp (a real file system). */
static inline void make_image(char *path, const char *directory, off_t bytes)
{
	int fd;

	sprintf(path, "%s/pvring-test-XXXXXX", directory);
	fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_FATAL(ftruncate(fd, bytes) == 0);
	close(fd);
}

static inline struct pvr_blkback_disk *open_disk(struct pvr_blkback_spec spec)
{
	struct pvr_blkback_disk *disk = NULL;
	char error[PVR_BLKBACK_LINE] = "";
	int result = pvr_blkback_disk_open(&spec, &disk, error);

	if (result)
		fprintf(stderr, "disk: %s\n", error);
	CU_ASSERT_FATAL(result == 0);
	return disk;
}

static inline struct pvr_blkback_io *wait_io(struct pvr_blkback_engine *engine)
{
	struct pvr_blkback_io *io;

	for (unsigned tries = 0; tries < 1000; tries++) {
		struct pollfd fd = {.fd = pvr_blkback_engine_fd(engine), .events = POLLIN};

		io = pvr_blkback_engine_reap(engine);
		if (io)
			return io;
		/* A sleeper that is not woken is as bad as a lost completion. */
		if (poll(&fd, 1, 20000) == 0)
			return NULL;
	}
	return NULL;
}

static inline int do_io(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk,
	enum pvr_blkback_op op, uint64_t offset, unsigned page, unsigned count)
{
	struct iovec iov[8];
	struct pvr_blkback_io io = {.disk = disk,
		.op = op,
		.offset = offset,
		.left = count * PAGE,
		.iov = iov,
		.iov_count = count};

	for (unsigned i = 0; i < count; i++)
		iov[i] = (struct iovec){pages[page + i], PAGE};
	pvr_blkback_engine_queue(engine, &io);
	pvr_blkback_engine_submit(engine);
	CU_ASSERT_PTR_EQUAL_FATAL(wait_io(engine), &io);
	return io.error;
}

static inline int do_discard(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk,
	enum pvr_blkback_op op, uint64_t offset, uint32_t bytes)
{
	struct pvr_blkback_io io = {.disk = disk, .op = op, .offset = offset, .left = bytes};

	pvr_blkback_engine_queue(engine, &io);
	pvr_blkback_engine_submit(engine);
	CU_ASSERT_PTR_EQUAL_FATAL(wait_io(engine), &io);
	return io.error;
}

static inline void fill(unsigned page, unsigned count, int seed)
{
	for (unsigned i = 0; i < count * PAGE; i++)
		pages[page + i / PAGE][i % PAGE] = (uint8_t)(seed + (int)(i * 31) + (int)(i >> 12));
}

#endif
