/* SPDX-License-Identifier: MIT */
/* What a user writes to name a disk, and the names and numbers of virtual devices. Pure text, no
 * I/O. */
#include "tools.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char disk_spec_help[] =
	"A disk SPEC is a path, or file=PATH, nbd=URI, mem=SIZE or null=SIZE "
	"(SIZE in bytes, with k, M, G or T), "
	"followed by any of\n"
	"  ,vdev=NAME      xvda, xvdb, ... (default: the first free)\n"
	"  ,readonly=on    the guest may not write\n"
	"  ,direct=on      bypass the page cache (O_DIRECT)\n"
	"  ,fixed=off      with direct=on: do not pin the guest's memory for I/O\n"
	"  ,discard=off    the guest may not give space back\n"
	"  ,queues=N       rings the guest may use, up to 16 (default: one a worker)\n"
	"  ,sector=N       512 or 4096: the sector size the guest is told\n"
	"  ,iops=N ,bps=SIZE  requests and bytes a second, at most (default: no limit)\n"
	"  ,engine=NAME    of a file: uring (default), aio or sync\n";

static int parse_switch(const char *text, int *on)
{
	if (strcmp(text, "on") && strcmp(text, "off"))
		return -EINVAL;
	*on = !strcmp(text, "on");
	return 0;
}

static int parse_path(const char *text, struct disk_spec *spec, char *why, size_t size)
{
	char cwd[PATH_MAX];
	int length;

	if (!*text)
		return tool_say(why, size, -EINVAL, "a disk needs a path: file=PATH");
	spec->type = DISK_FILE;
	if (*text == '/')
		length = snprintf(spec->path, sizeof(spec->path), "%s", text);
	else if (!realpath(".", cwd))
		return tool_say(why, size, -EINVAL, "no current directory to find '%s' in", text);
	else
		length = snprintf(spec->path, sizeof(spec->path), "%s/%s", cwd, text);
	if (length >= (int)sizeof(spec->path))
		return tool_say(why, size, -EINVAL, "the path is longer than %zu bytes",
			sizeof(spec->path) - 1);
	return 0;
}

static int parse_uri(const char *text, struct disk_spec *spec, char *why, size_t size)
{
	if (strncmp(text, "nbd://", 6) && strncmp(text, "nbd+unix://", 11))
		return tool_say(why, size, -EINVAL,
			"'%s' is no NBD URI: nbd://HOST[:PORT][/EXPORT] or "
			"nbd+unix:///[EXPORT]?socket=PATH",
			text);
	spec->type = DISK_NBD;
	if (snprintf(spec->path, sizeof(spec->path), "%s", text) >= (int)sizeof(spec->path))
		return tool_say(why, size, -EINVAL, "the URI is longer than %zu bytes",
			sizeof(spec->path) - 1);
	return 0;
}

static int parse_bytes(
	const char *text, enum disk_type type, struct disk_spec *spec, char *why, size_t size)
{
	spec->type = type;
	if (tool_size(text, &spec->bytes) || spec->bytes < 512 || spec->bytes % 512)
		return tool_say(why, size, -EINVAL,
			"'%s' is no disk size: a multiple of 512 bytes, such as 64M or 1G", text);
	return 0;
}

/* One key=value after the first. */
static int parse_option(
	const char *key, const char *value, struct disk_spec *spec, char *why, size_t size)
{
	uint32_t number;
	uint64_t queues;
	int on;

	if (!strcmp(key, "vdev")) {
		if (disk_vdev_number(value, &number))
			return tool_say(
				why, size, -EINVAL, "'%s' is no device name: xvda to xvdz", value);
		snprintf(spec->vdev, sizeof(spec->vdev), "%s", value);
		return 0;
	}
	if (!strcmp(key, "engine")) {
		if (strcmp(value, "uring") && strcmp(value, "aio") && strcmp(value, "sync"))
			return tool_say(why, size, -EINVAL,
				"engine is uring, aio or sync, not '%s'", value);
		snprintf(spec->engine, sizeof(spec->engine), "%s", value);
		return 0;
	}
	if (!strcmp(key, "queues")) {
		if (tool_number(value, 1, DISK_QUEUES_MAX, &queues))
			return tool_say(why, size, -EINVAL,
				"queues is a number from 1 to %u, not '%s'", DISK_QUEUES_MAX,
				value);
		spec->queues = (unsigned)queues;
		return 0;
	}
	if (!strcmp(key, "iops") || !strcmp(key, "bps")) {
		uint64_t *limit = *key == 'i' ? &spec->iops : &spec->bps;

		if (tool_size(value, limit) || !*limit || *limit > UINT32_MAX)
			return tool_say(why, size, -EINVAL, "%s is a number up to %u, not '%s'",
				key, UINT32_MAX, value);
		return 0;
	}
	if (!strcmp(key, "sector")) {
		if (strcmp(value, "512") && strcmp(value, "4096"))
			return tool_say(
				why, size, -EINVAL, "sector is 512 or 4096, not '%s'", value);
		spec->sector = *value == '5' ? 512 : 4096;
		return 0;
	}
	if (!strcmp(key, "discard") || !strcmp(key, "fixed")) {
		if (parse_switch(value, &on))
			return tool_say(
				why, size, -EINVAL, "%s is on or off, not '%s'", key, value);
		*(*key == 'd' ? &spec->no_discard : &spec->no_fixed) = !on;
		return 0;
	}
	if (!strcmp(key, "readonly") || !strcmp(key, "direct")) {
		if (parse_switch(value, *key == 'r' ? &spec->readonly : &spec->direct))
			return tool_say(
				why, size, -EINVAL, "%s is on or off, not '%s'", key, value);
		return 0;
	}
	return tool_say(why, size, -EINVAL,
		"unknown key '%s': vdev, readonly, direct, fixed, discard, queues, sector, "
		"engine, iops, bps are known",
		key);
}

static int parse_first(
	const char *key, const char *value, struct disk_spec *spec, char *why, size_t size)
{
	if (!strcmp(key, "file"))
		return parse_path(value, spec, why, size);
	if (!strcmp(key, "nbd"))
		return parse_uri(value, spec, why, size);
	if (!strcmp(key, "mem"))
		return parse_bytes(value, DISK_MEM, spec, why, size);
	if (!strcmp(key, "null"))
		return parse_bytes(value, DISK_NULL, spec, why, size);
	return tool_say(why, size, -EINVAL,
		"unknown kind of disk '%s': file, nbd, mem, null are known", key);
}

int disk_spec_parse(const char *text, struct disk_spec *spec, char *why, size_t size)
{
	char copy[2048], *save, *part;
	int first = 1, rc = 0;

	memset(spec, 0, sizeof(*spec));
	if (strlen(text) >= sizeof(copy))
		return tool_say(
			why, size, -EINVAL, "a disk SPEC has at most %zu bytes", sizeof(copy) - 1);
	strcpy(copy, text);
	for (part = strtok_r(copy, ",", &save); part && !rc; part = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(part, '=');

		if (first && !equals) {
			rc = parse_path(part, spec, why, size);
		} else if (!equals) {
			rc = tool_say(why, size, -EINVAL, "'%s' is no key=value", part);
		} else {
			*equals = 0;
			rc = first ? parse_first(part, equals + 1, spec, why, size)
				   : parse_option(part, equals + 1, spec, why, size);
		}
		first = 0;
	}
	return first ? tool_say(why, size, -EINVAL, "an empty disk SPEC") : rc;
}

/*
 * xvda is major 202 minor 0, with 16 minors a disk for xvda to xvdp; disks from the 17th on use the
 * extended numbering 1 << 28 | index << 8 (Xen's docs/man/xen-vbd-interface.7).
 */
int disk_vdev_number(const char *vdev, uint32_t *number)
{
	if (strncmp(vdev, "xvd", 3) || vdev[3] < 'a' || vdev[3] > 'z' || vdev[4])
		return -EINVAL;

	uint32_t index = (uint32_t)(vdev[3] - 'a');

	*number = index < 16 ? 202u << 8 | index << 4 : 1u << 28 | index << 8;
	return 0;
}

const char *disk_vdev_name(uint32_t number, char out[16])
{
	if (number >> 8 == 202 && !(number & 15))
		snprintf(out, 16, "xvd%c", (char)('a' + (number >> 4 & 15)));
	else if (number >> 28 == 1 && (number >> 8 & 0xfffff) < 26)
		snprintf(out, 16, "xvd%c", (char)('a' + (number >> 8 & 0xfffff)));
	else
		snprintf(out, 16, "%u", number);
	return out;
}
