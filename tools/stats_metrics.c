/* SPDX-License-Identifier: MIT */
/*
 * The counters as OpenMetrics 1.0 text (github.com/prometheus/OpenMetrics, specification/OpenMetrics.md),
 * which the text file collector of Prometheus' node_exporter reads as well.
 */
#include "stats_read.h"

#include <inttypes.h>

/* The buckets end at powers of two; fewer than 2 us or more than 4 s are not told apart. */
#define FIRST_BUCKET 21u

static void labels(FILE *to, const struct stats_class *class, uint32_t domid, uint32_t devid)
{
	char name[16];

	fprintf(to, "domain=\"%u\",%s=\"%s\"", domid, class->noun, class->name_of(devid, name));
}

static void metric(FILE *to, const struct stats_list *list, const struct stats_field *field)
{
	const char *name = list->class->name;
	int counter = field->kind == STATS_COUNTER;

	fprintf(to, "# TYPE pvring_%s_%s %s\n", name, field->name, counter ? "counter" : "gauge");
	fprintf(to, "# HELP pvring_%s_%s %s.\n", name, field->name, field->help);
	for (unsigned i = 0; i < list->count; i++) {
		const uint32_t *id = stats_record(list, i); /* domid, devid */

		fprintf(to, "pvring_%s_%s%s{", name, field->name, counter ? "_total" : "");
		labels(to, list->class, id[0], id[1]);
		fprintf(to, "} %" PRIu64 "\n", stats_value(id, field));
	}
}

static void metrics(FILE *to, const struct stats_list *list)
{
	for (unsigned i = 0; i < list->class->fields_count; i++)
		metric(to, list, &list->class->fields[i]);
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
		labels(to, &stats_disks, s->domid, s->devid);
		fprintf(to, ",le=\"%.9g\"} %" PRIu64 "\n", bound, count);
	}
	fputs("pvring_vbd_latency_seconds_bucket{", to);
	labels(to, &stats_disks, s->domid, s->devid);
	fprintf(to, ",le=\"+Inf\"} %" PRIu64 "\npvring_vbd_latency_seconds_count{", count);
	labels(to, &stats_disks, s->domid, s->devid);
	fprintf(to, "} %" PRIu64 "\npvring_vbd_latency_seconds_sum{", count);
	labels(to, &stats_disks, s->domid, s->devid);
	fprintf(to, "} %.9g\n", sum);
}

void stats_openmetrics(FILE *to, const struct stats_list *disks, const struct stats_list *vifs)
{
	metrics(to, disks);
	fputs("# TYPE pvring_vbd_latency_seconds histogram\n"
	      "# UNIT pvring_vbd_latency_seconds seconds\n"
	      "# HELP pvring_vbd_latency_seconds From taking a request to answering it; the sum is "
	      "made of "
	      "the buckets' upper bounds.\n",
		to);
	for (unsigned i = 0; i < disks->count; i++)
		histogram(to, &disks->disk[i]);
	metrics(to, vifs);
	fputs("# EOF\n", to);
}
