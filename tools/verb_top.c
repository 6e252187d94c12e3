/* SPDX-License-Identifier: MIT */
/* pvring top: what every disk does now, with the habits of xentop: a live table, or -b for batches of text. */
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

void top_sort(struct top *top)
{
	if (top->rows.count)
		qsort_r(top->rows.disk, top->rows.count, sizeof(*top->rows.disk), compare,
			&top->order);
}

int top_sample(struct top *top)
{
	struct stats_list now, copy = {0};
	int rc = stats_list_read(top->dir, &now);

	stats_list_free(&top->rows);
	if (rc)
		return rc;
	copy = now;
	copy.disk = now.count ? malloc(now.count * sizeof(*now.disk)) : NULL;
	if (now.count && !copy.disk) {
		stats_list_free(&now);
		return -ENOMEM;
	}
	if (now.count)
		memcpy(copy.disk, now.disk, now.count * sizeof(*now.disk));
	stats_list_since(&copy, &top->last);
	top->ns = now.at_ns - top->last.at_ns;
	stats_list_free(&top->last);
	top->last = now;
	top->rows = copy;
	top_sort(top);
	return 0;
}

static double rate(const struct top *top, uint64_t value)
{
	return top->ns ? (double)value * 1e9 / (double)top->ns : 0;
}

static const char *rate_text(const struct top *top, uint64_t sectors, char text[16])
{
	return tool_size_text((uint64_t)rate(top, sectors * 512), text);
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
	snprintf(line, TOP_LINE, "%s  %u disks  %.0f req/s  in %s/s  out %s/s  by %s  every %.4g s",
		clock, top->rows.count, rate(top, requests), rate_text(top, in, text[0]),
		rate_text(top, out, text[1]), names[top->order], top->delay);
}

const char top_heads[] = "  DOM VDEV  READ/S WRITE/S  FLSH/S    IN/S   OUT/S ERR/S INFL NT/RQ "
			 "p50us  p99us";

void top_row(const struct top *top, unsigned row, char line[TOP_LINE])
{
	const struct disk_stats *s = &top->rows.disk[row];
	uint64_t requests = stats_requests(s), events = s->events_in + s->events_out;
	char vdev[16], in[16], out[16];

	snprintf(line, TOP_LINE,
		"%5u %-4s %7.0f %7.0f %7.0f %7s %7s %5.0f %4" PRIu64 " %5.2f %5.0f %6.0f", s->domid,
		disk_vdev_name(s->devid, vdev), rate(top, s->reads), rate(top, s->writes),
		rate(top, s->flushes), rate_text(top, s->sectors_read, in),
		rate_text(top, s->sectors_written, out), rate(top, s->errors), s->inflight,
		requests ? (double)events / (double)requests : 0,
		(double)stats_latency_at(s, 0.5) / 1000, (double)stats_latency_at(s, 0.99) / 1000);
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
		printf("%s%s\n%s\n", i ? "\n" : "", line, top_heads);
		for (unsigned row = 0; row < top->rows.count; row++) {
			top_row(top, row, line);
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
		"Show live what every disk does: requests and bytes per second, notifications "
		"(both "
		"ways) per request, latency in microseconds, all of the time since the last look."
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
	rc = stats_list_read_or_say(top.dir, &top.last);
	if (!rc && !o.batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = tool_error(EX_USAGE, "no terminal here: 'pvring top -b' prints instead");
	if (!rc)
		rc = o.batch ? run_batch(&top) : top_screen(&top);
	stats_list_free(&top.last);
	stats_list_free(&top.rows);
	return rc;
}
