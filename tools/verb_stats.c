/* SPDX-License-Identifier: MIT */
/* pvring stats: the counters that the backend keeps in files below "stats" of the hypervisor's
 * directory. */
#include "tools.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/blkback.h>

#include "args.h"

struct options {
	struct dir_arg dir;
	int json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'D':
		return dir_arg_set(&o->dir, arg, state);
	case 'j':
		o->json = 1;
		return 0;
	case ARGP_KEY_ARG:
		argp_failure(state, EX_USAGE, 0, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The latency that `fraction` of all requests did not exceed, to within a bucket; 0 before the
 * first. */
static uint64_t latency_at(const struct pvr_blkback_stats *s, double fraction)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++)
		total += get(&s->latency[i]);
	if (!total)
		return 0;
	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++) {
		seen += get(&s->latency[i]);
		if ((double)seen >= fraction * (double)total)
			return pvr_blkback_stats_bound(i);
	}
	return pvr_blkback_stats_bound(PVR_BLKBACK_STATS_BUCKETS - 1);
}

/* Name and value of every counter, in the order of the structure. */
static const struct counter {
	const char *name;
	size_t offset;
} counters[] = {
#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct pvr_blkback_stats, field)                                  \
	}
	COUNTER(reads),
	COUNTER(writes),
	COUNTER(flushes),
	COUNTER(others),
	COUNTER(sectors_read),
	COUNTER(sectors_written),
	COUNTER(errors),
	COUNTER(invalid),
	COUNTER(inflight),
	COUNTER(grants_mapped),
	COUNTER(events_in),
	COUNTER(events_out),
	COUNTER(polls_hit),
	COUNTER(polls_missed),
	COUNTER(submits),
#undef COUNTER
};

static json_t *stats_json(const struct pvr_blkback_stats *s)
{
	char vdev[16];
	json_t *o = json_pack(
		"{s:i, s:s}", "domid", (int)s->domid, "vdev", disk_vdev_name(s->devid, vdev));

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_set_new(o, counters[i].name,
			json_integer((json_int_t)get(
				(const _Atomic uint64_t *)((const char *)s + counters[i].offset))));
	json_object_set_new(o, "latency_p50_ns", json_integer((json_int_t)latency_at(s, 0.5)));
	json_object_set_new(o, "latency_p99_ns", json_integer((json_int_t)latency_at(s, 0.99)));
	return o;
}

static void stats_line(const struct pvr_blkback_stats *s)
{
	char vdev[16], in[16], out[16];
	uint64_t requests = get(&s->reads) + get(&s->writes) + get(&s->flushes) + get(&s->others);
	uint64_t events = get(&s->events_in) + get(&s->events_out);

	printf("%6u %-6s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %7s %7s %6" PRIu64
	       " %8.3f %9.1f %9.1f\n",
		s->domid, disk_vdev_name(s->devid, vdev), get(&s->reads), get(&s->writes),
		get(&s->flushes), tool_size_text(get(&s->sectors_read) * 512, in),
		tool_size_text(get(&s->sectors_written) * 512, out), get(&s->errors),
		requests ? (double)events / (double)requests : 0, (double)latency_at(s, 0.5) / 1000,
		(double)latency_at(s, 0.99) / 1000);
}

/* Map one file, read-only; NULL when it is not one of ours (any more). */
static const struct pvr_blkback_stats *stats_map(int dir, const char *name)
{
	const struct pvr_blkback_stats *s = MAP_FAILED;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && st.st_size >= (off_t)sizeof(*s))
		s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (s == MAP_FAILED)
		return NULL;
	if (s->magic == PVR_BLKBACK_STATS_MAGIC && s->size >= sizeof(*s))
		return s;
	munmap((void *)(uintptr_t)s, sizeof(*s));
	return NULL;
}

int verb_stats(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, JSON_OPTION, {0}};
	static const struct argp argp = {keys, parse, NULL,
		"Show what the block backend counted for every disk: requests, data, errors, "
		"notifications "
		"(both ways) per request, and latency in microseconds.",
		NULL, NULL, NULL};
	struct options o = {0};
	char path[192];
	DIR *dir;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	snprintf(path, sizeof(path), "%s/stats", dir_arg(&o.dir));
	dir = opendir(path);
	if (!dir)
		return tool_error(EX_UNAVAILABLE,
			"no statistics in '%s' (%s): is 'pvring blkback' running there?", path,
			strerror(errno));

	json_t *list = o.json ? json_array() : NULL;

	if (!list)
		printf("%6s %-6s %10s %10s %8s %7s %7s %6s %8s %9s %9s\n", "domain", "vdev",
			"reads", "writes", "flushes", "in", "out", "errors", "ntfy/req", "p50 us",
			"p99 us");
	for (const struct dirent *entry; (entry = readdir(dir));) {
		const struct pvr_blkback_stats *s = strncmp(entry->d_name, "vbd-", 4)
							    ? NULL
							    : stats_map(dirfd(dir), entry->d_name);

		if (!s)
			continue;
		if (list)
			json_array_append_new(list, stats_json(s));
		else
			stats_line(s);
		munmap((void *)(uintptr_t)s, sizeof(*s));
	}
	closedir(dir);
	if (list) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(list);
	}
	return 0;
}
