/* SPDX-License-Identifier: MIT */
/* `blk=verify,SIZE` and `blk=first`: the first disk, written, flushed, read back and compared; or how soon it answers. */
#include <string.h>

#include <pvring/blkfront.h>

#include "guest/kernel.h"
#include "ports/x86/x86.h"

#define DISK     "device/vbd/51712"
#define PATIENCE (10 * S)
#define PIECE    (32u * PVR_PAGE_SIZE)
#define DEPTH    32u
#define READS    512u

static unsigned answered;
static int answer;

/* What the eight bytes at a position must be. */
static uint64_t pattern(uint64_t position)
{
	uint64_t x = position + 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	return x ^ x >> 27;
}

static int write_all(struct pvr_blkfront *disk, uint64_t *buffer, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PIECE) {
		for (unsigned i = 0; i < PIECE; i += 8)
			buffer[i / 8] = pattern(at + i);

		int error = pvr_blkfront_write(disk, at / 512, buffer, PIECE);

		if (error)
			return failed("write at %llu: error %u", (unsigned long long)at,
				(unsigned)-error);
	}
	int error = pvr_blkfront_info(disk)->flush ? pvr_blkfront_flush(disk) : 0;

	return error ? failed("flush: error %u", (unsigned)-error) : 0;
}

static int read_all(struct pvr_blkfront *disk, uint64_t *buffer, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PIECE) {
		memset(buffer, 0, PIECE);

		int error = pvr_blkfront_read(disk, at / 512, buffer, PIECE);

		if (error)
			return failed(
				"read at %llu: error %u", (unsigned long long)at, (unsigned)-error);
		for (unsigned i = 0; i < PIECE; i += 8)
			if (buffer[i / 8] != pattern(at + i))
				return failed("byte %llu is not what was written",
					(unsigned long long)(at + i));
	}
	return 0;
}

/* ---- many small reads at once ---- */

static void done(struct pvr_blk_request *request, int error)
{
	const uint64_t *page = request->segments[0].address;

	answered++;
	request->user = NULL;
	if (!answer)
		answer = error ? error : page[0] == pattern(request->sector * 512) ? 0 : 1;
}

/* READS reads of a page each, from all over the first `bytes`. */
static int reads(struct pvr_blkfront *disk, uint8_t *pages, uint64_t bytes)
{
	static struct pvr_blk_request requests[DEPTH];
	static struct pvr_blk_segment segments[DEPTH];
	struct pvr_blkfront_queue *queue = pvr_blkfront_queue(disk, 0);
	const uint64_t places = bytes / PVR_PAGE_SIZE - 1;
	unsigned issued = 0;

	answered = 0;
	answer = 0;
	while (answered < READS) {
		for (unsigned i = 0; i < DEPTH && issued < READS; i++) {
			struct pvr_blk_request *r = &requests[i];

			if (r->user)
				continue;
			segments[i] =
				(struct pvr_blk_segment){pages + i * PVR_PAGE_SIZE, PVR_PAGE_SIZE};
			*r = (struct pvr_blk_request){.op = BLKIF_OP_READ,
				.segments_count = 1,
				.sector = (issued * 7919u & places) * (PVR_PAGE_SIZE / 512),
				.segments = &segments[i],
				.done = done,
				.user = r};
			if (pvr_blkfront_submit(queue, &r, 1) != 1) {
				r->user = NULL;
				break;
			}
			issued++;
		}
		pvr_blkfront_kick(queue);
		int n = pvr_blkfront_poll(queue);

		if (!n)
			n = pvr_blkfront_wait(queue, pvr_port_now_ns() + PATIENCE);
		if (n < 0)
			return failed("reads: error %u after %u", (unsigned)-n, answered);
	}
	return answer ? failed("a small read: error %u, or wrong data", (unsigned)-answer) : 0;
}

static int verify(struct pvr_blkfront *disk, void *buffer, uint64_t bytes)
{
	uint64_t start = pvr_port_now_ns(), written, took;

	if (!bytes || bytes & (bytes - 1) || bytes < PIECE)
		return failed("a size that is no power of two from 128K on");
	if (bytes / 512 > pvr_blkfront_info(disk)->sectors)
		return failed("the disk is smaller");
	if (write_all(disk, buffer, bytes) || read_all(disk, buffer, bytes))
		return -1;
	written = pvr_port_now_ns();
	if (reads(disk, buffer, bytes))
		return -1;
	took = pvr_port_now_ns() - written;
	say("blk: %llu KiB written, flushed, read and compared in %llu ms; %llu reads of 4 KiB a "
	    "second, %u at "
	    "a time",
		(unsigned long long)bytes >> 10, (unsigned long long)divide(written - start, MS),
		(unsigned long long)divide((uint64_t)READS * S, took), DEPTH);
	return 0;
}

static int first(struct pvr_blkfront *disk, void *buffer)
{
	int error = pvr_blkfront_read(disk, 0, buffer, pvr_blkfront_info(disk)->sector_size);

	if (error)
		return failed("the first read: error %u", (unsigned)-error);
	say("blk: first answer %llu ns after the entry",
		(unsigned long long)clock_ns_of(cpu_rdtsc() - machine.entry_tsc));
	return 0;
}

int blk_scenario(const char *args)
{
	struct pvr_blkfront *disk;
	void *buffer;
	int result;

	if (!machine.xen_version)
		return failed("there are no disks without Xen");
	buffer = pvr_port_pages_alloc(PIECE / PVR_PAGE_SIZE);
	if (!buffer)
		return failed("no pages");
	result = pvr_blkfront_open(DISK, NULL, pvr_port_now_ns() + PATIENCE, &disk);
	if (result)
		return failed("open: error %u", (unsigned)-result);
	if (word_is(args, "verify"))
		result = verify(disk, buffer, number_of(after_comma(args), 1 << 20));
	else if (word_is(args, "first"))
		result = first(disk, buffer);
	else
		result = failed("neither verify nor first");
	pvr_blkfront_close(disk);
	/* After an error the backend may still have the pages; the kernel ends then anyway. */
	if (!result)
		pvr_port_pages_free(buffer, PIECE / PVR_PAGE_SIZE);
	return result;
}
