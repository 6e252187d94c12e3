/* SPDX-License-Identifier: MIT */
/* The engines on real files, and what opening a disk refuses. */
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
static void make_image(char *path, const char *directory, off_t bytes)
{
	int fd;

	sprintf(path, "%s/pvring-test-XXXXXX", directory);
	fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_FATAL(ftruncate(fd, bytes) == 0);
	close(fd);
}

static struct pvr_blkback_disk *open_disk(struct pvr_blkback_spec spec)
{
	struct pvr_blkback_disk *disk = NULL;
	char error[PVR_BLKBACK_LINE] = "";
	int result = pvr_blkback_disk_open(&spec, &disk, error);

	if (result)
		fprintf(stderr, "disk: %s\n", error);
	CU_ASSERT_FATAL(result == 0);
	return disk;
}

static struct pvr_blkback_io *wait_io(struct pvr_blkback_engine *engine)
{
	struct pvr_blkback_io *io;

	for (unsigned tries = 0; tries < 1000; tries++) {
		struct pollfd fd = {.fd = pvr_blkback_engine_fd(engine), .events = POLLIN};

		io = pvr_blkback_engine_reap(engine);
		if (io)
			return io;
		/* A sleeper that is not woken is as bad as a lost completion. */
		if (poll(&fd, 1, 5000) == 0)
			return NULL;
	}
	return NULL;
}

static int do_io(struct pvr_blkback_engine *engine, const struct pvr_blkback_disk *disk,
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

static void fill(unsigned page, unsigned count, int seed)
{
	for (unsigned i = 0; i < count * PAGE; i++)
		pages[page + i / PAGE][i % PAGE] = (uint8_t)(seed + (int)(i * 31) + (int)(i >> 12));
}

static void write_flush_read(struct pvr_blkback_spec spec, enum pvr_blkback_kind kind)
{
	struct pvr_blkback_disk *disk = open_disk(spec);
	struct pvr_blkback_engine *engine;

	CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &engine) == 0);
	fill(0, 3, 5);
	memset(pages[4], 0, 3 * PAGE);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 8 * PAGE, 0, 3), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 8 * PAGE, 4, 3), 0);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], 3 * PAGE), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
}

static void file_by(enum pvr_blkback_kind kind, const char *directory, const char *direct)
{
	char path[64];

	make_image(path, directory, IMAGE_BYTES);
	write_flush_read((struct pvr_blkback_spec){.params = path, .direct = direct}, kind);
	unlink(path);
}

static void uring_on_tmpfs(void)
{
	file_by(PVR_BLKBACK_URING, "/dev/shm", NULL);
}

static void uring_on_a_file(void)
{
	file_by(PVR_BLKBACK_URING, "/var/tmp", NULL);
}

static void uring_direct(void)
{
	file_by(PVR_BLKBACK_URING, "/var/tmp", "1");
}

static void sync_on_a_file(void)
{
	file_by(PVR_BLKBACK_SYNC, "/var/tmp", NULL);
}

static void mem_keeps_data(void)
{
	write_flush_read(
		(struct pvr_blkback_spec){.type = "mem", .params = "1048576"}, PVR_BLKBACK_MEM);
}

static void null_answers(void)
{
	struct pvr_blkback_disk *disk =
		open_disk((struct pvr_blkback_spec){.type = "null", .params = "1099511627776"});
	struct pvr_blkback_engine *engine;

	CU_ASSERT_EQUAL(disk->facts.sectors, 1099511627776u / 512);
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_NULL, &engine) == 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 0, 3), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
}

/* More than the engine has in flight at a time: the rest waits its turn, nothing is lost. */
static void uring_deep_queue(void)
{
	enum { COUNT = 600 };
	static struct pvr_blkback_io io[COUNT];
	static struct iovec iov[COUNT];
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	unsigned seen = 0;
	char path[64];

	make_image(path, "/var/tmp", IMAGE_BYTES);
	disk = open_disk((struct pvr_blkback_spec){.params = path});
	disk->inline_io = PVR_BLKBACK_SUBMIT;
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_URING, &engine) == 0);
	for (unsigned i = 0; i < COUNT; i++) {
		iov[i] = (struct iovec){pages[i % 8], 512};
		io[i] = (struct pvr_blkback_io){.disk = disk,
			.op = PVR_BLKBACK_READ,
			.offset = i * 512,
			.left = 512,
			.iov_count = 1,
			.iov = &iov[i],
			.error = -EBUSY};
		pvr_blkback_engine_queue(engine, &io[i]);
	}
	pvr_blkback_engine_submit(engine);
	while (seen < COUNT && wait_io(engine))
		seen++;
	CU_ASSERT_EQUAL(seen, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(io[i].error, 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	unlink(path);
}

/* The image loses its second half under us: what lies there is EIO, what straddles too, the rest is
 * served. */
static void truncated_by(enum pvr_blkback_kind kind, const char *directory)
{
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	char path[64];

	make_image(path, directory, IMAGE_BYTES);
	disk = open_disk((struct pvr_blkback_spec){.params = path});
	CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &engine) == 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, IMAGE_BYTES - 3 * PAGE, 0, 3), 0);
	CU_ASSERT_EQUAL_FATAL(truncate(path, IMAGE_BYTES / 2), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, IMAGE_BYTES - 3 * PAGE, 0, 3), -EIO);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, IMAGE_BYTES / 2 - PAGE, 0, 2), -EIO);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, IMAGE_BYTES / 2 - PAGE, 0, 1), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	unlink(path);
}

static void truncated_image_is_an_error(void)
{
	truncated_by(PVR_BLKBACK_URING, "/var/tmp");
	truncated_by(PVR_BLKBACK_URING, "/dev/shm");
	truncated_by(PVR_BLKBACK_SYNC, "/var/tmp");
}

/* Refused, and the line names what is wrong. */
static void refused(struct pvr_blkback_spec spec, const char *word)
{
	struct pvr_blkback_disk *disk = NULL;
	char error[PVR_BLKBACK_LINE] = "";

	CU_ASSERT(pvr_blkback_disk_open(&spec, &disk, error) < 0);
	CU_ASSERT_PTR_NULL(disk);
	if (!strstr(error, word))
		fprintf(stderr, "disk: wanted '%s' in: %s\n", word, error);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, word));
	CU_ASSERT_PTR_NULL(strchr(error, '\n'));
}

static void bad_disks_are_refused(void)
{
	char odd[64], empty[64];

	make_image(odd, "/var/tmp", 1000);
	make_image(empty, "/var/tmp", 0);
	refused((struct pvr_blkback_spec){0}, "params");
	refused((struct pvr_blkback_spec){.params = "image"}, "absolute");
	refused((struct pvr_blkback_spec){.params = "/nonexistent/image"}, "No such file");
	refused((struct pvr_blkback_spec){.params = "/proc"}, "cannot open");
	refused((struct pvr_blkback_spec){.params = "/proc", .mode = "r"}, "neither a file");
	refused((struct pvr_blkback_spec){.params = "/dev/null"}, "neither a file");
	refused((struct pvr_blkback_spec){.params = odd}, "multiple of the sector size");
	refused((struct pvr_blkback_spec){.params = empty}, "empty");
	refused((struct pvr_blkback_spec){.params = odd, .mode = "rw"}, "mode");
	refused((struct pvr_blkback_spec){.params = odd, .engine = "aio"}, "engine");
	refused((struct pvr_blkback_spec){.params = odd, .type = "qcow2"}, "type");
	refused((struct pvr_blkback_spec){.params = "1k", .type = "mem"}, "not a size");
	refused((struct pvr_blkback_spec){.params = "-512", .type = "null"}, "not a size");
	refused((struct pvr_blkback_spec){.params = "1000", .type = "null"}, "multiple");
	unlink(odd);
	unlink(empty);
}

PVR_SUITE(blkback_engine, CASE(uring_on_tmpfs), CASE(uring_on_a_file), CASE(uring_direct),
	CASE(sync_on_a_file), CASE(mem_keeps_data), CASE(null_answers), CASE(uring_deep_queue),
	CASE(truncated_image_is_an_error), CASE(bad_disks_are_refused))
