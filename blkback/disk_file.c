/* SPDX-License-Identifier: MIT */
/* Image files and block devices: size, sectors, whether they can discard, how they like to be read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "disk_open.h"

/* The file is there but cannot be opened: say what would help. */
static int refuse_open(char error[PVR_BLKBACK_LINE], int code, const char *path, int readonly)
{
	const char *hint = "check the path";

	if (code == EACCES || code == EPERM)
		hint = readonly ? "make it readable for this user"
				: "make it writable for this user, or use mode r";
	else if (code == EROFS)
		hint = "use mode r";
	else if (code == EINVAL)
		hint = "its file system has no direct I/O; leave out direct";
	return pvr_blkback_refuse(
		error, -code, "%s: cannot open: %s; %s", path, strerror(code), hint);
}

static int size_of_device(struct pvr_blkback_disk *disk, uint64_t *bytes)
{
	int logical;
	unsigned physical;

	if (ioctl(disk->fd, BLKGETSIZE64, bytes) || ioctl(disk->fd, BLKSSZGET, &logical) ||
		ioctl(disk->fd, BLKPBSZGET, &physical))
		return -errno;
	disk->facts.sector_size = (uint32_t)logical;
	disk->physical_size = physical;
	return 0;
}

/* /sys/dev/block/MAJOR:MINOR/NAME as a number; 0 when there is none. */
static uint64_t device_limit(dev_t device, const char *name)
{
	char path[96], text[24];
	uint64_t value = 0;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length > 0) {
		text[length] = 0;
		value = strtoull(text, NULL, 10);
	}
	return value;
}

/* Of a device, or of the device that a partition is on. */
static uint64_t queue_limit(dev_t device, const char *name)
{
	char path[48];
	uint64_t value;

	snprintf(path, sizeof(path), "queue/%s", name);
	value = device_limit(device, path);
	if (value)
		return value;
	snprintf(path, sizeof(path), "../queue/%s", name);
	return device_limit(device, path);
}

/*
 * BLKDISCARD sleeps for as long as the device likes, and io_uring cannot be asked for it before
 * Linux 6.12. A hole punched into the device is the same where the device can unmap and then reads
 * zeroes, and io_uring has threads for it. Where it cannot, nothing is offered. Nor is a secure
 * discard: BLKSECDISCARD exists as a sleeping call only.
 */
static void discard_of_device(struct pvr_blkback_disk *disk, dev_t device)
{
	disk->facts.discard = queue_limit(device, "discard_max_bytes") > 0 &&
			      queue_limit(device, "write_zeroes_max_bytes") > 0;
	disk->facts.discard_granularity = (uint32_t)queue_limit(device, "discard_granularity");
	disk->facts.discard_alignment = (uint32_t)device_limit(device, "discard_alignment");
}

/* Asked beyond the end, where there is nothing to lose. */
static void discard_of_file(struct pvr_blkback_disk *disk, const struct stat *st)
{
	uint32_t block = (uint32_t)st->st_blksize;

	disk->facts.discard = !disk->facts.readonly &&
			      !fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      (st->st_size / block + 1) * block, block);
	disk->facts.discard_granularity = block;
	disk->physical_size = block;
}

/* Direct I/O on a file needs what the device below needs; there is no portable way to ask but to
 * try. */
static int sector_for_direct(struct pvr_blkback_disk *disk)
{
	void *page;
	int result = -EINVAL;

	if (posix_memalign(&page, PVR_BLKBACK_SECTOR_MAX, PVR_BLKBACK_SECTOR_MAX))
		return -ENOMEM;
	for (uint32_t size = PVR_BLKBACK_SECTOR; size <= PVR_BLKBACK_SECTOR_MAX && result;
		size *= 2)
		if (pread(disk->fd, page, size, 0) >= 0) {
			disk->facts.sector_size = size;
			result = 0;
		}
	free(page);
	return result;
}

/* A read that needs no waiting can be done where it is asked for; whether the file can is asked of
 * it. */
static enum pvr_blkback_inline inline_of_file(int fd)
{
	struct statfs fs;
	char byte;
	struct iovec one = {&byte, 1};

	if (!fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		return PVR_BLKBACK_INLINE_ALL;
	if (preadv2(fd, &one, 1, 0, RWF_NOWAIT) < 0 && errno != EAGAIN)
		return PVR_BLKBACK_SUBMIT;
	return PVR_BLKBACK_INLINE_CACHED;
}

int pvr_blkback_disk_open_file(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	int direct = spec->direct && !strcmp(spec->direct, "1");
	int flags = (disk->facts.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	const char *path = spec->params;
	struct stat st;
	uint64_t bytes;

	if (path[0] != '/')
		return pvr_blkback_refuse(
			error, -EINVAL, "%s: not an absolute path; write it from /", path);
	/*
	 * O_NONBLOCK: a FIFO in place of an image must not hang the control thread. Only for that:
	 * io_uring answers EAGAIN on such a file where it would wait otherwise.
	 */
	disk->fd = open(path, flags | (direct ? O_DIRECT : 0));
	disk->fixed = direct && !(spec->fixed && !strcmp(spec->fixed, "0"));
	if (disk->fd < 0 || fcntl(disk->fd, F_SETFL, direct ? O_DIRECT : 0))
		return refuse_open(error, errno, path, disk->facts.readonly);
	if (fstat(disk->fd, &st))
		return pvr_blkback_refuse(error, -errno, "%s: %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		int result = size_of_device(disk, &bytes);

		discard_of_device(disk, st.st_rdev);
		if (result)
			return pvr_blkback_refuse(
				error, result, "%s: no size: %s", path, strerror(-result));
		return pvr_blkback_disk_set_size(disk, spec, bytes, error);
	}
	if (!S_ISREG(st.st_mode))
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: neither a file nor a block device; name an image", path);
	discard_of_file(disk, &st);
	if (direct && sector_for_direct(disk))
		return pvr_blkback_refuse(
			error, -EINVAL, "%s: direct reads fail; leave out direct", path);
	if (!direct)
		disk->inline_io = inline_of_file(disk->fd);
	return pvr_blkback_disk_set_size(disk, spec, (uint64_t)st.st_size, error);
}
