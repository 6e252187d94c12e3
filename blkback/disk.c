/* SPDX-License-Identifier: MIT */
/* Opens what a device serves: which kind it is, and what all kinds have in common. */
#include "disk_open.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbd.h"

static int is(const char *value, const char *wanted)
{
	return value && !strcmp(value, wanted);
}

int pvr_blkback_refuse(char error[PVR_BLKBACK_LINE], int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, PVR_BLKBACK_LINE, format, list);
	va_end(list);
	return code;
}

/* What the toolstack wants is a promise to the guest that the image must be able to keep. */
static int set_sector(struct pvr_blkback_disk *disk, const struct pvr_blkback_spec *spec,
	char error[PVR_BLKBACK_LINE])
{
	uint32_t needed = disk->facts.sector_size;

	if (needed < PVR_BLKBACK_SECTOR || needed > PVR_BLKBACK_SECTOR_MAX || needed & (needed - 1))
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: sectors of %u bytes; 512 to 4096 can be served", spec->params, needed);
	if (!spec->sector)
		return 0;
	if (!is(spec->sector, "512") && !is(spec->sector, "4096"))
		return pvr_blkback_refuse(
			error, -EINVAL, "sector %s: unknown; use 512 or 4096", spec->sector);
	disk->facts.sector_size = is(spec->sector, "512") ? 512 : 4096;
	if (disk->facts.sector_size < needed)
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: needs sectors of %u bytes; use sector 4096", spec->params, needed);
	return 0;
}

int pvr_blkback_disk_set_size(struct pvr_blkback_disk *disk, const struct pvr_blkback_spec *spec,
	uint64_t bytes, char error[PVR_BLKBACK_LINE])
{
	const char *what = spec->params;
	int result = set_sector(disk, spec, error);
	uint32_t sector = disk->facts.sector_size;

	if (result)
		return result;
	if (bytes == 0)
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: is empty; make it a multiple of %u bytes long (truncate -s)", what,
			sector);
	if (bytes > INT64_MAX)
		return pvr_blkback_refuse(
			error, -EINVAL, "%s: too large; at most 2^63 - 1 bytes", what);
	if (bytes % sector)
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: size %llu is not a multiple of the sector size %u; truncate -s %%%u "
			"it",
			what, (unsigned long long)bytes, sector, sector);
	disk->facts.sectors = bytes / PVR_BLKBACK_SECTOR;
	if (disk->physical_size < sector)
		disk->physical_size = sector;
	return 0;
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
		return pvr_blkback_refuse(
			error, -EINVAL, "%s: not a size; write bytes in decimal", spec->params);
	result = pvr_blkback_disk_set_size(disk, spec, bytes, error);
	disk->facts.discard = disk->facts.discard_secure = 1;
	if (result || disk->kind != PVR_BLKBACK_MEM)
		return result;
	if (bytes > SIZE_MAX)
		return pvr_blkback_refuse(
			error, -ENOMEM, "mem %s: larger than the address space", spec->params);
	disk->memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk->memory == MAP_FAILED) {
		disk->memory = NULL;
		return pvr_blkback_refuse(error, -ENOMEM,
			"mem %s: no memory for it; choose a smaller size", spec->params);
	}
	disk->length = (size_t)bytes;
	return 0;
}

/* Of an image; the other types have one engine each. */
static int choose_engine(const struct pvr_blkback_spec *spec, enum pvr_blkback_kind *kind)
{
	static const char *const names[] = {
		[PVR_BLKBACK_URING] = "uring",
		[PVR_BLKBACK_AIO] = "aio",
		[PVR_BLKBACK_SYNC] = "sync",
	};

	*kind = PVR_BLKBACK_URING;
	if (!spec->engine)
		return 0;
	while (*kind <= PVR_BLKBACK_SYNC && !is(spec->engine, names[*kind]))
		++*kind;
	return *kind <= PVR_BLKBACK_SYNC ? 0 : -EINVAL;
}

static int open_by_type(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	if (!spec->params || !spec->params[0])
		return pvr_blkback_refuse(
			error, -EINVAL, "params: missing; name an image or a size");
	if (spec->mode && !is(spec->mode, "r") && !is(spec->mode, "w"))
		return pvr_blkback_refuse(
			error, -EINVAL, "mode %s: unknown; use r or w", spec->mode);
	if (choose_engine(spec, &disk->kind))
		return pvr_blkback_refuse(
			error, -EINVAL, "engine %s: unknown; use uring, aio or sync", spec->engine);
	/* libxl knows no other type for a disk with a script; a file's name begins with a slash. */
	if (is(spec->type, "nbd") || (is(spec->type, "phy") && !strncmp(spec->params, "nbd", 3)))
		return pvr_blkback_disk_open_nbd(spec, disk, error);
	if (!spec->type || is(spec->type, "file") || is(spec->type, "phy"))
		return pvr_blkback_disk_open_file(spec, disk, error);
	if (is(spec->type, "mem"))
		disk->kind = PVR_BLKBACK_MEM;
	else if (is(spec->type, "null"))
		disk->kind = PVR_BLKBACK_NULL;
	else
		return pvr_blkback_refuse(error, -EINVAL,
			"type %s: unknown; use file, phy, nbd, mem or null", spec->type);
	return open_size(spec, disk, error);
}

int pvr_blkback_disk_open(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk **disk,
	char error[PVR_BLKBACK_LINE])
{
	struct pvr_blkback_disk *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return pvr_blkback_refuse(error, -ENOMEM, "no memory");
	new->fd = -1;
	new->facts.sector_size = PVR_BLKBACK_SECTOR;
	new->facts.barrier = 1;
	new->facts.readonly = is(spec->mode, "r");
	result = open_by_type(spec, new, error);
	if (result) {
		pvr_blkback_disk_close(new);
		return result;
	}
	if (new->facts.readonly || is(spec->discard, "0"))
		new->facts.discard = new->facts.discard_secure = 0;
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
	pvr_blkback_nbd_close(disk->nbd);
	free(disk);
}
