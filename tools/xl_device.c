/* SPDX-License-Identifier: MIT */
/* Disks and interfaces as xl's files spell them, made into SPECs of ours. Pure text. */
#include "xl_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device.h"

/* What an entry says of a disk, whichever way it says it. */
struct disk_words {
	const char *target, *format, *vdev, *access;
};

static int known(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words))
		words++;
	return *words != NULL;
}

static int disk_make(const struct disk_words *w, struct disk_spec *disk, char *why, size_t size)
{
	static const char *const read_only[] = {"r", "ro", NULL}, *const writable[] = {
									  "", "w", "rw", NULL};
	const char *format = w->format ? w->format : "", *access = w->access ? w->access : "";
	char spec[1200];

	if (*format && strcmp(format, "raw"))
		return tool_say(why, size, -EINVAL,
			"format '%s' is not read here: raw, or serve it by NBD and say nbd=URI",
			format);
	if (!known(access, read_only) && !known(access, writable))
		return tool_say(why, size, -EINVAL, "access is r, ro, w or rw, not '%s'", access);
	if (!w->target || !*w->target)
		return tool_say(why, size, -EINVAL, "a disk needs a target: target=PATH");
	if (strchr(w->target, ','))
		return tool_say(why, size, -EINVAL, "a comma in the path '%s'", w->target);
	if (snprintf(spec, sizeof(spec), "file=%s%s%s%s", w->target, w->vdev ? ",vdev=" : "",
		    w->vdev ? w->vdev : "",
		    known(access, read_only) ? ",readonly=on" : "") >= (int)sizeof(spec))
		return tool_say(why, size, -EINVAL, "the entry is too long");
	return disk_spec_parse(spec, disk, why, size);
}

/* format=raw,vdev=xvda,access=rw,target=/path: the target is last, and all that is left of the text. */
static int disk_keys(char *text, struct disk_spec *disk, char *why, size_t size)
{
	struct disk_words w = {0};

	while (text && *text) {
		char *equals = strchr(text, '='), *comma;

		if (!strncmp(text, "target=", 7)) {
			w.target = text + 7;
			break;
		}
		comma = strchr(text, ',');
		if (comma)
			*comma++ = 0;
		if (!equals || (comma && equals > comma))
			return tool_say(why, size, -EINVAL, "'%s' is no key=value", text);
		*equals = 0;
		if (!strcmp(text, "format"))
			w.format = equals + 1;
		else if (!strcmp(text, "vdev"))
			w.vdev = equals + 1;
		else if (!strcmp(text, "access"))
			w.access = equals + 1;
		else
			return tool_say(why, size, -EINVAL,
				"unknown key '%s': format, vdev, access, target are known", text);
		text = comma;
	}
	return disk_make(&w, disk, why, size);
}

/* TARGET,FORMAT,VDEV,ACCESS; of the older phy:TARGET,VDEV,ACCESS the prefix is the format. */
static int disk_places(char *text, int has_format, struct disk_spec *disk, char *why, size_t size)
{
	struct disk_words w = {0};
	const char **const place[] = {&w.target, &w.format, &w.vdev, &w.access};
	char *word;

	for (size_t i = 0; (word = strsep(&text, ",")); i++) {
		if (i == 1 && !has_format)
			i++;
		if (i >= sizeof(place) / sizeof(place[0]))
			return tool_say(why, size, -EINVAL,
				"'%s' is more than target, %svdev, access", word,
				has_format ? "format, " : "");
		*place[i] = word;
	}
	return disk_make(&w, disk, why, size);
}

int xl_disk_parse(const char *text, struct disk_spec *disk, char *why, size_t size)
{
	char copy[1200];
	const char *second = strchr(text, ',');

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return tool_say(why, size, -EINVAL, "the entry is too long");
	if (!strncmp(text, "phy:", 4))
		return disk_places(copy + 4, 0, disk, why, size);
	if (!strncmp(text, "file:", 5))
		return disk_places(copy + 5, 0, disk, why, size);
	if (!strncmp(text, "target=", 7) || strstr(text, ",target="))
		return disk_keys(copy, disk, why, size);
	if (second && strcspn(second + 1, ",") <= strcspn(second + 1, "="))
		return disk_places(copy, 1, disk, why, size);
	return disk_spec_parse(text, disk, why, size);
}

/* Where our SPECs begin with the kind of what is outside, xl's have keys only: they are TAPs. */
int xl_vif_parse(const char *text, struct net_spec *net, char *why, size_t size)
{
	static const char *const keys[] = {"mac", "bridge", "rate", "mtu", "queues", NULL};
	char copy[512], key[32], spec[600] = "tap", *rest = copy, *word;
	size_t length = strcspn(text, "=,");

	snprintf(key, sizeof(key), "%.*s", (int)(length < 31 ? length : 31), text);
	if (*text && !known(key, keys) && strcmp(key, "vifname"))
		return net_spec_parse(text, net, why, size);
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return tool_say(why, size, -EINVAL, "the entry is too long");
	/* The TAP's name comes first in ours. */
	word = !strcmp(key, "vifname") ? copy : strstr(copy, ",vifname=");
	if (word) {
		word += *word == ',';
		snprintf(spec, sizeof(spec), "tap=%.*s", (int)strcspn(word + 8, ","), word + 8);
	}
	while ((word = strsep(&rest, ","))) {
		size_t used = strlen(spec);

		if (*word && strncmp(word, "vifname=", 8))
			snprintf(spec + used, sizeof(spec) - used, ",%s", word);
	}
	return net_spec_parse(spec, net, why, size);
}
