/* SPDX-License-Identifier: MIT */
/* The whole backend with direct I/O, whose guest's memory is registered with io_uring meanwhile. */
#include "blkback_device_rig.h"

#include <fcntl.h>
#include <string.h>

#include "memlock_rig.h"

static uint64_t fixed_so_far(const char *directory)
{
	static struct pvr_blkback_stats stats;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/stats/vbd-7-51712", directory);
	file = fopen(path, "r");
	CU_ASSERT_FATAL(file != NULL);
	CU_ASSERT_EQUAL(fread(&stats, sizeof(stats), 1, file), 1);
	fclose(file);
	return stats.fixed;
}

/* Connect, use and close, many times over; the workers take turns. */
static void come_and_go(const char *directory, const char *image, const char *fixed)
{
	start_in(directory);
	mock_store_write(BACK "/direct", "1");
	mock_store_write(BACK "/fixed", "%s", fixed);
	attach("file", image, FRONT);
	for (unsigned i = 0; i < 30; i++) {
		connect_front();
		for (unsigned j = 0; j < 4; j++)
			write_and_read();
		/* A write and a read each: the counter says so, or that there was none. */
		CU_ASSERT_EQUAL(fixed_so_far(directory), *fixed == '1' ? (i + 1) * 8 : 0);
		mock_store_write(FRONT "/state", "5");
		CU_ASSERT_FATAL(becomes(XenbusStateClosing));
		mock_store_write(FRONT "/state", "6");
		CU_ASSERT_FATAL(becomes(XenbusStateClosed));
		CU_ASSERT_EQUAL(mock_host_mapped(), 0);
		front_init_ring(&front, 0);
		mock_store_write(FRONT "/state", "1");
	}
	stop();
}

static void direct_disks_come_and_go(void)
{
	char directory[] = "/tmp/pvring-test-XXXXXX", image[] = "/var/tmp/pvring-test-XXXXXX";
	char stats[64];
	int fd = mkstemp(image);

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 1 << 20) == 0 && mkdtemp(directory));
	if (may_lock())
		come_and_go(directory, image, "1");
	come_and_go(directory, image, "0");
	snprintf(stats, sizeof(stats), "%s/stats", directory);
	CU_ASSERT_EQUAL(rmdir(stats), 0);
	snprintf(stats, sizeof(stats), "%s/inflight", directory);
	CU_ASSERT_EQUAL(rmdir(stats), 0);
	CU_ASSERT_EQUAL(rmdir(directory), 0);
	close(fd);
	unlink(image);
}

PVR_SUITE(blkback_direct, CASE(direct_disks_come_and_go))
