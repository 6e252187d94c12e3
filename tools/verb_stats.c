/* SPDX-License-Identifier: MIT */
/* pvring stats: the counters of every disk and interface, or their rates, for people and for programs. */
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
#include "stats_kvm.h"
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

/* Two lists, read at about the same time. */
struct all {
	struct stats_list disks, vifs;
	const char *dir;
	uint64_t ns; /* counted in that time; 0: totals */
};

static json_t *record_json(const struct stats_list *list, unsigned index, uint64_t ns)
{
	const struct stats_class *class = list->class;
	const uint32_t *id = stats_record(list, index); /* domid, devid */
	char name[16];
	json_t *o = json_pack(
		"{s:i, s:s}", "domid", (int)id[0], class->noun, class->name_of(id[1], name));

	for (unsigned i = 0; i < class->fields_count; i++)
		json_object_set_new(o, class->fields[i].name,
			number(stats_value(id, &class->fields[i]),
				class->fields[i].kind == STATS_COUNTER ? ns : 0));
	return o;
}

static void print_json(FILE *to, const struct all *all)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < all->disks.count; i++) {
		const struct disk_stats *s = &all->disks.disk[i];
		json_t *o = record_json(&all->disks, i, all->ns);

		json_object_set_new(
			o, "latency_p50_ns", json_integer((json_int_t)stats_latency_at(s, 0.5)));
		json_object_set_new(
			o, "latency_p99_ns", json_integer((json_int_t)stats_latency_at(s, 0.99)));
		json_array_append_new(array, o);
	}
	for (unsigned i = 0; i < all->vifs.count; i++)
		json_array_append_new(array, record_json(&all->vifs, i, all->ns));
	stats_kvm_json(array, all->dir);
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

static void print_vif_line(FILE *to, const struct vif_stats *s, uint64_t ns)
{
	uint64_t packets = s->tx_packets + s->rx_packets, events = s->events_in + s->events_out;
	uint64_t gso = s->tx_gso + s->rx_gso;
	char tx[16], rx[16];

	fprintf(to,
		"%6u %-6u %10" PRIu64 " %7s %8" PRIu64 " %10" PRIu64 " %7s %8" PRIu64
		" %6.1f %8.3f %7s\n",
		s->domid, s->devid, per(s->tx_packets, ns),
		tool_size_text(per(s->tx_bytes, ns), tx), per(stats_vif_tx_lost(s), ns),
		per(s->rx_packets, ns), tool_size_text(per(s->rx_bytes, ns), rx),
		per(stats_vif_rx_lost(s), ns), packets ? (double)gso * 100 / (double)packets : 0,
		packets ? (double)events / (double)packets : 0, s->carrier ? "up" : "down");
}

static void print_table(FILE *to, const struct all *all)
{
	uint64_t ns = all->ns;

	if (all->disks.count || !all->vifs.count)
		fprintf(to, "%6s %-6s %10s %10s %8s %7s %7s %6s %8s %9s %9s\n", "domain", "vdev",
			ns ? "reads/s" : "reads", ns ? "writes/s" : "writes",
			ns ? "flush/s" : "flushes", ns ? "in/s" : "in", ns ? "out/s" : "out",
			ns ? "err/s" : "errors", "ntfy/req", "p50 us", "p99 us");
	for (unsigned i = 0; i < all->disks.count; i++)
		print_line(to, &all->disks.disk[i], ns);
	if (all->vifs.count)
		fprintf(to, "%s%6s %-6s %10s %7s %8s %10s %7s %8s %6s %8s %7s\n",
			all->disks.count ? "\n" : "", "domain", "vif", ns ? "tx pkt/s" : "tx pkts",
			ns ? "tx B/s" : "tx B", ns ? "lost/s" : "lost", ns ? "rx pkt/s" : "rx pkts",
			ns ? "rx B/s" : "rx B", ns ? "lost/s" : "lost", "gso %", "ntfy/pkt",
			"carrier");
	for (unsigned i = 0; i < all->vifs.count; i++)
		print_vif_line(to, &all->vifs.vif[i], ns);
}

/* The file appears whole or not at all: a collector may read it at any moment. */
static int replace(
	const struct options *o, const struct all *all, void (*print)(FILE *, const struct all *))
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
	print(to, all);
	failed = ferror(to);
	failed |= fclose(to);
	if (!failed && !rename(temporary, o->output))
		return 0;
	failed = errno;
	unlink(temporary);
	return tool_error(EX_IOERR, "%s: %s", o->output, strerror(failed));
}

static void print_openmetrics(FILE *to, const struct all *all)
{
	stats_openmetrics(to, &all->disks, &all->vifs);
}

static void free_all(struct all *all)
{
	stats_list_free(&all->disks);
	stats_list_free(&all->vifs);
}

static int read_all(const char *dir, struct all *all)
{
	int rc;

	*all = (struct all){0};
	rc = stats_list_read_or_say(dir, &stats_disks, &all->disks);
	if (!rc)
		rc = stats_list_read_or_say(dir, &stats_vifs, &all->vifs);
	if (rc)
		free_all(all);
	return rc;
}

static int read_rates(const char *dir, unsigned seconds, struct all *all)
{
	struct all before;
	int rc = read_all(dir, &before);

	if (rc)
		return rc;
	sleep(seconds);
	rc = read_all(dir, all);
	if (!rc) {
		all->ns = all->disks.at_ns - before.disks.at_ns;
		stats_list_since(&all->disks, &before.disks);
		stats_list_since(&all->vifs, &before.vifs);
	}
	free_all(&before);
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
		"Show what the backends counted. For every disk: requests, data, errors, "
		"notifications (both ways) per request, and latency in microseconds. For every "
		"network "
		"interface: packets, data and losses each way (tx is what the guest sends), the "
		"share of "
		"packets of many segments, and notifications per packet. --json and --openmetrics "
		"have all "
		"counters.",
		NULL, NULL, NULL};
	struct options o = {0};
	struct all all;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	rc = o.seconds ? read_rates(verb_args_dir(&o.args), (unsigned)o.seconds, &all)
		       : read_all(verb_args_dir(&o.args), &all);
	if (rc)
		return rc;
	all.dir = verb_args_dir(&o.args);

	void (*print)(FILE *, const struct all *) = o.args.json     ? print_json
						    : o.openmetrics ? print_openmetrics
								    : print_table;

	if (o.output)
		rc = replace(&o, &all, print);
	else
		print(stdout, &all);
	if (print == print_table && !o.output)
		stats_kvm_print(stdout, all.dir);
	free_all(&all);
	return rc;
}
