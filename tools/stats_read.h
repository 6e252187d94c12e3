/* SPDX-License-Identifier: MIT */
/* What the block backend counted for its disks, read from its files: shared by stats and top. */
#ifndef PVR_TOOLS_STATS_READ_H
#define PVR_TOOLS_STATS_READ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pvring/blkback.h>

/*
 * Every counter of struct pvr_blkback_stats, by its name there: X(name, kind, help). A gauge goes up and
 * down. What is here is in all outputs but the tables for people.
 */
#define STATS_FIELDS(X)                                                                            \
	X(reads, COUNTER, "Read requests")                                                         \
	X(writes, COUNTER, "Write requests")                                                       \
	X(flushes, COUNTER, "Flush requests")                                                      \
	X(others, COUNTER, "Requests of any other kind")                                           \
	X(sectors_read, COUNTER, "Sectors of 512 bytes read")                                      \
	X(sectors_written, COUNTER, "Sectors of 512 bytes written")                                \
	X(errors, COUNTER, "Requests answered with an error")                                      \
	X(invalid, COUNTER, "Requests refused before any I/O, counted as errors too")              \
	X(inflight, GAUGE, "Requests taken and not yet answered")                                  \
	X(grants_mapped, COUNTER, "Guest pages mapped")                                            \
	X(events_in, COUNTER, "Notifications from the frontend")                                   \
	X(events_out, COUNTER, "Notifications to the frontend")                                    \
	X(polls_hit, COUNTER, "Spins before sleep that found work")                                \
	X(polls_missed, COUNTER, "Spins before sleep that found none")                             \
	X(submits, COUNTER, "Batches given to the I/O engine")                                     \
	X(inlined, COUNTER, "I/Os done at once, without a submission")                             \
	X(indirect, COUNTER, "Reads and writes with indirect segments")                            \
	X(barriers, COUNTER, "Barriers, counted as flushes too")                                   \
	X(discards, COUNTER, "Discard requests")                                                   \
	X(merges, COUNTER, "Segments that continued the one before them")                          \
	X(grants_reused, COUNTER, "Guest pages still mapped from an earlier request")              \
	X(limited, COUNTER, "Times a limit kept requests waiting")

/* One disk at one moment, or what was counted between two. */
struct disk_stats {
	uint32_t domid, devid;
#define STATS_FIELD(name, kind, help) uint64_t name;
	STATS_FIELDS(STATS_FIELD)
#undef STATS_FIELD
	uint64_t latency[PVR_BLKBACK_STATS_BUCKETS];
};

enum stats_kind { STATS_COUNTER, STATS_GAUGE };

/* The fields as a table, in order; `offset` is within struct disk_stats. */
struct stats_field {
	const char *name, *help;
	enum stats_kind kind;
	size_t offset;
};
extern const struct stats_field stats_fields[];
extern const unsigned stats_fields_count;

static inline uint64_t stats_value(const struct disk_stats *s, const struct stats_field *field)
{
	return *(const uint64_t *)((const char *)s + field->offset);
}

struct stats_list {
	struct disk_stats *disk; /* by domain, then device */
	unsigned count;
	uint64_t at_ns; /* when they were read, CLOCK_MONOTONIC */
};

/* Read the counters of every disk of the hypervisor in `dir`: 0 or a negative errno. */
int stats_list_read(const char *dir, struct stats_list *list);
void stats_list_free(struct stats_list *list);

/* As above; prints what is wrong and returns a sysexits status. */
int stats_list_read_or_say(const char *dir, struct stats_list *list);

/*
 * Make of every disk of `now` what was counted since `before`; gauges stay. A disk that was not there
 * before, or is another by now, counts from zero.
 */
void stats_list_since(struct stats_list *now, const struct stats_list *before);

uint64_t stats_requests(const struct disk_stats *s);

/* The latency in ns that `fraction` of the requests did not exceed, to within a bucket; 0 without any. */
uint64_t stats_latency_at(const struct disk_stats *s, double fraction);

/* OpenMetrics 1.0 text, complete with its end mark. */
void stats_openmetrics(FILE *to, const struct stats_list *list);

#endif
