/* SPDX-License-Identifier: MIT */
/*
 * pvring bench evtchn: an event from a guest process to a dom0 process and one back, through a real
 * event channel of an ephemeral system, with both sides asleep in between and with both awake. Bare
 * eventfds between two processes are the peer, in the same rounds.
 */
#include "bench.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/evtchn.h>
#include <pvring/port.h>
#include <pvring/process.h>

#include "../tools/guest.h"
#include "../tools/tools.h"

struct options {
	struct bench_args args;
	uint64_t count;
};

/* What the two processes share: the guest's port, and a gate for each round. */
struct shared {
	_Atomic uint32_t port;
	struct bench_gate gate[BENCH_ROUNDS_MAX * 2];
};

static const struct argp_option keys[] = {
	{"count", 'c', "N", 0, "round trips in a round (default 20000; a tenth of that asleep)", 0},
	BENCH_OPTIONS,
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		if (tool_number(arg, 100, 100000000, &o->count))
			argp_failure(state, EX_USAGE, 0, "--count is a number from 100 up, not '%s'", arg);
		return 0;
	default:
		return bench_args_parse(&o->args, key, arg, state);
	}
}

/* ---- the event channel ---- */

static void guest_take(evtchn_port_t port, int awake)
{
	uint64_t deadline = awake ? 0 : UINT64_MAX; /* a deadline in the past: look, do not sleep */

	while (pvr_evtchn_wait(port, deadline))
		;
}

/* The guest starts every exchange, round by round: odd ones awake, even ones asleep. Fills ns. */
static int guest_main(struct shared *shared, const struct options *o, double *ns)
{
	int port, rc = guest_attach();

	if (rc)
		return rc;
	port = pvr_evtchn_alloc_unbound(0);
	if (port < 0)
		return tool_error(EX_SOFTWARE, "event channel: %s", strerror(-port));
	atomic_store(&shared->port, (uint32_t)port);
	bench_pin(0);
	for (unsigned r = 0; r < 2 * o->args.rounds; r++) {
		uint64_t count = r % 2 ? o->count : o->count / 10;

		bench_gate_pass(&shared->gate[r], 2);

		uint64_t begin = bench_now_ns();

		for (uint64_t i = 0; i < count; i++) {
			pvr_evtchn_notify((evtchn_port_t)port);
			guest_take((evtchn_port_t)port, r % 2);
		}
		ns[r] = (double)(bench_now_ns() - begin) / (double)count;
	}
	pvr_process_detach();
	return 0;
}

static void host_answer(struct pvr_host *host, evtchn_port_t port, int awake)
{
	struct pollfd wait = {.fd = pvr_host_evtchn_fd(host), .events = POLLIN};

	while (pvr_host_evtchn_pending(host) != (int)port)
		if (!awake)
			poll(&wait, 1, -1);
	pvr_host_evtchn_notify(host, port);
}

static int host_main(struct shared *shared, const struct options *o, const struct ephemeral *system)
{
	struct pvr_host *host;
	int port, rc = pvr_host_open(system->dir, &host);

	if (rc)
		return tool_no_hypervisor(system->dir, rc);
	bench_pin(1);
	port = pvr_host_evtchn_bind(host, (domid_t)system->domid, atomic_load(&shared->port));
	if (port < 0)
		return tool_error(EX_SOFTWARE, "bind: %s", strerror(-port));
	for (unsigned r = 0; r < 2 * o->args.rounds; r++) {
		uint64_t count = r % 2 ? o->count : o->count / 10;

		bench_gate_pass(&shared->gate[r], 2);
		for (uint64_t i = 0; i < count; i++)
			host_answer(host, (evtchn_port_t)port, r % 2);
	}
	pvr_host_close(host);
	return 0;
}

/* ---- bare eventfds ---- */

static void eventfd_take(int fd, int awake)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint64_t value;

	while (read(fd, &value, sizeof(value)) != sizeof(value))
		if (!awake)
			poll(&wait, 1, -1);
}

static void eventfd_send(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		exit(EX_OSERR);
}

static double eventfd_ns(uint64_t count, int awake)
{
	int there = eventfd(0, EFD_NONBLOCK), back = eventfd(0, EFD_NONBLOCK);
	struct bench_gate *gate = bench_shared(4096);
	pid_t child = fork();

	if (child == 0) {
		bench_pin(1);
		bench_gate_pass(gate, 2);
		for (uint64_t i = 0; i < count; i++) {
			eventfd_take(there, awake);
			eventfd_send(back);
		}
		_exit(0);
	}
	bench_pin(0);
	bench_gate_pass(gate, 2);

	uint64_t begin = bench_now_ns();

	for (uint64_t i = 0; i < count; i++) {
		eventfd_send(there);
		eventfd_take(back, awake);
	}
	double ns = (double)(bench_now_ns() - begin) / (double)count;

	waitpid(child, NULL, 0);
	close(there);
	close(back);
	return ns;
}

/* ---- all together ---- */

static int measure(const struct options *o, double *ns)
{
	struct shared *shared = bench_shared(sizeof(*shared));
	struct ephemeral system;
	int status = 0, rc = ephemeral_start(&system, NULL, 0, 16 << 20, 0);
	pid_t child;

	if (rc)
		return rc;
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(guest_main(shared, o, ns));
	while (!atomic_load(&shared->port) && !waitpid(child, &status, WNOHANG))
		usleep(1000);
	rc = atomic_load(&shared->port) ? host_main(shared, o, &system) : EX_SOFTWARE;
	waitpid(child, &status, 0);
	ephemeral_stop(&system);
	return rc;
}

int bench_evtchn(int argc, char **argv)
{
	static const struct argp argp = {keys, parse, NULL,
		"An event there and one back between a guest process and a dom0 process, asleep "
		"and awake, beside "
		"bare eventfds between two processes.\vThe first row is the anchor of the ratios.",
		NULL, NULL, NULL};
	struct options o = {.count = 20000, .args.rounds = BENCH_ROUNDS};
	static struct bench_row rows[4] = {{.name = "eventfd, both asleep"},
		{.name = "event channel, both asleep"}, {.name = "eventfd, both awake"},
		{.name = "event channel, both awake"}};
	const char *notes[] = {
		"a guest process and a dom0 process, one CPU each; nothing but the events moves",
		NULL};

	argp_parse(&argp, argc, argv, 0, NULL, &o);

	double *ns = bench_shared(2 * BENCH_ROUNDS_MAX * sizeof(*ns));
	int rc = measure(&o, ns);

	if (rc)
		return rc;
	for (unsigned r = 0; r < o.args.rounds; r++) {
		rows[0].value[rows[0].rounds++] = eventfd_ns(o.count / 10, 0);
		rows[1].value[rows[1].rounds++] = ns[2 * r];
		rows[2].value[rows[2].rounds++] = eventfd_ns(o.count, 1);
		rows[3].value[rows[3].rounds++] = ns[2 * r + 1];
	}
	bench_print("event round trip", "ns", rows, 4, 0, notes, o.args.json);
	return 0;
}
