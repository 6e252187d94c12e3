/* SPDX-License-Identifier: MIT */
/* Numbers, sizes and error lines of the command. */
#include "tools.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

const char *tool_verb = "";

static int number(const char *text, uint64_t *value, char **end)
{
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, end, 10);
	return errno ? -EINVAL : 0;
}

int tool_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value)
{
	char *end;
	uint64_t got;

	if (number(text, &got, &end) || *end || got < lowest || got > highest)
		return -EINVAL;
	*value = got;
	return 0;
}

int tool_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "kmgt";
	char *end;
	uint64_t got;
	unsigned shift = 0;

	if (number(text, &got, &end))
		return -EINVAL;
	if (*end) {
		const char *at = strchr(suffixes, tolower((unsigned char)*end));

		if (!at || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(at - suffixes + 1);
	}
	if (got > UINT64_MAX >> shift)
		return -EINVAL;
	*bytes = got << shift;
	return 0;
}

const char *tool_size_text(uint64_t bytes, char out[16])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	snprintf(out, 16, value < 10 && unit && value != (double)(int)value ? "%.1f%c" : "%.0f%c",
		value, units[unit]);
	return out;
}

int tool_error(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "pvring%s%s: ", *tool_verb ? " " : "", tool_verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int tool_say(char *why, size_t size, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return error;
}

int tool_status(long error)
{
	switch (error) {
	case 0:
		return EX_OK;
	case -EINVAL:
		return EX_USAGE;
	case -ENOENT:
		return EX_NOINPUT;
	case -EACCES:
	case -EPERM:
		return EX_NOPERM;
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return EX_OSERR;
	case -EIO:
	case -ENODEV:
		return EX_IOERR;
	case -EPROTO:
		return EX_PROTOCOL;
	case -ENOSPC:
	case -EEXIST:
		return EX_CANTCREAT;
	default:
		return EX_UNAVAILABLE;
	}
}

int tool_no_hypervisor(const char *dir, long error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return tool_error(EX_UNAVAILABLE,
			"no hypervisor answers in '%s': start one with 'pvring hypervisor', or "
			"name "
			"its directory with --dir or $PVRING_DIR",
			dir);
	case -EACCES:
	case -EPERM:
		return tool_error(EX_NOPERM,
			"the hypervisor in '%s' is another user's: ask as root or as that user",
			dir);
	default:
		return tool_error(
			tool_status(error), "hypervisor in '%s': %s", dir, strerror((int)-error));
	}
}
