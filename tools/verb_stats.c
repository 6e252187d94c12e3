/* SPDX-License-Identifier: MIT */
/* pvring stats: the counters of every disk, or their rates, for people and for programs. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "args.h"
#include "stats_read.h"

struct options {
	struct verb_args args;
	const char *output;
	uint64_t seconds; /* 0: totals */
	int openmetrics;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'm':
		o->openmetrics = 1;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 'r':
		if (tool_number(arg, 1, 3600, &o->seconds))
			argp_failure(state, EX_USAGE, 0, "--rates %s: 1 to 3600 seconds", arg);
		return 0;
	case ARGP_KEY_END:
		if (o->openmetrics && (o->args.json || o->seconds))
			argp_failure(state, EX_USAGE, 0,
				"--openmetrics prints totals, without --json or --rates");
		return 0;
	default:
		return verb_args_parse(&o->args, key, arg, state);
	}
}

/* Totals are integers; rates are per second. */
static json_t *number(uint64_t value, uint64_t ns)
{
	return ns ? json_real((double)value * 1e9 / (double)ns) : json_integer((json_int_t)value);
}

static json_t *disk_json(const struct disk_stats *s, uint64_t ns)
{
	char vdev[16];
	json_t *o = json_pack(
		"{s:i, s:s}", "domid", (int)s->domid, "vdev", disk_vdev_name(s->devid, vdev));

	for (unsigned i = 0; i < stats_fields_count; i++)
		json_object_set_new(o, stats_fields[i].name,
			number(stats_value(s, &stats_fields[i]),
				stats_fields[i].kind == STATS_COUNTER ? ns : 0));
	json_object_set_new(
		o, "latency_p50_ns", json_integer((json_int_t)stats_latency_at(s, 0.5)));
	json_object_set_new(
		o, "latency_p99_ns", json_integer((json_int_t)stats_latency_at(s, 0.99)));
	return o;
}

static void print_json(FILE *to, const struct stats_list *list, uint64_t ns)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < list->count; i++)
		json_array_append_new(array, disk_json(&list->disk[i], ns));
	verb_print_json(to, array);
}

static uint64_t per(uint64_t value, uint64_t ns)
{
	return ns ? (uint64_t)((double)value * 1e9 / (double)ns + 0.5) : value;
}

static void print_line(FILE *to, const struct disk_stats *s, uint64_t ns)
{
	char vdev[16], in[16], out[16];
	uint64_t requests = stats_requests(s), events = s->events_in + s->events_out;

	fprintf(to,
		"%6u %-6s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %7s %7s %6" PRIu64
		" %8.3f %9.1f %9.1f\n",
		s->domid, disk_vdev_name(s->devid, vdev), per(s->reads, ns), per(s->writes, ns),
		per(s->flushes, ns), tool_size_text(per(s->sectors_read, ns) * 512, in),
		tool_size_text(per(s->sectors_written, ns) * 512, out), per(s->errors, ns),
		requests ? (double)events / (double)requests : 0,
		(double)stats_latency_at(s, 0.5) / 1000, (double)stats_latency_at(s, 0.99) / 1000);
}

static void print_table(FILE *to, const struct stats_list *list, uint64_t ns)
{
	fprintf(to, "%6s %-6s %10s %10s %8s %7s %7s %6s %8s %9s %9s\n", "domain", "vdev",
		ns ? "reads/s" : "reads", ns ? "writes/s" : "writes", ns ? "flush/s" : "flushes",
		ns ? "in/s" : "in", ns ? "out/s" : "out", ns ? "err/s" : "errors", "ntfy/req",
		"p50 us", "p99 us");
	for (unsigned i = 0; i < list->count; i++)
		print_line(to, &list->disk[i], ns);
}

/* The file appears whole or not at all: a collector may read it at any moment. */
static int replace(const struct options *o, const struct stats_list *list, uint64_t ns,
	void (*print)(FILE *, const struct stats_list *, uint64_t))
{
	char temporary[4096];
	FILE *to;
	int failed;

	if (snprintf(temporary, sizeof(temporary), "%s.%d", o->output, (int)getpid()) >=
		(int)sizeof(temporary))
		return tool_error(EX_USAGE, "--output: the name is too long");
	to = fopen(temporary, "wxe");
	if (!to)
		return tool_error(EX_CANTCREAT, "%s: %s", temporary, strerror(errno));
	print(to, list, ns);
	failed = ferror(to);
	failed |= fclose(to);
	if (!failed && !rename(temporary, o->output))
		return 0;
	failed = errno;
	unlink(temporary);
	return tool_error(EX_IOERR, "%s: %s", o->output, strerror(failed));
}

static void print_openmetrics(FILE *to, const struct stats_list *list, uint64_t ns)
{
	(void)ns;
	stats_openmetrics(to, list);
}

static int read_rates(const char *dir, unsigned seconds, struct stats_list *list, uint64_t *ns)
{
	struct stats_list before;
	int rc = stats_list_read_or_say(dir, &before);

	if (rc)
		return rc;
	sleep(seconds);
	rc = stats_list_read_or_say(dir, list);
	if (!rc) {
		*ns = list->at_ns - before.at_ns;
		stats_list_since(list, &before);
	}
	stats_list_free(&before);
	return rc;
}

int verb_stats(int argc, char **argv)
{
	/* clang-format off */
	static const struct argp_option keys[] = {
		DIR_OPTION,
		JSON_OPTION,
		{"openmetrics", 'm', NULL, 0, "OpenMetrics text, for Prometheus and others", 0},
		{"output", 'o', "FILE", 0, "write to FILE, replaced in one step (such as a .prom file of node_exporter's textfile collector)", 0},
		{"rates", 'r', "SECONDS", 0, "what is counted in that time, per second", 0},
		{0},
	};
	/* clang-format on */
	static const struct argp argp = {keys, parse, NULL,
		"Show what the block backend counted for every disk: requests, data, errors, "
		"notifications (both ways) per request, and latency in microseconds.",
		NULL, NULL, NULL};
	struct options o = {0};
	struct stats_list list;
	uint64_t ns = 0;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	rc = o.seconds ? read_rates(verb_args_dir(&o.args), (unsigned)o.seconds, &list, &ns)
		       : stats_list_read_or_say(verb_args_dir(&o.args), &list);
	if (rc)
		return rc;

	void (*print)(FILE *, const struct stats_list *, uint64_t) = o.args.json ? print_json
								     : o.openmetrics
									     ? print_openmetrics
									     : print_table;

	if (o.output)
		rc = replace(&o, &list, ns, print);
	else
		print(stdout, &list, ns);
	stats_list_free(&list);
	return rc;
}
