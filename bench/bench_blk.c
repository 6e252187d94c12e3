/* SPDX-License-Identifier: MIT */
/*
 * pvring bench blk: block I/O by size and depth through blkfront, ring and blkback, and the same on
 * the same file without them, in turns. Under `pvring run` it uses the domain's disk; else it makes
 * a system and an image of its own.
 */
#include "bench.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <pvring/blkfront.h>
#include <pvring/process.h>

#include "../tools/guest.h"
#include "blk_bench.h"

#define SIZES_MAX 8u
#define WAYS      3u

struct options {
	uint64_t sizes[SIZES_MAX], depths[SIZES_MAX];
	unsigned sizes_count, depths_count;
	struct bench_args args;
	uint64_t ms, think_us, image;
	const char *file;
	int write, sequential;
	struct pvr_blkfront_options disk;
};

static const struct argp_option keys[] = {
	{"size", 's', "SIZE[,SIZE..]", 0, "bytes a request (default 4k)", 0},
	{"depth", 'd', "N[,N..]", 0, "requests in flight (default 1,32)", 0},
	{"write", 'w', NULL, 0, "write instead of read: destroys what is on the disk", 0},
	{"sequential", 'q', NULL, 0, "one place after the other instead of random ones", 0},
	{"think", 't', "US", 0, "microseconds between an answer and the next request (default 0)",
		0},
	{"time", 'T', "MS", 0, "milliseconds a round (default 500)", 0},
	{"image", 'i', "SIZE", 0, "without a domain: the size of the image made (default 256M)", 0},
	{"file", 'f', "PATH", 0, "in a domain: the image behind the disk, for the rows beside ours",
		0},
	BENCH_OPTIONS,
	{0},
};

static int parse_list(
	char *text, uint64_t *list, unsigned *count, int (*one)(const char *text, uint64_t *value))
{
	*count = 0;
	for (char *save, *at = strtok_r(text, ",", &save); at; at = strtok_r(NULL, ",", &save))
		if (*count == SIZES_MAX || one(at, &list[(*count)++]))
			return -EINVAL;
	return *count ? 0 : -EINVAL;
}

static int one_size(const char *text, uint64_t *value)
{
	return tool_size(text, value) || *value < 512 || *value % 512 || *value > 1 << 20 ? -EINVAL
											  : 0;
}

static int one_depth(const char *text, uint64_t *value)
{
	return tool_number(text, 1, 512, value);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->disk;
		return 0;
	case 's':
		if (parse_list(arg, o->sizes, &o->sizes_count, one_size))
			argp_failure(state, EX_USAGE, 0, "--size takes up to %u sizes, multiples of 512 bytes up to 1M",
				SIZES_MAX);
		return 0;
	case 'd':
		if (parse_list(arg, o->depths, &o->depths_count, one_depth))
			argp_error(
				state, "--depth takes up to %u numbers from 1 to 512", SIZES_MAX);
		return 0;
	case 't':
		if (tool_number(arg, 0, 1000000, &o->think_us))
			argp_failure(state, EX_USAGE, 0, "--think is a number of microseconds, not '%s'", arg);
		return 0;
	case 'T':
		if (tool_number(arg, 1, 600000, &o->ms))
			argp_failure(state, EX_USAGE, 0, "--time is a number of milliseconds, not '%s'", arg);
		return 0;
	case 'i':
		if (tool_size(arg, &o->image) || o->image < 1 << 20 || o->image % 4096)
			argp_failure(state, EX_USAGE, 0, "--image is a size from 1M up, not '%s'", arg);
		return 0;
	case 'f':
		o->file = arg;
		return 0;
	case 'w':
	case 'q':
		*(key == 'w' ? &o->write : &o->sequential) = 1;
		return 0;
	default:
		return bench_args_parse(&o->args, key, arg, state);
	}
}

/* One way of doing one job: medians over the rounds are printed. */
struct cell {
	struct bench_row iops, p50, p99, cpu, notifies;
};

struct bench {
	const struct options *o;
	const struct ephemeral *system;
	struct pvr_blkfront *disk;
	const char *file;
	uint64_t span;
	char vdev[16];
	json_t *rows;
};

/* CPU seconds of a process that is not our child, or 0. */
static double cpu_of(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_all(const struct bench *b)
{
	return bench_cpu_seconds() +
	       (b->system ? cpu_of(b->system->blkback) + cpu_of(b->system->hypervisor) : 0);
}

static const char *const way_names[WAYS] = {"pvring", "file, pread/pwrite", "file, io_uring"};

/* Which rows a job has: psync does one request at a time; both need to see the file. */
static int way_fits(const struct bench *b, unsigned way, const struct blk_job *job)
{
	return way == 0 || (b->file && (way == 2 || job->depth == 1));
}

static int run_way(struct bench *b, unsigned way, const struct blk_job *job, struct cell *cell)
{
	struct blk_result *r = calloc(1, sizeof(*r));
	double cpu = cpu_all(b);
	int error;

	if (!r)
		return -ENOMEM;
	if (way == 0)
		blk_run_pvring(b->disk, job, r);
	else if (way == 1)
		blk_run_psync(b->file, job, r);
	else
		blk_run_uring(b->file, job, r);
	cpu = cpu_all(b) - cpu;

	double requests = r->requests ? (double)r->requests : 1;
	unsigned at = cell->iops.rounds++;

	cell->p50.rounds = cell->p99.rounds = cell->cpu.rounds = cell->notifies.rounds = at + 1;
	cell->iops.value[at] = (double)r->requests * 1e9 / (double)r->ns;
	cell->p50.value[at] = (double)hist_at(&r->latency, 0.5) / 1e3;
	cell->p99.value[at] = (double)hist_at(&r->latency, 0.99) / 1e3;
	cell->cpu.value[at] = cpu * 1e6 / requests;
	cell->notifies.value[at] = (double)(r->notifies + r->events) / requests;
	error = r->error;
	free(r);
	return error;
}

static void print_cell(
	struct bench *b, unsigned way, const struct blk_job *job, struct cell *c, double anchor)
{
	double iops = bench_median(&c->iops), p50 = bench_median(&c->p50),
	       p99 = bench_median(&c->p99);
	double cpu = bench_median(&c->cpu), notifies = bench_median(&c->notifies);
	double mbs = iops * job->size / 1e6;

	if (b->rows) {
		json_array_append_new(b->rows,
			json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "way",
				way_names[way], "size", (int)job->size, "depth", (int)job->depth,
				"iops", iops, "mb_s", mbs, "p50_us", p50, "p99_us", p99,
				"cpu_s_per_million", cpu, "notifications_per_request", notifies,
				"ratio", iops / anchor));
		return;
	}
	printf("%-20s %7u %5u %10.0f %8.0f %8.1f %8.1f %8.2f %8.3f %6.2f\n", way_names[way],
		job->size, job->depth, iops, mbs, p50, p99, cpu, notifies, iops / anchor);
}

/* One job, all ways, interleaved. */
static int run_job(struct bench *b, const struct blk_job *job)
{
	struct cell *cells = calloc(WAYS, sizeof(*cells));
	int rc = cells ? 0 : -ENOMEM;

	for (unsigned r = 0; r < b->o->args.rounds && !rc; r++)
		for (unsigned way = 0; way < WAYS && !rc; way++)
			if (way_fits(b, way, job))
				rc = run_way(b, way, job, &cells[way]);
	for (unsigned way = 0; way < WAYS && !rc; way++)
		if (way_fits(b, way, job))
			print_cell(b, way, job, &cells[way], bench_median(&cells[0].iops));
	free(cells);
	return rc;
}

static int run_all(struct bench *b)
{
	const struct options *o = b->o;
	uint32_t most = pvr_blkfront_info(b->disk)->max_segments * 4096;

	if (!b->rows)
		printf("%-20s %7s %5s %10s %8s %8s %8s %8s %8s %6s\n", o->write ? "write" : "read",
			"bytes", "depth", "IOPS", "MB/s", "p50 us", "p99 us", "CPUs/M", "ntfy/rq",
			"ratio");
	for (unsigned s = 0; s < o->sizes_count; s++)
		for (unsigned d = 0; d < o->depths_count; d++) {
			struct blk_job job = {.span = b->span,
				.ns = o->ms * 1000000,
				.think = o->think_us * 1000,
				.size = (uint32_t)o->sizes[s],
				.depth = (uint32_t)o->depths[d],
				.write = o->write,
				.sequential = o->sequential};
			int rc;

			if (job.size > most)
				return tool_error(EX_USAGE, "%s takes at most %u bytes a request",
					b->vdev, most);
			rc = run_job(b, &job);
			if (rc)
				return tool_error(
					tool_status(rc), "%s: %s", b->vdev, strerror(-rc));
		}
	return 0;
}

static void print_notes(struct bench *b)
{
	char text[256];

	snprintf(text, sizeof(text),
		"%s, %" PRIu64 " MiB used, %" PRIu64 " ms a round, %u rounds interleaved, medians; "
		"%" PRIu64 " us think time; %u CPUs",
		b->o->sequential ? "sequential" : "random", b->span >> 20, b->o->ms,
		b->o->args.rounds, b->o->think_us, bench_cpus());
	if (b->rows) {
		json_t *all = json_pack(
			"{s:s, s:s, s:o}", "benchmark", "blk", "setting", text, "rows", b->rows);

		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
		json_decref(all);
		return;
	}
	printf("# %s\n# CPUs/M: CPU seconds of %s per million requests; ratio: IOPS beside "
	       "pvring's\n",
		text, b->system ? "guest, backend and hypervisor" : "this process alone");
	printf("# pvring: data is copied once, between page cache and guest pages; client and "
	       "server have a core "
	       "each\n");
}

/* As a guest of the system that the environment names. */
static int run_guest(struct bench *b)
{
	int rc = guest_attach();

	if (rc)
		return rc;
	rc = guest_disk_open(NULL, &b->o->disk, &b->disk, b->vdev);
	if (!rc) {
		b->span = pvr_blkfront_info(b->disk)->sectors * 512;
		b->rows = b->o->args.json ? json_array() : NULL;
		rc = run_all(b);
		if (!rc)
			print_notes(b);
		pvr_blkfront_close(b->disk);
	}
	pvr_process_detach();
	return rc;
}

/* An image whose every page exists, so that reads find data and not holes. */
static int make_image(char path[64], uint64_t bytes)
{
	static uint8_t page[1 << 16];
	const char *dir = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	int fd;

	snprintf(path, 64, "%s/pvring-bench-XXXXXX", dir);
	fd = mkstemp(path);
	if (fd < 0)
		return tool_error(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	memset(page, 0x5a, sizeof(page));
	for (uint64_t at = 0; at < bytes; at += sizeof(page))
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page)) {
			unlink(path);
			close(fd);
			return tool_error(
				EX_CANTCREAT, "%s: no room for %" PRIu64 " bytes", path, bytes);
		}
	close(fd);
	return 0;
}

static int run_own_system(struct bench *b)
{
	struct ephemeral system;
	struct disk_spec disk;
	char path[64], why[256];
	int rc = make_image(path, b->o->image);

	if (rc)
		return rc;
	if (disk_spec_parse(path, &disk, why, sizeof(why)))
		return tool_error(EX_SOFTWARE, "%s", why);
	rc = ephemeral_start(&system, &disk, 1, 64 << 20, 0);
	if (!rc) {
		b->system = &system;
		b->file = path;
		rc = run_guest(b);
		ephemeral_stop(&system);
	}
	unlink(path);
	return rc;
}

int bench_blk(int argc, char **argv)
{
	static const struct argp_child children[] = {{&guest_disk_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {keys, parse, NULL,
		"Block I/O through blkfront, ring and blkback, beside the same on the same file "
		"without them. Under "
		"'pvring run' it uses the domain's disk; else it makes a system and an image of "
		"its own, on /dev/shm "
		"where there is one.",
		children, NULL, NULL};
	struct options o = {.sizes = {4096},
		.sizes_count = 1,
		.depths = {1, 32},
		.depths_count = 2,
		.ms = 500,
		.args.rounds = BENCH_ROUNDS,
		.image = 256 << 20};
	struct bench b = {.o = &o};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	b.file = o.file;
	return getenv(PVR_HV_ENV_DOMID) ? run_guest(&b) : run_own_system(&b);
}
