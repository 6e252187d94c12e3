/* SPDX-License-Identifier: MIT */
/* What the backends counted for their devices, read from their files: shared by stats and top. */
#ifndef PVR_TOOLS_STATS_READ_H
#define PVR_TOOLS_STATS_READ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <pvring/blkback.h>
#include <pvring/netback.h>

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
	X(fixed, COUNTER, "I/Os in memory that is registered with the kernel")                      \
	X(indirect, COUNTER, "Reads and writes with indirect segments")                            \
	X(barriers, COUNTER, "Barriers, counted as flushes too")                                   \
	X(discards, COUNTER, "Discard requests")                                                   \
	X(merges, COUNTER, "Segments that continued the one before them")                          \
	X(grants_reused, COUNTER, "Guest pages still mapped from an earlier request")              \
	X(limited, COUNTER, "Times a limit kept requests waiting")

/* Every counter of struct pvr_netback_stats: X(name here, member there, kind, help). */
#define STATS_VIF_FIELDS(X)                                                                        \
	X(tx_packets, tx_packets, COUNTER, "Packets that the guest sent")                          \
	X(tx_bytes, tx_bytes, COUNTER, "Bytes of these")                                           \
	X(tx_gso, tx_gso, COUNTER, "Packets that the guest sent to be cut into segments")          \
	X(rx_packets, rx_packets, COUNTER, "Packets to the guest")                                 \
	X(rx_bytes, rx_bytes, COUNTER, "Bytes of these")                                           \
	X(rx_gso, rx_gso, COUNTER, "Packets to the guest of more than one segment")                \
	X(tx_dropped_grant, tx_dropped[PVR_NETBACK_DROP_GRANT], COUNTER,                           \
		"Packets of the guest lost: a page could not be had")                           \
	X(tx_dropped_malformed, tx_dropped[PVR_NETBACK_DROP_MALFORMED], COUNTER,                   \
		"Packets of the guest lost: no possible packet")                                   \
	X(tx_dropped_outside, tx_dropped[PVR_NETBACK_DROP_OUTSIDE], COUNTER,                       \
		"Packets of the guest lost: the outside did not take it")                          \
	X(rx_dropped_grant, rx_dropped[PVR_NETBACK_DROP_GRANT], COUNTER,                           \
		"Packets to the guest lost: a buffer could not be had")                         \
	X(rx_dropped_malformed, rx_dropped[PVR_NETBACK_DROP_MALFORMED], COUNTER,                   \
		"Packets to the guest lost: no possible packet")                                   \
	X(rx_dropped_no_buffer, rx_dropped[PVR_NETBACK_DROP_NO_BUFFER], COUNTER,                   \
		"Packets to the guest lost: too few buffers")                                      \
	X(rx_dropped_filtered, rx_dropped[PVR_NETBACK_DROP_FILTERED], COUNTER,                     \
		"Packets to the guest left out: multicast that it did not join")                   \
	X(rx_dropped_too_big, rx_dropped[PVR_NETBACK_DROP_TOO_BIG], COUNTER,                       \
		"Packets to the guest lost: more than it takes")                                   \
	X(grants_mapped, grants_mapped, COUNTER, "Guest pages mapped")                             \
	X(grants_copied, grants_copied, COUNTER, "Guest pages copied to or from, and not mapped")  \
	X(grants_static, grants_static, COUNTER, "Guest pages used that are mapped for all time")  \
	X(copied, copied, COUNTER, "Bytes that the backend copied itself")                         \
	X(events_in, events_in, COUNTER, "Notifications from the frontend")                        \
	X(events_out, events_out, COUNTER, "Notifications to the frontend")                        \
	X(polls_hit, polls_hit, COUNTER, "Spins before sleep that found work")                     \
	X(polls_missed, polls_missed, COUNTER, "Spins before sleep that found none")               \
	X(limited, limited, COUNTER, "Times the rate kept packets waiting")                        \
	X(stalls, stalls, COUNTER, "Times the carrier went for want of buffers")                   \
	X(queues, queues, GAUGE, "Queues in use")                                                  \
	X(carrier, carrier, GAUGE, "Whether the guest takes packets")

/* One device at one moment, or what was counted between two. Both start alike. */
struct disk_stats {
	uint32_t domid, devid;
#define STATS_FIELD(name, kind, help) uint64_t name;
	STATS_FIELDS(STATS_FIELD)
#undef STATS_FIELD
	uint64_t latency[PVR_BLKBACK_STATS_BUCKETS];
};

struct vif_stats {
	uint32_t domid, devid;
#define STATS_FIELD(name, member, kind, help) uint64_t name;
	STATS_VIF_FIELDS(STATS_FIELD)
#undef STATS_FIELD
};

enum stats_kind { STATS_COUNTER, STATS_GAUGE };

/* A counter; `offset` is within struct disk_stats or vif_stats. */
struct stats_field {
	const char *name, *help;
	enum stats_kind kind;
	size_t offset;
};

/* What devices of one class count, and where it is found. */
struct stats_class {
	const char *name; /* "vbd": of files, and in metrics */
	const char *noun; /* "vdev": what `name_of` gives */
	const char *(*name_of)(uint32_t devid, char out[16]);
	const struct stats_field *fields;
	unsigned fields_count;
	size_t size; /* of a record */
	const void *(*map)(
		int dir, const char *name, size_t *size); /* a file, or NULL when it is not one */
	void (*copy)(const void *file, void *record);
	void (*subtract)(void *now, const void *before); /* what is no field; or NULL */
};

extern const struct stats_class stats_disks, stats_vifs;

static inline uint64_t stats_value(const void *record, const struct stats_field *field)
{
	return *(const uint64_t *)((const char *)record + field->offset);
}

struct stats_list {
	const struct stats_class *class;
	union { /* by domain, then device */
		void *records;
		struct disk_stats *disk;
		struct vif_stats *vif;
	};
	unsigned count;
	uint64_t at_ns; /* when they were read, CLOCK_MONOTONIC */
};

static inline void *stats_record(const struct stats_list *list, unsigned index)
{
	return (char *)list->records + index * list->class->size;
}

/* Read the counters of every device of the hypervisor in `dir`: 0 or a negative errno. */
int stats_list_read(const char *dir, const struct stats_class *class, struct stats_list *list);
void stats_list_free(struct stats_list *list);

/* As above; prints what is wrong and returns a sysexits status. */
int stats_list_read_or_say(
	const char *dir, const struct stats_class *class, struct stats_list *list);

/*
 * Make of every device of `now` what was counted since `before`; gauges stay. A device that was not there
 * before, or is another by now, counts from zero.
 */
void stats_list_since(struct stats_list *now, const struct stats_list *before);

uint64_t stats_requests(const struct disk_stats *s);

/* The latency in ns that `fraction` of the requests did not exceed, to within a bucket; 0 without any. */
uint64_t stats_latency_at(const struct disk_stats *s, double fraction);

/* Packets lost each way; what a filter left out is not lost. */
uint64_t stats_vif_tx_lost(const struct vif_stats *s);
uint64_t stats_vif_rx_lost(const struct vif_stats *s);

/* OpenMetrics 1.0 text, complete with its end mark. */
void stats_openmetrics(FILE *to, const struct stats_list *disks, const struct stats_list *vifs);

#endif
