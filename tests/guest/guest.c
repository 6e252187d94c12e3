/* SPDX-License-Identifier: MIT */
/*
 * A guest program on the public headers alone, built for both word sizes. It writes a disk and reads it back, or
 * checks what another one wrote: blocking calls from a thread a queue first, then each queue by requests of its own
 * with every shape of segments, several in flight. What a byte must be depends on its position and the seed only.
 *
 * With -d it is deaf to what becomes of its backend, as Linux's blkfront: it looks at its rings and at the backend's
 * state only, and should that ever change it fails. It then writes and reads again until the standard input ends.
 *
 * usage: guest [-q QUEUES] [-o ORDER] [-s SEGMENTS] [-p] [-u] [-d] [-S SEED] write|check|wait|machine|reopen
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pvring/blkfront.h>
#include <pvring/port.h>
#include <pvring/process.h>

#include "machine.h"
#include "reopen.h"

#define DISK         "device/vbd/51712"
#define DEPTH        32u
#define SEGMENTS_MAX 256u
#define BLOCKING     (1u << 20) /* bytes of each lane that blocking calls move */
#define SECONDS      1000000000ull

struct slot {
	struct pvr_blk_request request;
	struct pvr_blk_segment segments[SEGMENTS_MAX];
	uint8_t *pages;
	struct lane *lane;
	int busy;
};

/* A thread with a queue and a part of the disk, in bytes. */
struct lane {
	pthread_t thread;
	struct pvr_blkfront_queue *queue;
	uint64_t begin, at, end;
	uint64_t random, seed;
	uint64_t requests;
	int writing;
	int failed;
	struct slot slots[DEPTH];
};

static struct pvr_blkfront *disk;
static const struct pvr_blkfront_info *info;
static uint64_t seed = 1;
static int only_check, deaf;

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint32_t below(struct lane *lane, uint32_t bound)
{
	lane->random = mix(lane->random);
	return (uint32_t)(lane->random % bound);
}

static void pattern_fill(const struct lane *lane, void *to, uint64_t position, size_t bytes)
{
	uint64_t *words = to;

	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = mix(lane->seed << 48 ^ (position / 8 + i));
}

static int pattern_compare(
	const struct lane *lane, const void *from, uint64_t position, size_t bytes)
{
	const uint64_t *words = from;

	for (size_t i = 0; i < bytes / 8; i++)
		if (words[i] != mix(lane->seed << 48 ^ (position / 8 + i))) {
			fprintf(stderr, "guest: byte %" PRIu64 " is not what was written there\n",
				position + i * 8);
			return 1;
		}
	return 0;
}

static int failure(const char *doing, uint64_t at, int error)
{
	fprintf(stderr, "guest: %s at byte %" PRIu64 ": %s\n", doing, at, strerror(-error));
	return 1;
}

/* ---- blocking calls -------------------------------------------------------------------------------- */

static int blocking_write(const struct lane *lane, void *buffer)
{
	uint64_t sector = lane->begin / 512;
	int rc = 0;

	if (info->discard)
		rc = pvr_blkfront_discard(disk, sector, BLOCKING / 512, 0);
	if (rc)
		return failure("discard", lane->begin, rc);
	pattern_fill(lane, buffer, lane->begin, BLOCKING);
	rc = pvr_blkfront_write(disk, sector, buffer, BLOCKING);
	if (!rc && info->flush)
		rc = pvr_blkfront_flush(disk);
	return rc ? failure("write and flush", lane->begin, rc) : 0;
}

static void *blocking_lane(void *argument)
{
	struct lane *lane = argument;
	void *buffer = pvr_port_pages_alloc(BLOCKING / PVR_PAGE_SIZE);
	int rc;

	if (!buffer) {
		lane->failed = failure("pages", lane->begin, -ENOMEM);
		return NULL;
	}
	if (!only_check)
		lane->failed = blocking_write(lane, buffer);
	memset(buffer, 0, BLOCKING);
	rc = pvr_blkfront_read(disk, lane->begin / 512, buffer, BLOCKING);
	if (rc)
		lane->failed = failure("read", lane->begin, rc);
	else
		lane->failed |= pattern_compare(lane, buffer, lane->begin, BLOCKING);
	pvr_port_pages_free(buffer, BLOCKING / PVR_PAGE_SIZE);
	return NULL;
}

/* ---- requests in flight ---------------------------------------------------------------------------- */

static void ended(struct pvr_blk_request *request, int error)
{
	struct slot *slot = request->user;
	uint64_t at = request->sector * 512;

	slot->busy = 0;
	if (error)
		slot->lane->failed = failure(slot->lane->writing ? "write" : "read", at, error);
	for (uint32_t i = 0; !error && !slot->lane->writing && i < request->segments_count; i++) {
		const struct pvr_blk_segment *s = &slot->segments[i];

		slot->lane->failed |= pattern_compare(slot->lane, s->address, at, s->length);
		at += s->length;
	}
}

/* One write in eight is a barrier or carries a flush, where there is such a thing. */
static uint8_t write_op(struct lane *lane)
{
	switch (below(lane, 16)) {
	case 0:
		return info->barrier ? BLKIF_OP_WRITE_BARRIER : BLKIF_OP_WRITE;
	case 1:
		return info->flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE;
	default:
		return BLKIF_OP_WRITE;
	}
}

/*
 * The next request: each segment lies somewhere in a page of its own. Half of the requests have whole pages, so
 * that they become long.
 */
static void prepare(struct lane *lane, struct slot *slot)
{
	uint32_t count = 1 + below(lane, info->max_segments), whole = below(lane, 2), n;
	uint64_t at = lane->at;

	for (n = 0; n < count && at < lane->end; n++) {
		uint32_t unit = info->sector_size, units = PVR_PAGE_SIZE / unit;
		uint32_t length = whole ? units : 1 + below(lane, units);
		uint32_t first = below(lane, units - length + 1);
		struct pvr_blk_segment *s = &slot->segments[n];

		s->address = slot->pages + n * PVR_PAGE_SIZE + first * unit;
		s->length = length * unit;
		if (s->length > lane->end - at)
			s->length = (uint32_t)(lane->end - at);
		if (lane->writing)
			pattern_fill(lane, s->address, at, s->length);
		else
			memset(s->address, 0, s->length);
		at += s->length;
	}
	slot->request = (struct pvr_blk_request){
		.op = lane->writing ? write_op(lane) : BLKIF_OP_READ,
		.segments_count = n,
		.sector = lane->at / 512,
		.segments = slot->segments,
		.done = ended,
		.user = slot,
	};
	lane->at = at;
}

/* Some writes are followed by a flush alone. */
static void prepare_flush(struct lane *lane, struct slot *slot)
{
	slot->request = (struct pvr_blk_request){
		.op = BLKIF_OP_FLUSH_DISKCACHE,
		.sector = lane->at / 512,
		.done = ended,
		.user = slot,
	};
}

static void submit_all(struct lane *lane)
{
	for (unsigned i = 0; i < DEPTH && pvr_blkfront_free(lane->queue); i++) {
		struct slot *slot = &lane->slots[i];
		struct pvr_blk_request *request = &slot->request;

		if (slot->busy || lane->at == lane->end)
			continue;
		if (lane->writing && info->flush && !below(lane, 16))
			prepare_flush(lane, slot);
		else
			prepare(lane, slot);
		slot->busy = 1;
		if (pvr_blkfront_submit(lane->queue, &request, 1) != 1) {
			/* The ring is full, and it is to be made anew. */
			slot->busy = 0;
			lane->at = request->sector * 512;
			break;
		}
		lane->requests++;
	}
	pvr_blkfront_kick(lane->queue);
}

/* Writes or reads the lane from begin to end, DEPTH requests in flight. */
static void pass(struct lane *lane, int writing)
{
	lane->writing = writing;
	lane->at = lane->begin + BLOCKING;
	while (!lane->failed && (lane->at < lane->end || pvr_blkfront_inflight(lane->queue))) {
		submit_all(lane);

		int n = pvr_blkfront_poll(lane->queue);

		if (!n && deaf)
			nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
		else if (!n)
			n = pvr_blkfront_wait(lane->queue, pvr_port_now_ns() + 30 * SECONDS);
		if (n < 0)
			lane->failed = failure("poll", lane->at, n);
	}
}

/* Nobody writes to the standard input any more. */
static int has_ended(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO};

	return poll(&fd, 1, 0) > 0 && fd.revents & POLLHUP;
}

static void *async_lane(void *argument)
{
	struct lane *lane = argument;

	for (unsigned i = 0; i < DEPTH; i++) {
		lane->slots[i].lane = lane;
		lane->slots[i].pages = pvr_port_pages_alloc(info->max_segments);
		if (!lane->slots[i].pages)
			lane->failed = failure("pages", lane->begin, -ENOMEM);
	}
	do {
		if (!only_check)
			pass(lane, 1);
		pass(lane, 0);
		lane->seed += (uint64_t)deaf; /* what the last round left there is wrong now */
	} while (deaf && !lane->failed && !has_ended());
	/* Pages of a request that failed may still be in flight; the program ends anyway. */
	for (unsigned i = 0; i < DEPTH && !lane->failed; i++)
		pvr_port_pages_free(lane->slots[i].pages, info->max_segments);
	return NULL;
}

/* ---- the program ----------------------------------------------------------------------------------- */

static int lanes_run(struct lane *lanes, void *(*body)(void *argument))
{
	int failed = 0;

	for (unsigned i = 0; i < info->queues; i++)
		if (pthread_create(&lanes[i].thread, NULL, body, &lanes[i]))
			abort();
	for (unsigned i = 0; i < info->queues; i++) {
		pthread_join(lanes[i].thread, NULL);
		failed |= lanes[i].failed;
	}
	return failed;
}

static int work(void)
{
	static struct lane lanes[16];
	uint64_t bytes = info->sectors * 512, each = bytes / info->queues / BLOCKING * BLOCKING;
	uint64_t requests = 0;
	int failed;

	if (each < 2 * BLOCKING)
		return failure("a disk that is too small, its end", bytes, -EINVAL);
	for (unsigned i = 0; i < info->queues; i++) {
		lanes[i].queue = pvr_blkfront_queue(disk, i);
		lanes[i].begin = i * each;
		lanes[i].end = i + 1 < info->queues ? (i + 1) * each : bytes;
		lanes[i].random = seed + i;
		lanes[i].seed = seed;
	}
	failed = deaf ? 0 : lanes_run(lanes, blocking_lane); /* their waiting would notice */
	if (!failed)
		failed = lanes_run(lanes, async_lane);
	for (unsigned i = 0; i < info->queues; i++)
		requests += lanes[i].requests;
	printf("%u bits, %u queues, order %u, %u segments, sector %u, persistent %u: "
	       "%" PRIu64 " requests, %s\n",
		(unsigned)sizeof(long) * 8, info->queues, info->ring_order, info->max_segments,
		info->sector_size, info->persistent, requests, failed ? "wrong" : "right");
	return failed;
}

/* Connected until the standard input ends. */
static int wait_for_end(void)
{
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	struct pvr_blkfront_options options = {0};
	int c, rc;

	while ((c = getopt(argc, argv, "q:o:s:pudS:")) != -1) {
		uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 1;

		switch (c) {
		case 'q':
			options.queues = number;
			break;
		case 'o':
			options.ring_order = number;
			break;
		case 's':
			options.max_segments = number;
			break;
		case 'p':
			options.persistent = 1;
			break;
		case 'u':
			options.untrusting = 1;
			break;
		case 'd':
			deaf = 1;
			options.reconnect_ns = 1;
			break;
		case 'S':
			seed = number;
			break;
		default:
			return 64;
		}
	}
	if (optind + 1 != argc || !strchr("wcmr", *argv[optind]))
		return 64;
	only_check = !strcmp(argv[optind], "check");
	rc = pvr_process_attach(NULL, 0);
	if (rc)
		return failure("attach", 0, rc);
	if (strchr("mr", *argv[optind])) {
		rc = *argv[optind] == 'm' ? machine_check() : reopen_check(3);
		pvr_process_detach();
		return rc;
	}
	rc = pvr_blkfront_open(DISK, &options, pvr_port_now_ns() + 10 * SECONDS, &disk);
	if (rc)
		return failure("open", 0, rc);
	info = pvr_blkfront_info(disk);
	rc = strcmp(argv[optind], "wait") ? work() : wait_for_end();
	pvr_blkfront_close(disk);
	pvr_process_detach();
	return rc;
}
