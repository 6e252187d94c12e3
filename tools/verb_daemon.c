/* SPDX-License-Identifier: MIT */
/* pvring hypervisor, pvring blkback and pvring netback: the daemons in the foreground. */
#include "tools.h"

#include <argp.h>
#include <stdio.h>
#include <sysexits.h>

#include <pvring/blkback.h>
#include <pvring/netback.h>

#include "args.h"

struct daemon {
	struct verb_args args;
	uint64_t workers, domains, grant_frames;
	const char *cpus;
	int restart;
};

static const struct argp_option hypervisor_keys[] = {
	DIR_OPTION,
	{"domains", 'n', "N", 0, "how many domains there may be (default 128)", 0},
	{"grant-frames", 'g', "N", 0, "grant frames a domain, 1 to 64 (default 64: 32768 grants)",
		0},
	{0},
};

static const struct argp_option backend_keys[] = {
	DIR_OPTION,
	{"restart", 'r', NULL, 0, "start again whenever it dies; guests reconnect", 0},
	{"workers", 'w', "N", 0, "threads that own rings (default: one a CPU, at most 4)", 0},
	{"cpus", 'c', "LIST", 0, "CPUs that the workers run on, in turn, as in 0-3,6 (default: any)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct daemon *d = state->input;

	switch (key) {
	case 'n':
		if (tool_number(arg, 1, 32751, &d->domains)) /* DOMID_FIRST_RESERVED is 0x7ff0 */
			argp_failure(
				state, EX_USAGE, 0, "--domains %s: a number from 1 to 32751", arg);
		return 0;
	case 'g':
		if (tool_number(arg, 1, 64, &d->grant_frames))
			argp_failure(state, EX_USAGE, 0, "--grant-frames %s: a number from 1 to 64",
				arg);
		return 0;
	case 'c':
		if (pvr_blkback_cpus_check(arg))
			argp_failure(state, EX_USAGE, 0,
				"--cpus %s: a list of at most 64 CPUs, as in 0-3,6", arg);
		d->cpus = arg;
		return 0;
	case 'w':
		if (tool_number(arg, 1, 64, &d->workers))
			argp_failure(
				state, EX_USAGE, 0, "--workers %s: a number from 1 to 64", arg);
		return 0;
	case 'r':
		d->restart = 1;
		return 0;
	default:
		return verb_args_parse(&d->args, key, arg, state);
	}
}

int verb_hypervisor(int argc, char **argv)
{
	static const struct argp argp = {hypervisor_keys, parse, NULL,
		"Run the hypervisor daemon in the foreground: domains, grants, event channels and "
		"xenstored, on "
		"the sockets hypervisor.sock and xenstored.sock of its directory. Ends on SIGTERM "
		"or Ctrl-C.",
		NULL, NULL, NULL};
	struct daemon d = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &d);

	struct pvr_hv_config config = {
		.dir = verb_args_dir(&d.args),
		.ready_fd = -1,
		.domains_max = (uint32_t)d.domains,
		.grant_frames = (uint32_t)d.grant_frames,
	};

	return tool_status(pvr_hypervisor_run(&config));
}

static int blkback_body(void *config)
{
	return tool_status(pvr_blkback_run(config));
}

int verb_blkback(int argc, char **argv)
{
	static const struct argp argp = {backend_keys, parse, NULL,
		"Run the block backend in the foreground: it serves every disk under backend/vbd "
		"of the "
		"hypervisor's xenstore until SIGTERM or Ctrl-C.",
		NULL, NULL, NULL};
	struct daemon d = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &d);

	struct pvr_blkback_config config = {
		.dir = verb_args_dir(&d.args),
		.ready_fd = -1,
		.workers = (unsigned)d.workers,
		.cpus = d.cpus,
	};

	return d.restart ? supervise("block backend", blkback_body, &config) : blkback_body(&config);
}

static int netback_body(void *config)
{
	return tool_status(pvr_netback_run(config));
}

int verb_netback(int argc, char **argv)
{
	static const struct argp argp = {backend_keys, parse, NULL,
		"Run the network backend in the foreground: it serves every interface under "
		"backend/vif of the "
		"hypervisor's xenstore until SIGTERM or Ctrl-C.",
		NULL, NULL, NULL};
	struct daemon d = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &d);

	struct pvr_netback_config config = {
		.dir = verb_args_dir(&d.args),
		.ready_fd = -1,
		.workers = (unsigned)d.workers,
		.cpus = d.cpus,
	};

	return d.restart ? supervise("network backend", netback_body, &config)
			 : netback_body(&config);
}
