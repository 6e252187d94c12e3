/* SPDX-License-Identifier: MIT */
/*
 * The counters as OpenMetrics 1.0 text (github.com/prometheus/OpenMetrics, specification/OpenMetrics.md),
 * which the text file collector of Prometheus' node_exporter reads as well.
 */
#include "stats_read.h"

#include <inttypes.h>

#include "tools.h"

/* The buckets end at powers of two; fewer than 2 us or more than 4 s are not told apart. */
#define FIRST_BUCKET 21u

static void labels(FILE *to, const struct disk_stats *s)
{
	char vdev[16];

	fprintf(to, "domain=\"%u\",vdev=\"%s\"", s->domid, disk_vdev_name(s->devid, vdev));
}

static void metric(FILE *to, const struct stats_list *list, const struct stats_field *field)
{
	int counter = field->kind == STATS_COUNTER;

	fprintf(to, "# TYPE pvring_vbd_%s %s\n", field->name, counter ? "counter" : "gauge");
	fprintf(to, "# HELP pvring_vbd_%s %s.\n", field->name, field->help);
	for (unsigned i = 0; i < list->count; i++) {
		fprintf(to, "pvring_vbd_%s%s{", field->name, counter ? "_total" : "");
		labels(to, &list->disk[i]);
		fprintf(to, "} %" PRIu64 "\n", stats_value(&list->disk[i], field));
	}
}

/* Every second bucket: there are two an octave, and their counts are cumulative here. */
static void histogram(FILE *to, const struct disk_stats *s)
{
	uint64_t count = 0;
	double sum = 0;

	for (unsigned i = 0; i < PVR_BLKBACK_STATS_BUCKETS; i++) {
		double bound = (double)pvr_blkback_stats_bound(i) / 1e9;

		count += s->latency[i];
		sum += bound * (double)s->latency[i];
		if (i < FIRST_BUCKET || i % 2 == 0 || i == PVR_BLKBACK_STATS_BUCKETS - 1)
			continue;
		fputs("pvring_vbd_latency_seconds_bucket{", to);
		labels(to, s);
		fprintf(to, ",le=\"%.9g\"} %" PRIu64 "\n", bound, count);
	}
	fputs("pvring_vbd_latency_seconds_bucket{", to);
	labels(to, s);
	fprintf(to, ",le=\"+Inf\"} %" PRIu64 "\npvring_vbd_latency_seconds_count{", count);
	labels(to, s);
	fprintf(to, "} %" PRIu64 "\npvring_vbd_latency_seconds_sum{", count);
	labels(to, s);
	fprintf(to, "} %.9g\n", sum);
}

void stats_openmetrics(FILE *to, const struct stats_list *list)
{
	for (unsigned i = 0; i < stats_fields_count; i++)
		metric(to, list, &stats_fields[i]);
	fputs("# TYPE pvring_vbd_latency_seconds histogram\n"
	      "# UNIT pvring_vbd_latency_seconds seconds\n"
	      "# HELP pvring_vbd_latency_seconds From taking a request to answering it; the sum is "
	      "made of "
	      "the buckets' upper bounds.\n",
		to);
	for (unsigned i = 0; i < list->count; i++)
		histogram(to, &list->disk[i]);
	fputs("# EOF\n", to);
}
