/* SPDX-License-Identifier: MIT */
/* Files and memory registered with io_uring: used where they gain, let go in time, done without
 * where refused. */
#include "engine_rig.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../blkback/uring_fixed.h"
#include "memlock_rig.h"

#define PIECE  PVR_BLKBACK_FIXED_PIECE
#define AREA   (2u * PIECE)
#define NOBODY 65534

static char path[64];
static struct pvr_blkback_disk *disk;
static struct pvr_blkback_engine *engine;
static uint8_t *area; /* begins and ends in the middle of a piece */

/* What a guest's memory is to the backend; new, and at the same place as the last one's. */
static void map_area(void)
{
	static uint8_t *place;

	if (!place) {
		place = mmap(NULL, 2 * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CU_ASSERT_FATAL(place != MAP_FAILED);
		place += PIECE + PIECE / 2 - (uintptr_t)place % PIECE;
	}
	area = mmap(
		place, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CU_ASSERT_PTR_EQUAL_FATAL(area, place);
}

/* The place is kept, so that nothing else is mapped there. */
static void unmap_area(void)
{
	mmap(area, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void set_up_with(struct pvr_blkback_spec spec)
{
	make_image(path, "/var/tmp", IMAGE_BYTES);
	spec.params = path;
	disk = open_disk(spec);
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_URING, &engine) == 0);
	CU_ASSERT_STRING_EQUAL_FATAL(engine->ops->name, "uring");
	map_area();
}

static void set_up(void)
{
	set_up_with((struct pvr_blkback_spec){.direct = "1"});
}

static void tear_down(void)
{
	pvr_blkback_engine_forget(engine, disk);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	unmap_area();
	unlink(path);
}

/* In up to two parts; whether the buffer was a registered one, or a negative errno. */
static int move2(enum pvr_blkback_op op, uint64_t offset, uint8_t *at, uint32_t bytes, uint8_t *at2)
{
	struct iovec iov[2] = {{at, bytes}, {at2, bytes}};
	struct pvr_blkback_io io = {.disk = disk,
		.op = op,
		.offset = offset,
		.left = at2 ? 2 * bytes : bytes,
		.iov = iov,
		.iov_count = at2 ? 2 : 1,
		.fixed = 9};

	pvr_blkback_engine_queue(engine, &io);
	pvr_blkback_engine_submit(engine);
	CU_ASSERT_PTR_EQUAL_FATAL(wait_io(engine), &io);
	return io.error ? io.error : io.fixed;
}

static int move(enum pvr_blkback_op op, uint64_t offset, uint8_t *at, uint32_t bytes)
{
	return move2(op, offset, at, bytes, NULL);
}

/* From `at` to the disk and back again to another place, which must then be the same. */
static void there_and_back(uint8_t *at, int seed, int fixed)
{
	uint8_t *back = at + 2 * PAGE;

	for (unsigned i = 0; i < 2 * PAGE; i++)
		at[i] = (uint8_t)(seed + (int)(i * 31) + (int)(i >> 8));
	memset(back, 0, 2 * PAGE);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_WRITE, 8 * PAGE, at, 2 * PAGE), fixed);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, 8 * PAGE, back, 2 * PAGE), fixed);
	CU_ASSERT_EQUAL(memcmp(at, back, 2 * PAGE), 0);
}

static void direct_io_is_fixed(void)
{
	uint8_t *boundary;

	if (!may_lock())
		return;
	set_up();
	there_and_back(area, 1, 0); /* not said to be there */
	pvr_blkback_engine_add_memory(engine, area, AREA);
	there_and_back(area, 2, 1);
	there_and_back(area + AREA - 4 * PAGE, 3, 1); /* its other end */
	there_and_back(pages[0], 4, 0);
	boundary = area + PIECE / 2;
	CU_ASSERT_EQUAL((uintptr_t)boundary % PIECE, 0);
	there_and_back(boundary, 5, 1);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_WRITE, 8 * PAGE, boundary - PAGE, 3 * PAGE), 0);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, 8 * PAGE, area, 3 * PAGE), 1);
	CU_ASSERT_EQUAL(memcmp(area, boundary - PAGE, 3 * PAGE), 0);
	CU_ASSERT_EQUAL(move2(PVR_BLKBACK_READ, 0, area, PAGE, area + 5 * PAGE), 0);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, IMAGE_BYTES, area, PAGE), -EIO);
	CU_ASSERT_EQUAL(engine->unfixed, 0);
	pvr_blkback_engine_drop_memory(engine, area);
	there_and_back(area, 7, 0);
	tear_down();
}

static void durable_writes_are_fixed_too(void)
{
	struct iovec iov;
	struct pvr_blkback_io io = {
		.op = PVR_BLKBACK_WRITE, .fua = 1, .left = PAGE, .iov = &iov, .iov_count = 1};

	if (!may_lock())
		return;
	set_up();
	pvr_blkback_engine_add_memory(engine, area, AREA);
	io.disk = disk;
	iov = (struct iovec){area, PAGE};
	memset(area, 0x5a, PAGE);
	pvr_blkback_engine_queue(engine, &io);
	pvr_blkback_engine_submit(engine);
	CU_ASSERT_PTR_EQUAL_FATAL(wait_io(engine), &io);
	CU_ASSERT(io.error == 0 && io.fixed == 1);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, 0, area + PAGE, PAGE), 1);
	CU_ASSERT_EQUAL(area[2 * PAGE - 1], 0x5a);
	tear_down();
}

/* Guests come and go at the same address: what is read reaches the newest one's memory. */
static void memory_goes_and_comes_back(void)
{
	if (!may_lock())
		return;
	set_up();
	for (int round = 0; round < 50; round++) {
		pvr_blkback_engine_add_memory(engine, area, AREA);
		for (unsigned at = 0; at < AREA; at += PIECE / 2)
			there_and_back(area + at, round, 1);
		pvr_blkback_engine_drop_memory(engine, area);
		unmap_area();
		map_area();
	}
	tear_down();
}

/* Two disks of a guest, or two rings of one: the last one to go takes the memory along. */
static void memory_has_several_users(void)
{
	if (!may_lock())
		return;
	set_up();
	pvr_blkback_engine_add_memory(engine, area, AREA);
	pvr_blkback_engine_add_memory(engine, area, AREA);
	there_and_back(area, 1, 1);
	pvr_blkback_engine_drop_memory(engine, area);
	there_and_back(area, 2, 1);
	pvr_blkback_engine_drop_memory(engine, area);
	there_and_back(area, 3, 0);
	pvr_blkback_engine_drop_memory(engine, area); /* nobody's: nothing happens */
	there_and_back(area, 4, 0);
	tear_down();
}

/* More guests than there is room for: the rest is served as well. */
static void too_much_memory(void)
{
	enum { GUESTS = PVR_BLKBACK_FIXED_REGIONS + 1 };

	if (!may_lock())
		return;
	set_up();
	for (unsigned i = 0; i < GUESTS; i++)
		pvr_blkback_engine_add_memory(engine, area + i * 4 * PAGE, 4 * PAGE);
	there_and_back(area, 1, 1);
	/* Regions that share a megabyte: the first one has it. */
	there_and_back(area + 4 * PAGE, 2, 0);
	there_and_back(area + (GUESTS - 1) * 4 * PAGE, 3, 0);
	for (unsigned i = 0; i < GUESTS; i++)
		pvr_blkback_engine_drop_memory(engine, area + i * 4 * PAGE);
	there_and_back(area, 4, 0);
	pvr_blkback_engine_add_memory(engine, area, AREA);
	there_and_back(area + 4 * PAGE, 5, 1);
	tear_down();
}

static void only_where_it_gains(void)
{
	set_up_with((struct pvr_blkback_spec){.direct = "1", .fixed = "0"});
	pvr_blkback_engine_add_memory(engine, area, AREA);
	there_and_back(area, 1, 0);
	tear_down();
	set_up_with((struct pvr_blkback_spec){.direct = NULL});
	pvr_blkback_engine_add_memory(engine, area, AREA);
	there_and_back(area, 1, 0);
	tear_down();
}

/* A piece that is not really there fails for itself, not for others; the I/O says EFAULT. */
static void memory_that_is_not_there(void)
{
	if (!may_lock())
		return;
	set_up();
	pvr_blkback_engine_add_memory(engine, area, AREA);
	munmap(area, PIECE / 2);
	CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, 0, area, PAGE), -EFAULT);
	there_and_back(area + PIECE / 2, 1, 1);
	CU_ASSERT_EQUAL(engine->unfixed, 0);
	pvr_blkback_engine_drop_memory(engine, area);
	tear_down();
}

/*
 * An ordinary user who may lock this much; 0 when all is right. In a child: rights do not come back.
 * New kernels count the ring itself too, and refuse it where there is no room for that either.
 */
static int with_memlock(rlim_t bytes)
{
	struct rlimit limit = {bytes, bytes};
	unsigned failures = CU_get_number_of_failures();
	int uring;

	pvr_blkback_engine_destroy(engine);
	if (setrlimit(RLIMIT_MEMLOCK, &limit) || (geteuid() == 0 && setuid(NOBODY)))
		return 2;
	if (pvr_blkback_engine_create(PVR_BLKBACK_URING, &engine))
		return 3;
	uring = !strcmp(engine->ops->name, "uring");
	if (!uring && (bytes || engine->refused != -ENOMEM))
		return 4;
	pvr_blkback_engine_add_memory(engine, area, AREA);
	for (int i = 0; i < 2000; i++) /* it tries again now and then */
		there_and_back(area, i, 0);
	pvr_blkback_engine_drop_memory(engine, area);
	if (uring && engine->unfixed != -ENOMEM)
		return 5;
	pvr_blkback_engine_destroy(engine);
	return CU_get_number_of_failures() != failures;
}

static void refused_memory_is_done_without(void)
{
	static const rlim_t limits[] = {0, PIECE / 2};

	for (unsigned i = 0; i < 2; i++) {
		int status = 0;
		pid_t child;

		set_up();
		child = fork();
		if (child == 0)
			_exit(with_memlock(limits[i]));
		waitpid(child, &status, 0);
		CU_ASSERT(WIFEXITED(status));
		CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
		tear_down();
	}
}

/* A lock stands for as long as anybody has the open file, a ring too. */
static void a_closed_disk_is_closed(void)
{
	int other, locked = -1;

	set_up();
	there_and_back(area, 1, 0);
	CU_ASSERT_EQUAL(flock(disk->fd, LOCK_EX | LOCK_NB), 0);
	pvr_blkback_engine_forget(engine, disk);
	pvr_blkback_disk_close(disk);
	other = open(path, O_RDWR);
	/* The kernel may take its time to let go. */
	for (unsigned i = 0; i < 20000 && locked; i++, usleep(1000))
		locked = flock(other, LOCK_EX | LOCK_NB);
	CU_ASSERT_EQUAL(locked, 0);
	close(other);
	/* Likely the same descriptor, and another file. */
	disk = open_disk((struct pvr_blkback_spec){.params = path, .direct = "1"});
	there_and_back(area, 2, 0);
	tear_down();
}

/* As many as share a slot of the table: each reads its own file. */
static void more_disks_than_slots(void)
{
	enum { DISKS = PVR_BLKBACK_FIXED_FILES + 8 };
	static struct pvr_blkback_disk *disks[DISKS];
	struct pvr_blkback_disk *first;
	struct rlimit many = {1024, 1024}, before;
	unsigned wrong = 0;

	getrlimit(RLIMIT_NOFILE, &before);
	many.rlim_max = before.rlim_max;
	CU_ASSERT_FATAL(setrlimit(RLIMIT_NOFILE, &many) == 0);
	set_up();
	first = disk;
	for (unsigned i = 0; i < DISKS; i++) {
		char name[64];

		make_image(name, "/dev/shm", PAGE);
		disks[i] = open_disk((struct pvr_blkback_spec){.params = name});
		disks[i]->inline_io = PVR_BLKBACK_SUBMIT;
		unlink(name);
		disk = disks[i];
		memset(area, (int)i, PAGE);
		CU_ASSERT_EQUAL(move(PVR_BLKBACK_WRITE, 0, area, PAGE), 0);
	}
	for (unsigned i = 0; i < DISKS; i++) {
		disk = disks[i];
		CU_ASSERT_EQUAL(move(PVR_BLKBACK_READ, 0, area, PAGE), 0);
		wrong += area[0] != (uint8_t)i || area[PAGE - 1] != (uint8_t)i;
		pvr_blkback_engine_forget(engine, disk);
		pvr_blkback_disk_close(disk);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	disk = first;
	there_and_back(area, 1, 0);
	tear_down();
	setrlimit(RLIMIT_NOFILE, &before);
}

PVR_SUITE(blkback_fixed, CASE(direct_io_is_fixed), CASE(durable_writes_are_fixed_too),
	CASE(memory_goes_and_comes_back), CASE(memory_has_several_users), CASE(too_much_memory),
	CASE(only_where_it_gains), CASE(memory_that_is_not_there),
	CASE(refused_memory_is_done_without), CASE(a_closed_disk_is_closed),
	CASE(more_disks_than_slots))
