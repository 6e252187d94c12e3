/* SPDX-License-Identifier: MIT */
/* pvring top: what every disk and network interface does now, with the habits of xentop: a live table, or -b for batches of text. */
#include "top.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "tools.h"

struct options {
	struct verb_args args;
	double delay;
	uint64_t iterations;
	int batch;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'b':
		o->batch = 1;
		return 0;
	case 'd':
		o->delay = strtod(arg, &end);
		if (*end || !(o->delay >= 0.1 && o->delay <= 3600))
			argp_failure(state, EX_USAGE, 0, "--delay %s: 0.1 to 3600 seconds", arg);
		return 0;
	case 'i':
		if (tool_number(arg, 1, UINT64_MAX, &o->iterations))
			argp_failure(state, EX_USAGE, 0, "--iterations %s: 1 or more", arg);
		return 0;
	default:
		return verb_args_parse(&o->args, key, arg, state);
	}
}

static uint64_t weight(const struct disk_stats *s, enum top_order order)
{
	switch (order) {
	case TOP_BY_REQUESTS:
		return stats_requests(s);
	case TOP_BY_READ:
		return s->sectors_read;
	case TOP_BY_WRITTEN:
		return s->sectors_written;
	case TOP_BY_LATENCY:
		return stats_latency_at(s, 0.99);
	default:
		return 0;
	}
}

/* The busiest first; equals by domain and device. */
static int compare(const void *a, const void *b, void *order)
{
	const struct disk_stats *x = a, *y = b;
	uint64_t wx = weight(x, *(enum top_order *)order), wy = weight(y, *(enum top_order *)order);

	if (wx != wy)
		return wx > wy ? -1 : 1;
	if (x->domid != y->domid)
		return x->domid < y->domid ? -1 : 1;
	return (x->devid > y->devid) - (x->devid < y->devid);
}

/* Interfaces have packets for requests, and no latency. */
static uint64_t vif_weight(const struct vif_stats *s, enum top_order order)
{
	switch (order) {
	case TOP_BY_REQUESTS:
		return s->tx_packets + s->rx_packets;
	case TOP_BY_READ:
		return s->rx_bytes;
	case TOP_BY_WRITTEN:
		return s->tx_bytes;
	default:
		return 0;
	}
}

static int compare_vifs(const void *a, const void *b, void *order)
{
	const struct vif_stats *x = a, *y = b;
	uint64_t wx = vif_weight(x, *(enum top_order *)order),
		 wy = vif_weight(y, *(enum top_order *)order);

	if (wx != wy)
		return wx > wy ? -1 : 1;
	if (x->domid != y->domid)
		return x->domid < y->domid ? -1 : 1;
	return (x->devid > y->devid) - (x->devid < y->devid);
}

void top_sort(struct top *top)
{
	if (top->rows.count)
		qsort_r(top->rows.disk, top->rows.count, sizeof(*top->rows.disk), compare,
			&top->order);
	if (top->row_vifs.count)
		qsort_r(top->row_vifs.vif, top->row_vifs.count, sizeof(*top->row_vifs.vif),
			compare_vifs, &top->order);
}

/* Read anew into *last; *rows are what was counted since it was read before. */
static int sample(const char *dir, const struct stats_class *class, struct stats_list *last,
	struct stats_list *rows, uint64_t *ns)
{
	struct stats_list now;
	int rc = stats_list_read(dir, class, &now);
	size_t bytes = now.count * class->size;

	stats_list_free(rows);
	if (rc)
		return rc;
	rows->records = bytes ? malloc(bytes) : NULL;
	if (bytes && !rows->records) {
		stats_list_free(&now);
		return -ENOMEM;
	}
	if (bytes)
		memcpy(rows->records, now.records, bytes);
	rows->class = class;
	rows->count = now.count;
	rows->at_ns = now.at_ns;
	stats_list_since(rows, last);
	*ns = now.at_ns - last->at_ns;
	stats_list_free(last);
	*last = now;
	return 0;
}

int top_sample(struct top *top)
{
	uint64_t ns;
	int rc = sample(top->dir, &stats_disks, &top->last, &top->rows, &top->ns);

	if (!rc)
		rc = sample(top->dir, &stats_vifs, &top->last_vifs, &top->row_vifs, &ns);
	if (rc) {
		stats_list_free(&top->rows);
		stats_list_free(&top->row_vifs);
	}
	top_sort(top);
	return rc;
}

static double rate(const struct top *top, uint64_t value)
{
	return top->ns ? (double)value * 1e9 / (double)top->ns : 0;
}

static const char *rate_text(const struct top *top, uint64_t bytes, char text[16])
{
	return tool_size_text((uint64_t)rate(top, bytes), text);
}

void top_summary(const struct top *top, char line[TOP_LINE])
{
	static const char *const names[TOP_ORDERS] = {"requests", "in", "out", "p99", "name"};
	uint64_t requests = 0, in = 0, out = 0;
	char clock[16], text[2][16];
	time_t now = time(NULL);
	struct tm tm;

	for (unsigned i = 0; i < top->rows.count; i++) {
		requests += stats_requests(&top->rows.disk[i]);
		in += top->rows.disk[i].sectors_read;
		out += top->rows.disk[i].sectors_written;
	}
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	snprintf(line, TOP_LINE,
		"%s  %u disks, %u vifs  %.0f req/s  in %s/s  out %s/s  by %s  every %.4g s", clock,
		top->rows.count, top->row_vifs.count, rate(top, requests),
		rate_text(top, in * 512, text[0]), rate_text(top, out * 512, text[1]),
		names[top->order], top->delay);
}

static void disk_line(const struct top *top, const struct disk_stats *s, char line[TOP_LINE])
{
	uint64_t requests = stats_requests(s), events = s->events_in + s->events_out;
	char vdev[16], in[16], out[16];

	snprintf(line, TOP_LINE,
		"%5u %-4s %7.0f %7.0f %7.0f %7s %7s %5.0f %4" PRIu64 " %5.2f %5.0f %6.0f", s->domid,
		disk_vdev_name(s->devid, vdev), rate(top, s->reads), rate(top, s->writes),
		rate(top, s->flushes), rate_text(top, s->sectors_read * 512, in),
		rate_text(top, s->sectors_written * 512, out), rate(top, s->errors), s->inflight,
		requests ? (double)events / (double)requests : 0,
		(double)stats_latency_at(s, 0.5) / 1000, (double)stats_latency_at(s, 0.99) / 1000);
}

static void vif_line(const struct top *top, const struct vif_stats *s, char line[TOP_LINE])
{
	uint64_t packets = s->tx_packets + s->rx_packets, events = s->events_in + s->events_out;
	uint64_t gso = s->tx_gso + s->rx_gso;
	char tx[16], rx[16];

	snprintf(line, TOP_LINE, "%5u %-4u %9.0f %7s %6.0f %9.0f %7s %6.0f %5.1f %5.2f %s",
		s->domid, s->devid, rate(top, s->tx_packets), rate_text(top, s->tx_bytes, tx),
		rate(top, stats_vif_tx_lost(s)), rate(top, s->rx_packets),
		rate_text(top, s->rx_bytes, rx), rate(top, stats_vif_rx_lost(s)),
		packets ? (double)gso * 100 / (double)packets : 0,
		packets ? (double)events / (double)packets : 0, s->carrier ? "up" : "down");
}

/* The heads and rows of disks, and below those of interfaces; heads alone when there are neither. */
static unsigned disk_lines(const struct top *top)
{
	return top->rows.count || !top->row_vifs.count ? top->rows.count + 1 : 0;
}

unsigned top_lines(const struct top *top)
{
	return disk_lines(top) + (top->row_vifs.count ? top->row_vifs.count + 1 : 0);
}

int top_line(const struct top *top, unsigned number, char line[TOP_LINE])
{
	unsigned disks = disk_lines(top);

	if (number < disks && !number)
		strcpy(line, "  DOM VDEV  READ/S WRITE/S  FLSH/S    IN/S   OUT/S ERR/S INFL NT/RQ "
			     "p50us  p99us");
	else if (number < disks)
		disk_line(top, &top->rows.disk[number - 1], line);
	else if (number == disks)
		strcpy(line, "  DOM VIF   TX PKT/S  TX B/S LOST/S  RX PKT/S  RX B/S LOST/S  GSO% "
			     "NT/PK CARRIER");
	else
		vif_line(top, &top->row_vifs.vif[number - disks - 1], line);
	return !number || number == disks;
}

static void nap(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static int run_batch(struct top *top)
{
	char line[TOP_LINE];

	for (uint64_t i = 0; !top->iterations || i < top->iterations; i++) {
		nap(top->delay);
		int rc = top_sample(top);

		if (rc)
			return tool_error(EX_UNAVAILABLE,
				"no statistics in '%s/stats' any more: %s", top->dir,
				strerror(-rc));
		top_summary(top, line);
		printf("%s%s\n", i ? "\n" : "", line);
		for (unsigned number = 0; number < top_lines(top); number++) {
			top_line(top, number, line);
			puts(line);
		}
		if (fflush(stdout))
			return tool_error(EX_IOERR, "standard output: %s", strerror(errno));
	}
	return 0;
}

int verb_top(int argc, char **argv)
{
	/* clang-format off */
	static const struct argp_option keys[] = {
		DIR_OPTION,
		{"batch", 'b', NULL, 0, "print text, without a terminal's screen", 0},
		{"delay", 'd', "SECONDS", 0, "between two looks (default 3)", 0},
		{"iterations", 'i', "N", 0, "how many looks (default: no end)", 0},
		{0},
	};
	/* clang-format on */
	static const struct argp argp = {keys, parse, NULL,
		"Show live what every disk and network interface does: requests or packets, and "
		"bytes, per "
		"second, notifications (both ways) per request or packet, latency in microseconds, "
		"all of "
		"the time since the last look."
		"\vKeys: q ends, s sorts by the next column, d asks for the delay, any other looks "
		"now.",
		NULL, NULL, NULL};
	struct options o = {.delay = 3};
	struct top top = {0};
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	top.dir = verb_args_dir(&o.args);
	top.delay = o.delay;
	top.iterations = o.iterations;
	rc = stats_list_read_or_say(top.dir, &stats_disks, &top.last);
	if (!rc)
		rc = stats_list_read_or_say(top.dir, &stats_vifs, &top.last_vifs);
	if (!rc && !o.batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = tool_error(EX_USAGE, "no terminal here: 'pvring top -b' prints instead");
	if (!rc)
		rc = o.batch ? run_batch(&top) : top_screen(&top);
	stats_list_free(&top.last);
	stats_list_free(&top.rows);
	stats_list_free(&top.last_vifs);
	stats_list_free(&top.row_vifs);
	return rc;
}
