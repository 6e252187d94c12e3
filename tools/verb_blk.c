/* SPDX-License-Identifier: MIT */
/* pvring blk: the first guest program. Describes a disk, moves data to and from it, verifies it. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <pvring/port.h>
#include <pvring/process.h>

#include "args.h"
#include "guest.h"

#define CHUNK_PAGES 256u
#define CHUNK       (CHUNK_PAGES * PVR_PAGE_SIZE)

struct blk {
	const char *verb, *vdev, *operand[2];
	uint64_t offset, length, seed;
	int json, quiet;
	struct pvr_blkfront_options options;

	struct pvr_blkfront *disk;
	const struct pvr_blkfront_info *info;
	char name[16];
	uint8_t *chunk;
	uint64_t last_said; /* ns, for progress */
};

static const struct argp_option keys[] = {
	{"vdev", 'v', "NAME", 0, "the disk (default: the domain's first)", 0},
	{"offset", 'o', "SIZE", 0, "where to begin on the disk (default 0)", 0},
	{"length", 'l', "SIZE", 0, "how much (default: to the end of the disk, or of the input)",
		0},
	{"seed", 's', "N", 0, "of the data that verify writes (default 1)", 0},
	{"quiet", 'q', NULL, 0, "no progress", 0},
	JSON_OPTION,
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct blk *b = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &b->options;
		return 0;
	case 'v':
		b->vdev = arg;
		return 0;
	case 'o':
		if (tool_size(arg, &b->offset))
			argp_failure(
				state, EX_USAGE, 0, "--offset %s: a size, as in 4k or 1G", arg);
		return 0;
	case 'l':
		if (tool_size(arg, &b->length) || !b->length)
			argp_failure(
				state, EX_USAGE, 0, "--length %s: a size, as in 4k or 1G", arg);
		return 0;
	case 's':
		if (tool_number(arg, 0, UINT64_MAX, &b->seed))
			argp_failure(state, EX_USAGE, 0, "--seed %s: a number", arg);
		return 0;
	case 'q':
		b->quiet = 1;
		return 0;
	case 'j':
		b->json = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (!b->verb)
			b->verb = arg;
		else if (state->arg_num < 3)
			b->operand[state->arg_num - 1] = arg;
		else
			argp_failure(state, EX_USAGE, 0, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One line on a terminal, renewed ten times a second; nothing elsewhere. */
static void progress(
	struct blk *b, const char *doing, uint64_t done, uint64_t total, uint64_t begin)
{
	uint64_t now = pvr_port_now_ns();
	char text[2][16];

	if (b->quiet || !isatty(STDERR_FILENO) || (now - b->last_said < 100000000 && done < total))
		return;
	b->last_said = now;
	fprintf(stderr, "\r%s: %s %3.0f %%  %s of %s  %.0f MB/s \033[K", b->name, doing,
		100.0 * (double)done / (double)total, tool_size_text(done, text[0]),
		tool_size_text(total, text[1]), (double)done * 1e3 / (double)(now - begin + 1));
	if (done == total)
		fputs("\r\033[K", stderr);
}

static int disk_error(const struct blk *b, const char *doing, uint64_t at, int rc)
{
	return tool_error(tool_status(rc), "%s: %s at byte %" PRIu64 ": %s", b->name, doing, at,
		strerror(-rc));
}

/* The range to work on, checked against the disk. */
static int range(struct blk *b, uint64_t *bytes)
{
	uint64_t size = b->info->sectors * 512;

	if (b->offset % b->info->sector_size || b->length % b->info->sector_size)
		return tool_error(EX_USAGE,
			"%s: offset and length are multiples of the sector size, %u bytes", b->name,
			b->info->sector_size);
	if (b->offset >= size || b->length > size - b->offset)
		return tool_error(EX_USAGE, "%s: it ends at byte %" PRIu64, b->name, size);
	*bytes = b->length ? b->length : size - b->offset;
	return 0;
}

static int full_write(int fd, const uint8_t *from, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, from, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Up to `bytes`, less only at the end of the input. */
static ssize_t full_read(int fd, uint8_t *to, size_t bytes)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t n = read(fd, to + got, bytes - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int disk_to_fd(struct blk *b, int fd, const char *to)
{
	uint64_t bytes, done = 0, begin = pvr_port_now_ns();
	int rc = range(b, &bytes);

	if (rc)
		return rc;
	while (done < bytes) {
		size_t now = bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK;

		rc = pvr_blkfront_read(b->disk, (b->offset + done) / 512, b->chunk, now);
		if (rc)
			return disk_error(b, "read", b->offset + done, rc);
		rc = full_write(fd, b->chunk, now);
		if (rc)
			return tool_error(EX_IOERR, "%s: %s", to, strerror(-rc));
		done += now;
		progress(b, "reading", done, bytes, begin);
	}
	return 0;
}

static int fd_to_disk(struct blk *b, int fd, const char *from)
{
	uint64_t room, done = 0, begin = pvr_port_now_ns();
	int rc = range(b, &room);

	if (rc)
		return rc;
	for (;;) {
		size_t now = room - done < CHUNK ? (size_t)(room - done) : CHUNK;
		ssize_t got = now ? full_read(fd, b->chunk, now) : 0;

		if (got < 0)
			return tool_error(EX_IOERR, "%s: %s", from, strerror((int)-got));
		if (got == 0)
			break;
		if ((uint64_t)got % b->info->sector_size)
			return tool_error(EX_DATAERR,
				"%s: its length is not a multiple of the sector size, %u bytes",
				from, b->info->sector_size);
		rc = pvr_blkfront_write(b->disk, (b->offset + done) / 512, b->chunk, (size_t)got);
		if (rc)
			return disk_error(b, "write", b->offset + done, rc);
		done += (uint64_t)got;
		progress(b, "writing", done, room, begin);
	}
	/* What does not fit must not be lost in silence. */
	if (!b->length && full_read(fd, b->chunk, 1) > 0)
		return tool_error(EX_DATAERR,
			"%s: it is longer than the disk, %" PRIu64 " bytes were written", from,
			done);
	rc = b->info->flush ? pvr_blkfront_flush(b->disk) : 0;
	return rc ? disk_error(b, "flush", b->offset, rc) : 0;
}

/*
 * A word of the pattern: splitmix64 of seed and position, so that no two words of a disk are alike.
 */
static uint64_t pattern(uint64_t seed, uint64_t position)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + position + 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static int verify_write(struct blk *b, uint64_t bytes)
{
	uint64_t begin = pvr_port_now_ns();
	int rc;

	for (uint64_t done = 0; done < bytes;) {
		size_t now = bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK;
		uint64_t *words = (uint64_t *)(void *)b->chunk;

		for (size_t i = 0; i < now / 8; i++)
			words[i] = pattern(b->seed, (b->offset + done) / 8 + i);
		rc = pvr_blkfront_write(b->disk, (b->offset + done) / 512, b->chunk, now);
		if (rc)
			return disk_error(b, "write", b->offset + done, rc);
		done += now;
		progress(b, "writing", done, bytes, begin);
	}
	rc = b->info->flush ? pvr_blkfront_flush(b->disk) : 0;
	return rc ? disk_error(b, "flush", b->offset, rc) : 0;
}

static int verify_read(struct blk *b, uint64_t bytes)
{
	uint64_t begin = pvr_port_now_ns();

	for (uint64_t done = 0; done < bytes;) {
		size_t now = bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK;
		const uint64_t *words = (const uint64_t *)(const void *)b->chunk;
		int rc;

		memset(b->chunk, 0, now);
		rc = pvr_blkfront_read(b->disk, (b->offset + done) / 512, b->chunk, now);
		if (rc)
			return disk_error(b, "read", b->offset + done, rc);
		for (size_t i = 0; i < now / 8; i++)
			if (words[i] != pattern(b->seed, (b->offset + done) / 8 + i))
				return tool_error(EX_DATAERR,
					"%s: byte %" PRIu64 " is not what was written there",
					b->name, b->offset + done + i * 8);
		done += now;
		progress(b, "reading back", done, bytes, begin);
	}
	return 0;
}

static int blk_verify(struct blk *b)
{
	uint64_t bytes, t0 = pvr_port_now_ns(), t1, t2;
	char text[16];
	int rc = range(b, &bytes);

	if (rc)
		return rc;
	if (b->info->readonly)
		return tool_error(EX_USAGE, "%s is read-only: verify writes to it", b->name);
	rc = verify_write(b, bytes);
	t1 = pvr_port_now_ns();
	if (!rc)
		rc = verify_read(b, bytes);
	t2 = pvr_port_now_ns();
	if (rc)
		return rc;
	printf("%s: %s written, flushed and read back, every byte as written (%.0f MB/s and %.0f "
	       "MB/s)\n",
		b->name, tool_size_text(bytes, text), (double)bytes * 1e3 / (double)(t1 - t0),
		(double)bytes * 1e3 / (double)(t2 - t1));
	return 0;
}

static void info_json(const struct blk *b)
{
	const struct pvr_blkfront_info *i = b->info;
	json_t *o = json_pack("{s:s, s:I, s:i, s:i, s:b, s:b, s:i, s:i, s:i, s:i}", "vdev", b->name,
		"bytes", (json_int_t)(i->sectors * 512), "sector_size", (int)i->sector_size,
		"physical_sector_size", (int)i->physical_sector_size, "readonly", (int)i->readonly,
		"flush", (int)i->flush, "ring_entries", (int)i->entries, "ring_order",
		(int)i->ring_order, "max_segments", (int)i->max_segments, "queues", (int)i->queues);
	json_t *more = json_pack("{s:b, s:b, s:b, s:b, s:I, s:I}", "barrier", (int)i->barrier,
		"discard", (int)i->discard, "secure_discard", (int)i->secure, "persistent",
		(int)i->persistent, "discard_granularity", (json_int_t)i->discard_granularity,
		"discard_alignment", (json_int_t)i->discard_alignment);

	json_object_update(o, more);
	json_decref(more);
	verb_print_json(stdout, o);
}

static int blk_info(struct blk *b)
{
	const struct pvr_blkfront_info *i = b->info;
	char text[16];

	if (b->json) {
		info_json(b);
		return 0;
	}
	printf("%s: %s, %" PRIu64 " sectors of 512 bytes, %s\n", b->name,
		tool_size_text(i->sectors * 512, text), i->sectors,
		i->readonly ? "read-only" : "read-write");
	printf("  sector size %u, physical %u, flush %s, barrier %s, discard %s\n", i->sector_size,
		i->physical_sector_size, i->flush ? "yes" : "no", i->barrier ? "yes" : "no",
		!i->discard ? "no"
		: i->secure ? "yes, secure too"
			    : "yes");
	printf("  %u queue%s, ring of %u page%s, %u requests of up to %u segments, %s\n", i->queues,
		i->queues == 1 ? "" : "s", 1u << i->ring_order, i->ring_order ? "s" : "",
		i->entries, i->max_segments,
		i->persistent ? "persistent grants" : "a grant a request");
	return 0;
}

static int blk_read(struct blk *b)
{
	return disk_to_fd(b, STDOUT_FILENO, "standard output");
}

static int blk_write(struct blk *b)
{
	return fd_to_disk(b, STDIN_FILENO, "standard input");
}

/* One of the two operands is the disk ("xvda"), the other a file. */
static int blk_copy(struct blk *b)
{
	int out = !strcmp(b->operand[0], b->name);
	const char *path = b->operand[out];
	int fd = out ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
		     : open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return tool_error(out ? EX_CANTCREAT : EX_NOINPUT, "%s: %s", path, strerror(errno));
	rc = out ? disk_to_fd(b, fd, path) : fd_to_disk(b, fd, path);
	if (close(fd) && !rc)
		rc = tool_error(EX_IOERR, "%s: %s", path, strerror(errno));
	return rc;
}

static const struct blk_verb {
	const char *name;
	int (*run)(struct blk *b);
	unsigned operands;
} blk_verbs[] = {
	{"info", blk_info, 0},
	{"read", blk_read, 0},
	{"write", blk_write, 0},
	{"copy", blk_copy, 2},
	{"verify", blk_verify, 0},
};

static const struct blk_verb *find_verb(const struct blk *b)
{
	for (size_t i = 0; b->verb && i < sizeof(blk_verbs) / sizeof(blk_verbs[0]); i++)
		if (!strcmp(b->verb, blk_verbs[i].name))
			return &blk_verbs[i];
	return NULL;
}

/* Which operand of a copy names the disk. */
static int choose_disk(struct blk *b)
{
	uint32_t number;

	for (int i = 0; i < 2; i++)
		if (!disk_vdev_number(b->operand[i], &number)) {
			b->vdev = b->operand[i];
			return 0;
		}
	return tool_error(EX_USAGE, "copy FROM TO: one of them is a disk, such as xvda");
}

int verb_blk(int argc, char **argv)
{
	static const struct argp_child children[] = {{&guest_disk_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {keys, parse, "info|read|write|copy FROM TO|verify",
		"A guest program, for use under 'pvring run --disk SPEC -- ...'.\v"
		"  info    what was negotiated with the backend\n"
		"  read    the disk to standard output\n"
		"  write   standard input to the disk, then flush\n"
		"  copy    a file to a disk, or a disk to a file: 'copy in.img xvda', 'copy xvda "
		"out.img'\n"
		"  verify  write a pattern, flush, read it back and compare: destroys what is on "
		"the disk",
		children, NULL, NULL};
	struct blk b = {.seed = 1};
	const struct blk_verb *verb;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &b);
	verb = find_verb(&b);
	if (!verb)
		return tool_error(EX_USAGE, "%s%s: info, read, write, copy or verify",
			b.verb ? "not " : "what to do", b.verb ? b.verb : "");
	if ((verb->operands == 2) != !!b.operand[1] || (verb->operands == 0 && b.operand[0]))
		return tool_error(EX_USAGE, "%s takes %u arguments", verb->name, verb->operands);
	rc = verb->operands ? choose_disk(&b) : 0;
	if (!rc)
		rc = guest_attach();
	if (rc)
		return rc;
	rc = guest_disk_open(b.vdev, &b.options, &b.disk, b.name);
	if (!rc) {
		b.info = pvr_blkfront_info(b.disk);
		b.chunk = pvr_port_pages_alloc(CHUNK_PAGES);
		rc = b.chunk ? verb->run(&b)
			     : tool_error(EX_OSERR,
				       "the domain has no %u free pages: more --memory",
				       CHUNK_PAGES);
		if (b.chunk)
			pvr_port_pages_free(b.chunk, CHUNK_PAGES);
		pvr_blkfront_close(b.disk);
	}
	pvr_process_detach();
	return rc;
}
