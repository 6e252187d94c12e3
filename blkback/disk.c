/* SPDX-License-Identifier: MIT */
/* Opens what a device serves and finds out its size, sectors and how it likes to be read. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SECTOR_MAX 4096u

static int is(const char *value, const char *wanted)
{
	return value && !strcmp(value, wanted);
}

__attribute__((format(printf, 3, 4))) static int refuse(
	char error[PVR_BLKBACK_LINE], int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, PVR_BLKBACK_LINE, format, list);
	va_end(list);
	return code;
}

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
	return refuse(error, -code, "%s: cannot open: %s; %s", path, strerror(code), hint);
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

/* Direct I/O on a file needs what the device below needs; there is no portable way to ask but to
 * try. */
static int sector_for_direct(struct pvr_blkback_disk *disk)
{
	void *page;
	int result = -EINVAL;

	if (posix_memalign(&page, SECTOR_MAX, SECTOR_MAX))
		return -ENOMEM;
	for (uint32_t size = PVR_BLKBACK_SECTOR; size <= SECTOR_MAX && result; size *= 2)
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

static int set_size(struct pvr_blkback_disk *disk, uint64_t bytes, const char *what,
	char error[PVR_BLKBACK_LINE])
{
	uint32_t sector = disk->facts.sector_size;

	if (sector < PVR_BLKBACK_SECTOR || sector > SECTOR_MAX || sector & (sector - 1))
		return refuse(error, -EINVAL, "%s: sectors of %u bytes; 512 to 4096 can be served",
			what, sector);
	if (bytes == 0)
		return refuse(error, -EINVAL,
			"%s: is empty; make it a multiple of %u bytes long (truncate -s)", what,
			sector);
	if (bytes > INT64_MAX)
		return refuse(error, -EINVAL, "%s: too large; at most 2^63 - 1 bytes", what);
	if (bytes % sector)
		return refuse(error, -EINVAL,
			"%s: size %llu is not a multiple of the sector size %u; truncate -s %%%u "
			"it",
			what, (unsigned long long)bytes, sector, sector);
	disk->facts.sectors = bytes / PVR_BLKBACK_SECTOR;
	if (disk->physical_size < sector)
		disk->physical_size = sector;
	return 0;
}

static int open_file(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	int direct = is(spec->direct, "1");
	int flags = (disk->facts.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	const char *path = spec->params;
	struct stat st;
	uint64_t bytes;

	if (path[0] != '/')
		return refuse(error, -EINVAL, "%s: not an absolute path; write it from /", path);
	/*
	 * O_NONBLOCK: a FIFO in place of an image must not hang the control thread. Only for that:
	 * io_uring answers EAGAIN on such a file where it would wait otherwise.
	 */
	disk->fd = open(path, flags | (direct ? O_DIRECT : 0));
	if (disk->fd < 0 || fcntl(disk->fd, F_SETFL, direct ? O_DIRECT : 0))
		return refuse_open(error, errno, path, disk->facts.readonly);
	if (fstat(disk->fd, &st))
		return refuse(error, -errno, "%s: %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		int result = size_of_device(disk, &bytes);

		if (result)
			return refuse(error, result, "%s: no size: %s", path, strerror(-result));
		return set_size(disk, bytes, path, error);
	}
	if (!S_ISREG(st.st_mode))
		return refuse(error, -EINVAL,
			"%s: neither a file nor a block device; name an image", path);
	if (direct && sector_for_direct(disk))
		return refuse(error, -EINVAL, "%s: direct reads fail; leave out direct", path);
	if (!direct)
		disk->inline_io = inline_of_file(disk->fd);
	return set_size(disk, (uint64_t)st.st_size, path, error);
}

static int open_size(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	char *end;
	unsigned long long bytes;
	int result;

	errno = 0;
	bytes = strtoull(spec->params, &end, 10);
	if (spec->params[0] < '0' || spec->params[0] > '9' || *end || errno)
		return refuse(
			error, -EINVAL, "%s: not a size; write bytes in decimal", spec->params);
	result = set_size(disk, bytes, spec->type, error);
	if (result || disk->kind != PVR_BLKBACK_MEM)
		return result;
	if (bytes > SIZE_MAX)
		return refuse(
			error, -ENOMEM, "mem %s: larger than the address space", spec->params);
	disk->memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->memory == MAP_FAILED) {
		disk->memory = NULL;
		return refuse(error, -ENOMEM, "mem %s: no memory for it; choose a smaller size",
			spec->params);
	}
	disk->length = (size_t)bytes;
	return 0;
}

static int open_by_type(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	if (!spec->params || !spec->params[0])
		return refuse(error, -EINVAL, "params: missing; name an image or a size");
	if (spec->mode && !is(spec->mode, "r") && !is(spec->mode, "w"))
		return refuse(error, -EINVAL, "mode %s: unknown; use r or w", spec->mode);
	if (spec->engine && !is(spec->engine, "uring") && !is(spec->engine, "sync"))
		return refuse(
			error, -EINVAL, "engine %s: unknown; use uring or sync", spec->engine);
	disk->kind = is(spec->engine, "sync") ? PVR_BLKBACK_SYNC : PVR_BLKBACK_URING;
	if (!spec->type || is(spec->type, "file") || is(spec->type, "phy"))
		return open_file(spec, disk, error);
	if (is(spec->type, "mem"))
		disk->kind = PVR_BLKBACK_MEM;
	else if (is(spec->type, "null"))
		disk->kind = PVR_BLKBACK_NULL;
	else
		return refuse(
			error, -EINVAL, "type %s: unknown; use file, phy, mem or null", spec->type);
	return open_size(spec, disk, error);
}

int pvr_blkback_disk_open(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk **disk,
	char error[PVR_BLKBACK_LINE])
{
	struct pvr_blkback_disk *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return refuse(error, -ENOMEM, "no memory");
	new->fd = -1;
	new->facts.sector_size = PVR_BLKBACK_SECTOR;
	new->facts.readonly = is(spec->mode, "r");
	result = open_by_type(spec, new, error);
	if (result) {
		pvr_blkback_disk_close(new);
		return result;
	}
	*disk = new;
	return 0;
}

void pvr_blkback_disk_close(struct pvr_blkback_disk *disk)
{
	if (!disk)
		return;
	if (disk->memory)
		munmap(disk->memory, disk->length);
	if (disk->fd >= 0)
		close(disk->fd);
	free(disk);
}
