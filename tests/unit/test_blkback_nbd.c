/* SPDX-License-Identifier: MIT */
/* NBD disks on a real server: data, order of failure, and a server that goes and comes back. */
#include "engine_rig.h"
#include "nbd_rig.h"

static struct pvr_blkback_disk *open_nbd(void)
{
	return open_disk((struct pvr_blkback_spec){.type = "nbd", .params = uri});
}

static void data_goes_both_ways(void)
{
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	pid_t server;

	nbd_prepare(IMAGE_BYTES);
	server = nbd_serve((const char *const[]){"file", image, NULL});
	CU_ASSERT_FATAL(server > 0);
	disk = open_nbd();
	CU_ASSERT_EQUAL(disk->facts.sectors, IMAGE_BYTES / 512);
	CU_ASSERT(disk->facts.discard);
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_NBD, &engine) == 0);
	fill(0, 4, 11);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 8 * PAGE, 0, 4), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 8 * PAGE, 4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], 4 * PAGE), 0);
	CU_ASSERT_EQUAL(do_discard(engine, disk, PVR_BLKBACK_DISCARD, 9 * PAGE, PAGE), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 8 * PAGE, 4, 4), 0);
	memset(pages[1], 0, PAGE);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], 4 * PAGE), 0);
	/* A second time after the engine let go: by a connection of its own. */
	pvr_blkback_engine_forget(engine, disk);
	memset(pages[4], 1, 4 * PAGE);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 8 * PAGE, 4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], 4 * PAGE), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	/* As libxl has it. */
	disk = open_disk((struct pvr_blkback_spec){.type = "phy", .params = uri});
	CU_ASSERT_EQUAL(disk->kind, PVR_BLKBACK_NBD);
	pvr_blkback_disk_close(disk);
	nbd_stop(server);
	nbd_remove();
}

/* More than a connection has in flight, of one and of two pieces of memory. */
static void many_at_once(void)
{
	enum { COUNT = 300 };
	static struct pvr_blkback_io io[COUNT];
	static struct iovec iov[COUNT][2];
	static uint8_t data[COUNT][1024];
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	unsigned seen = 0, wrong = 0;
	pid_t server;

	nbd_prepare(IMAGE_BYTES);
	server = nbd_serve((const char *const[]){"pattern", "1M", NULL});
	CU_ASSERT_FATAL(server > 0);
	disk = open_disk((struct pvr_blkback_spec){.type = "nbd", .params = uri, .mode = "r"});
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_NBD, &engine) == 0);
	for (unsigned i = 0; i < COUNT; i++) {
		iov[i][0] = (struct iovec){data[i], i % 2 ? 512 : 1024};
		iov[i][1] = (struct iovec){data[i] + 512, 512};
		io[i] = (struct pvr_blkback_io){.disk = disk,
			.op = PVR_BLKBACK_READ,
			.offset = i * 1024,
			.left = 1024,
			.iov_count = 1 + i % 2,
			.iov = iov[i]};
		pvr_blkback_engine_queue(engine, &io[i]);
	}
	pvr_blkback_engine_submit(engine);
	while (seen < COUNT && wait_io(engine))
		seen++;
	CU_ASSERT_EQUAL(seen, COUNT);
	/* The pattern plugin serves each eight bytes' own offset, big-endian. */
	for (unsigned i = 0; i < COUNT; i++)
		for (unsigned at = 0; at < 1024; at += 8) {
			uint64_t word;

			memcpy(&word, data[i] + at, 8);
			wrong += io[i].error || __builtin_bswap64(word) != i * 1024 + at;
		}
	CU_ASSERT_EQUAL(wrong, 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	nbd_stop(server);
	nbd_remove();
}

/* The server dies: EIO and no crash. It comes back: the first flush fails for what may be lost, then
 * all is well. */
static void server_goes_and_comes_back(void)
{
	const char *const how[] = {"file", image, NULL};
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	pid_t server;

	nbd_prepare(IMAGE_BYTES);
	server = nbd_serve(how);
	CU_ASSERT_FATAL(server > 0);
	disk = open_nbd();
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_NBD, &engine) == 0);
	fill(0, 1, 21);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 0, 0, 1), 0);
	nbd_stop(server);
	unlink(socket_path);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 4, 1), -EIO);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 4, 1), -EIO);
	server = nbd_serve(how);
	CU_ASSERT_FATAL(server > 0);
	usleep(1100000); /* a server that was not there is asked again after a second */
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 4, 1), 0);
	CU_ASSERT_EQUAL(memcmp(pages[0], pages[4], PAGE), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), -EIO);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	nbd_stop(server);
	nbd_remove();
}

/* The server's own errors are those requests' alone. */
static void server_errors_reach_their_request(void)
{
	struct pvr_blkback_engine *engine;
	struct pvr_blkback_disk *disk;
	pid_t server;

	nbd_prepare(IMAGE_BYTES);
	server = nbd_serve((const char *const[]){"--filter=error", "memory", "1M",
		"error-pwrite=ENOSPC", "error-pwrite-rate=100%", NULL});
	CU_ASSERT_FATAL(server > 0);
	disk = open_nbd();
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_NBD, &engine) == 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_WRITE, 0, 0, 2), -ENOSPC);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_READ, 0, 0, 2), 0);
	CU_ASSERT_EQUAL(do_io(engine, disk, PVR_BLKBACK_FLUSH, 0, 0, 0), 0);
	pvr_blkback_engine_destroy(engine);
	pvr_blkback_disk_close(disk);
	nbd_stop(server);
	nbd_remove();
}

PVR_SUITE(blkback_nbd, CASE(data_goes_both_ways), CASE(many_at_once),
	CASE(server_goes_and_comes_back), CASE(server_errors_reach_their_request))
