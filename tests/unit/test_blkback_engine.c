/* SPDX-License-Identifier: MIT */
/* The engines on real files, and what opening a disk refuses. */
#include "engine_rig.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../../blkback/cached.h"

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

static void aio_on_files(void)
{
	file_by(PVR_BLKBACK_AIO, "/var/tmp", NULL);
	file_by(PVR_BLKBACK_AIO, "/var/tmp", "1");
	file_by(PVR_BLKBACK_AIO, "/dev/shm", NULL);
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
static void deep_queue_by(enum pvr_blkback_kind kind)
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
	CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &engine) == 0);
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

static void deep_queues(void)
{
	deep_queue_by(PVR_BLKBACK_URING);
	deep_queue_by(PVR_BLKBACK_AIO);
}

/* What was discarded reads as zeroes, its neighbours stay, and the file gets smaller. */
static void discard_by(enum pvr_blkback_kind kind, struct pvr_blkback_spec spec)
{
	struct pvr_blkback_disk *disk = open_disk(spec);
	struct pvr_blkback_engine *engine;
	struct stat before = {0}, after = {0};

	CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &engine) == 0);
	CU_ASSERT(disk->facts.discard);
	fill(0, 4, 9);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 8 * PAGE, 0, 4), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	if (disk->fd >= 0)
		fstat(disk->fd, &before);
	CU_ASSERT_EQUAL(do_discard(engine, disk, PVR_BLKBACK_DISCARD, 9 * PAGE, 2 * PAGE), 0);
	if (disk->fd >= 0)
		fstat(disk->fd, &after);
	CU_ASSERT_EQUAL(before.st_size, after.st_size);
	CU_ASSERT(disk->fd < 0 || after.st_blocks < before.st_blocks);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 8 * PAGE, 4, 4), 0);
	memset(pages[1], 0, 2 * PAGE);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], 4 * PAGE), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
}

static void discards(void)
{
	static const char *const places[] = {"/var/tmp", "/dev/shm"};

	for (unsigned i = 0; i < 2; i++)
		for (enum pvr_blkback_kind kind = 0; kind <= PVR_BLKBACK_SYNC; kind++) {
			char path[64];

			make_image(path, places[i], IMAGE_BYTES);
			discard_by(kind, (struct pvr_blkback_spec){.params = path});
			unlink(path);
		}
	discard_by(PVR_BLKBACK_MEM, (struct pvr_blkback_spec){.type = "mem", .params = "1048576"});
}

/* Not a page's multiple: the edges are zeroed by hand, and no byte more. */
static void mem_discards_any_piece(void)
{
	struct pvr_blkback_disk *disk =
		open_disk((struct pvr_blkback_spec){.type = "mem", .params = "65536"});
	struct pvr_blkback_engine *engine;
	uint8_t *memory = disk->memory;
	const unsigned pieces[][2] = {{512, 512}, {3584, 1024}, {512, 12288}, {4096, 8192}};

	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_MEM, &engine) == 0);
	for (unsigned i = 0; i < 4; i++) {
		unsigned from = pieces[i][0], end = from + pieces[i][1], wrong = 0;

		memset(memory, 7, 65536);
		CU_ASSERT_EQUAL(
			do_discard(engine, disk, PVR_BLKBACK_DISCARD_SECURE, from, end - from), 0);
		for (unsigned at = 0; at < 65536; at++)
			wrong += memory[at] != (at >= from && at < end ? 0 : 7);
		CU_ASSERT_EQUAL(wrong, 0);
	}
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
}

static void facts_as_asked(void)
{
	struct pvr_blkback_disk *disk = open_disk((struct pvr_blkback_spec){
		.type = "mem", .params = "65536", .sector = "4096", .discard = "0"});
	char path[64];

	CU_ASSERT_EQUAL(disk->facts.sector_size, 4096);
	CU_ASSERT_EQUAL(disk->facts.sectors, 128);
	CU_ASSERT_EQUAL(disk->physical_size, 4096);
	CU_ASSERT(!disk->facts.discard && !disk->facts.discard_secure);
	pvr_blkback_disk_close(disk);
	make_image(path, "/var/tmp", IMAGE_BYTES);
	disk = open_disk((struct pvr_blkback_spec){.params = path, .mode = "r"});
	CU_ASSERT(!disk->facts.discard);
	CU_ASSERT(disk->physical_size >= 512);
	pvr_blkback_disk_close(disk);
	unlink(path);
}

/* A full file system fails the write that finds it full, and nothing else. */
static void full_by(enum pvr_blkback_kind kind, const char *directory)
{
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	int full = 0;
	char path[64];

	make_image(path, directory, 4 * IMAGE_BYTES);
	disk = open_disk((struct pvr_blkback_spec){.params = path});
	CU_ASSERT_FATAL(pvr_blkback_engine_create(kind, &engine) == 0);
	fill(0, 4, 3);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 0, 0, 4), 0);
	for (unsigned at = 4; at < 4 * IMAGE_BYTES / PAGE && !full; at += 4)
		full = do_io(engine, disk, PVR_BLKBACK_WRITE, at * PAGE, 0, 4);
	CU_ASSERT_EQUAL(full, -ENOSPC);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 0, 0, 4), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 2 * IMAGE_BYTES, 4, 4), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	unlink(path);
}

static void full_file_system_is_enospc(void)
{
	char directory[] = "/var/tmp/pvring-full-XXXXXX";

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	if (mount("none", directory, "tmpfs", 0, "size=1M") == 0) {
		for (enum pvr_blkback_kind kind = 0; kind <= PVR_BLKBACK_SYNC; kind++)
			full_by(kind, directory);
		umount(directory);
	} else {
		fprintf(stderr, "skipped: a full file system (only root can mount one)\n");
	}
	rmdir(directory);
}

/* In a child, because a filter stays: io_uring is refused as a container's seccomp profile does. */
static int name_without(int call, int second, const char *name)
{
	struct pvr_blkback_engine *engine;
	scmp_filter_ctx filter;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		filter = seccomp_init(SCMP_ACT_ALLOW);
		if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) ||
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), second, 0) ||
			seccomp_load(filter) ||
			pvr_blkback_engine_create(PVR_BLKBACK_URING, &engine))
			_exit(2);
		_exit(strcmp(engine->ops->name, name) || engine->refused != -EPERM);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void refused_rings_fall_back(void)
{
	struct pvr_blkback_engine *engine;

	CU_ASSERT_EQUAL(
		name_without(SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_register), "aio"), 0);
	CU_ASSERT_EQUAL(name_without(SCMP_SYS(io_uring_setup), SCMP_SYS(io_setup), "sync"), 0);
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_AIO, &engine) == 0);
	CU_ASSERT_EQUAL(engine->refused, 0);
	pvr_blkback_engine_destroy(engine);
}

/* A row of misses makes tries rare, a hit makes them common again. */
static void misses_make_tries_rare(void)
{
	struct pvr_blkback_cached cached = {0};
	unsigned tries = 0;

	for (unsigned i = 0; i < 1000; i++)
		if (pvr_blkback_cached_worth(&cached)) {
			pvr_blkback_cached_learn(&cached, 0);
			tries++;
		}
	CU_ASSERT(tries > 8 && tries < 50);
	while (!pvr_blkback_cached_worth(&cached))
		;
	pvr_blkback_cached_learn(&cached, 1);
	for (unsigned i = 0; i < 8; i++) {
		CU_ASSERT(pvr_blkback_cached_worth(&cached));
		pvr_blkback_cached_learn(&cached, 0);
	}
}

/* Hits are answered at once; what is not in the page cache is read all the same. */
static void inline_answers_are_counted(void)
{
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	char path[64];

	make_image(path, "/var/tmp", IMAGE_BYTES);
	disk = open_disk((struct pvr_blkback_spec){.params = path});
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_URING, &engine) == 0);
	disk->inline_io = PVR_BLKBACK_INLINE_CACHED; /* whatever /var/tmp is */
	fill(0, 8, 1);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 0, 0, 8), 0);
	CU_ASSERT_EQUAL(engine->inlined, 0);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, i * PAGE, i, 1), 0);
	CU_ASSERT_EQUAL(engine->inlined, 8);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	for (unsigned i = 0; i < 100; i++) {
		posix_fadvise(disk->fd, 0, 0, POSIX_FADV_DONTNEED);
		CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 0, 1), 0);
	}
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
	truncated_by(PVR_BLKBACK_AIO, "/var/tmp");
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
	refused((struct pvr_blkback_spec){.params = odd, .engine = "posix"}, "engine");
	refused((struct pvr_blkback_spec){.params = odd, .type = "qcow2"}, "type");
	refused((struct pvr_blkback_spec){.params = "/x", .type = "nbd"}, "nbd");
	refused((struct pvr_blkback_spec){.params = "1M", .type = "mem"}, "not a size");
	refused((struct pvr_blkback_spec){.params = "4096", .type = "mem", .sector = "520"},
		"sector 520");
	refused((struct pvr_blkback_spec){.params = "4608", .type = "mem", .sector = "4096"},
		"sector size 4096");
	refused((struct pvr_blkback_spec){.params = "1k", .type = "mem"}, "not a size");
	refused((struct pvr_blkback_spec){.params = "-512", .type = "null"}, "not a size");
	refused((struct pvr_blkback_spec){.params = "1000", .type = "null"}, "multiple");
	unlink(odd);
	unlink(empty);
}

PVR_SUITE(blkback_engine, CASE(uring_on_tmpfs), CASE(uring_on_a_file), CASE(uring_direct),
	CASE(aio_on_files), CASE(sync_on_a_file), CASE(mem_keeps_data), CASE(null_answers),
	CASE(deep_queues), CASE(discards), CASE(mem_discards_any_piece), CASE(facts_as_asked),
	CASE(full_file_system_is_enospc), CASE(refused_rings_fall_back),
	CASE(misses_make_tries_rare), CASE(inline_answers_are_counted), CASE(truncated_image_is_an_error),
	CASE(bad_disks_are_refused))
