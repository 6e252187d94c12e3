/* SPDX-License-Identifier: MIT */
/*
 * pvring bench net: packets through netfront, ring and netback, each way and by size, between this process on one CPU and
 * the backend on another; and beside it, in turns, what moving packets costs at the least. Nothing is outside: the
 * backend swallows what it gets, or makes what it gives.
 */
#include "bench.h"

#include <argp.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <pvring/netfront.h>
#include <pvring/port.h>
#include <pvring/process.h>

#include "../tools/device.h"
#include "../tools/guest.h"
#include "../tools/net.h"
#include "net_bench.h"

#define SIZES_MAX  8u
#define WAYS       2u
#define CONNECT_NS 5000000000ull

struct options {
	uint32_t sizes[SIZES_MAX];
	unsigned sizes_count;
	struct bench_args args;
	uint64_t ms, queues;
	uint32_t front_without, back_without;
};

static const struct argp_option keys[] = {
	{"sizes", 's', "N[,N..]", 0, "bytes of a packet (default 64,1500,65535)", 0},
	{"seconds", 'S', "S", 0, "of a round (default 0.5)", 0},
	{"queues", 'q', "N", 0, "pairs of rings, a thread each (default 1)", 0},
	{"without", 'w', "A+B..", 0, "leave out features, as in a network SPEC", 0},
	BENCH_OPTIONS,
	{0},
};

static void parse_sizes(struct options *o, char *text, struct argp_state *state)
{
	uint64_t value;

	o->sizes_count = 0;
	for (char *save, *at = strtok_r(text, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
		if (o->sizes_count == SIZES_MAX || tool_number(at, 60, 65535, &value))
			argp_failure(state, EX_USAGE, 0,
				"--sizes takes up to %u numbers from 60 to 65535", SIZES_MAX);
		o->sizes[o->sizes_count++] = (uint32_t)value;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct net_spec spec;
	char text[128], why[256], *end;
	double seconds;

	switch (key) {
	case 's':
		parse_sizes(o, arg, state);
		return 0;
	case 'S':
		seconds = strtod(arg, &end);
		if (*end || !(seconds >= 0.01 && seconds <= 600))
			argp_failure(state, EX_USAGE, 0, "--seconds %s: 0.01 to 600", arg);
		o->ms = (uint64_t)(seconds * 1000);
		return 0;
	case 'q':
		if (tool_number(arg, 1, PVR_NETFRONT_QUEUES_MAX, &o->queues))
			argp_failure(state, EX_USAGE, 0, "--queues %s: 1 to %u", arg,
				PVR_NETFRONT_QUEUES_MAX);
		return 0;
	case 'w':
		snprintf(text, sizeof(text), "null,without=%s", arg);
		if (net_spec_parse(text, &spec, why, sizeof(why)))
			argp_failure(state, EX_USAGE, 0, "--without %s: %s", arg, why);
		o->front_without = spec.front_without;
		o->back_without = spec.back_without;
		return 0;
	default:
		return bench_args_parse(&o->args, key, arg, state);
	}
}

/* One way of doing one job: medians over the rounds are printed. */
struct cell {
	struct bench_row pps, cpu, notifies;
};

struct bench {
	const struct options *o;
	struct ephemeral *system;
	struct pvr_host *host;
	unsigned queues, static_pages; /* as negotiated */
	json_t *rows;
};

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
	return bench_cpu_seconds() + cpu_of(b->system->netback);
}

/* An interface for one job: attached, connected, run, and taken away. */
static int run_pvring(struct bench *b, const struct net_job *job, struct net_result *result,
	double *cpu, double *notifies)
{
	static struct net_runner runners[PVR_NETFRONT_QUEUES_MAX];
	struct net_spec spec = {.type = NET_NULL,
		.bytes = job->to_guest ? job->bytes : 0,
		.queues = (unsigned)b->o->queues,
		.back_without = b->o->back_without};
	struct pvr_netfront_options options = {
		.queues = (uint32_t)b->o->queues, .without = b->o->front_without};
	struct pvr_netfront_calls calls = net_runner_calls;
	struct pvr_netfront_stats before, after;
	struct pvr_netfront *net;
	struct device device;
	char path[32], why[256];
	int rc;

	calls.user = runners;
	net_mac_choose(&spec);
	device_init(&device, &vif_class, b->host, b->system->domid, DEVICE_ANY);
	rc = device_attach(&device, &spec, why, sizeof(why));
	if (rc)
		return tool_error(tool_status(rc), "%s", why);
	snprintf(path, sizeof(path), "device/vif/%u", device.devid);
	rc = pvr_netfront_open(path, &options, &calls, pvr_port_now_ns() + CONNECT_NS, &net);
	if (rc)
		return tool_error(
			tool_status(rc), "the interface does not connect: %s", strerror(-rc));
	b->queues = pvr_netfront_info(net)->queues;
	b->static_pages = pvr_netfront_info(net)->static_pages;
	pvr_netfront_stats(net, &before);
	*cpu = cpu_all(b);
	net_run_pvring(net, runners, job, result);
	*cpu = cpu_all(b) - *cpu;
	pvr_netfront_stats(net, &after);
	*notifies = (double)(after.notifies + after.events - before.notifies - before.events);
	pvr_netfront_close(net);
	device_detach(&device, 1, why, sizeof(why));
	return result->error ? tool_error(tool_status(result->error), "the interface failed: %s",
				       strerror(-result->error))
			     : 0;
}

static int run_way(struct bench *b, unsigned way, const struct net_job *job, struct cell *cell)
{
	struct net_result r = {0};
	double cpu = 0, notifies = 0, packets;
	unsigned at = cell->pps.rounds++;
	int rc = 0;

	if (way == 0) {
		rc = run_pvring(b, job, &r, &cpu, &notifies);
	} else {
		cpu = bench_cpu_seconds();
		net_run_floor(job, &r);
		cpu = bench_cpu_seconds() - cpu;
	}
	packets = r.packets ? (double)r.packets : 1;
	cell->cpu.rounds = cell->notifies.rounds = at + 1;
	cell->pps.value[at] = r.ns ? (double)r.packets * 1e9 / (double)r.ns : 0;
	cell->cpu.value[at] = cpu * 1e6 / packets;
	cell->notifies.value[at] = notifies / packets;
	return rc;
}

static const char *const way_names[WAYS] = {"pvring", "memcpy ring"};

static void print_cell(
	struct bench *b, unsigned way, const struct net_job *job, struct cell *c, double anchor)
{
	double pps = bench_median(&c->pps), cpu = bench_median(&c->cpu);
	double notifies = bench_median(&c->notifies), gbs = pps * job->bytes * 8 / 1e9;
	const char *direction = job->to_guest ? "to the guest" : "from the guest";

	if (b->rows) {
		json_array_append_new(b->rows,
			json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "way",
				way_names[way], "direction", job->to_guest ? "rx" : "tx", "bytes",
				(int)job->bytes, "packets_s", pps, "spread", bench_spread(&c->pps),
				"gb_s", gbs, "cpu_s_per_million", cpu, "notifications_per_packet",
				notifies, "ratio", anchor > 0 ? pps / anchor : 0));
		return;
	}
	printf("%-15s %6u %-12s %12.0f %10.0f %8.2f %9.4f %9.4f %6.2f\n", direction, job->bytes,
		way_names[way], pps, bench_spread(&c->pps), gbs, cpu, notifies,
		anchor > 0 ? pps / anchor : 0);
}

static int run_job(struct bench *b, const struct net_job *job)
{
	struct cell *cells = calloc(WAYS, sizeof(*cells));
	int rc = cells ? 0 : tool_error(EX_OSERR, "no memory");

	for (unsigned r = 0; r < b->o->args.rounds && !rc; r++)
		for (unsigned way = 0; way < WAYS && !rc; way++)
			rc = run_way(b, way, job, &cells[way]);
	for (unsigned way = 0; way < WAYS && !rc; way++)
		print_cell(b, way, job, &cells[way], bench_median(&cells[0].pps));
	free(cells);
	return rc;
}

static int run_all(struct bench *b)
{
	int rc = 0;

	if (!b->rows)
		printf("%-15s %6s %-12s %12s %10s %8s %9s %9s %6s\n", "", "bytes", "way",
			"packets/s", "+/-", "Gb/s", "CPU-s/1M", "ntfy/pkt", "ratio");
	for (int to_guest = 0; to_guest < 2 && !rc; to_guest++)
		for (unsigned i = 0; i < b->o->sizes_count && !rc; i++) {
			struct net_job job = {.ns = b->o->ms * 1000000,
				.bytes = b->o->sizes[i],
				.to_guest = to_guest};

			rc = run_job(b, &job);
		}
	return rc;
}

static void print_notes(struct bench *b)
{
	static const char *const notes[] = {
		"pvring, from the guest: no copy; the backend maps each page and lets go of it, or "
		"finds it "
		"mapped for all time. To the guest: one write into its page by the backend, read "
		"in place.",
		"memcpy ring: two processes, 256 slots, one copy by the sender, none by the "
		"receiver; no "
		"grants, no checks, no sleep.",
		"CPU-s/1M: CPU seconds of both processes per million packets; ratio: packets/s "
		"beside pvring's.",
		"DPDK's memif and vhost-user: bench/compare-net.sh.",
	};
	const size_t count = sizeof(notes) / sizeof(notes[0]);
	char text[256];

	snprintf(text, sizeof(text),
		"two processes, CPUs 0 and 1 of %u; %u queue%s, %u static pages each; %.4g s a "
		"round, %u rounds "
		"interleaved, medians",
		bench_cpus(), b->queues, b->queues == 1 ? "" : "s", b->static_pages,
		(double)b->o->ms / 1000, b->o->args.rounds);
	if (!b->rows) {
		printf("# %s\n", text);
		for (size_t i = 0; i < count; i++)
			printf("# %s\n", notes[i]);
		return;
	}

	json_t *said = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(said, json_string(notes[i]));

	json_t *all = json_pack("{s:s, s:s, s:o, s:o}", "benchmark", "net", "setting", text, "rows",
		b->rows, "notes", said);

	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(all);
}

static int run_system(struct bench *b)
{
	int rc = guest_attach();

	if (rc)
		return rc;
	rc = pvr_host_open(b->system->dir, &b->host);
	if (rc) {
		rc = tool_no_hypervisor(b->system->dir, rc);
	} else {
		bench_pin(0);
		b->rows = b->o->args.json ? json_array() : NULL;
		rc = run_all(b);
		if (!rc)
			print_notes(b);
		pvr_host_close(b->host);
	}
	pvr_process_detach();
	return rc;
}

/* The second CPU that this process may use, as netback's --cpus has it. */
static void second_cpu(char text[16])
{
	cpu_set_t allowed;
	unsigned at = 0;

	*text = 0;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && at++ <= 1)
			snprintf(text, 16, "%u", cpu);
}

int bench_net(int argc, char **argv)
{
	static const struct argp argp = {keys, parse, NULL,
		"Packets through netfront, ring and netback between two processes, each way and by "
		"size, beside "
		"a bare ring in shared memory.",
		NULL, NULL, NULL};
	struct options o = {.sizes = {64, 1500, 65535},
		.sizes_count = 3,
		.ms = 500,
		.queues = 1,
		.args.rounds = BENCH_ROUNDS};
	struct ephemeral system;
	struct bench b = {.o = &o, .system = &system};
	char cpu[16];
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	bench_cpus();
	second_cpu(cpu);
	rc = ephemeral_start(&system, NULL, 0, 64 << 20, 0);
	if (rc)
		return rc;
	system.net_cpus = *cpu ? cpu : NULL;
	rc = ephemeral_netback(&system);
	if (!rc)
		rc = run_system(&b);
	ephemeral_stop(&system);
	return rc;
}
