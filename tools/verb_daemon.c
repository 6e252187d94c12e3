/* SPDX-License-Identifier: MIT */
/* pvring hypervisor, pvring blkback and pvring netback: the daemons in the foreground. */
#include "tools.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/blkback.h>
#include <pvring/host.h>
#include <pvring/hypervisor.h>
#include <pvring/netback.h>

#include "args.h"

struct daemon {
	struct verb_args args;
	uint64_t workers, domains, grant_frames;
	const char *cpus;
	int restart, xen;
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
	{"xen", 'x', NULL, 0,
		"serve the domains of the Xen that this system is dom0 of (found by itself where no "
		"hypervisor of pvring's runs in DIR); DIR is then for statistics and journals",
		0},
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
		if (pvr_back_cpus_check(arg))
			argp_failure(state, EX_USAGE, 0,
				"--cpus %s: a list of at most 64 CPUs, as in 0-3,6", arg);
		d->cpus = arg;
		return 0;
	case 'w':
		if (tool_number(arg, 1, 64, &d->workers))
			argp_failure(
				state, EX_USAGE, 0, "--workers %s: a number from 1 to 64", arg);
		return 0;
	case 'x':
		d->xen = 1;
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

/*
 * Which hypervisor a backend serves: Xen when that is asked for, or when nothing is and there is Xen but none of
 * our daemons. NULL: the one in `dir`. Nobody but us makes the directory then.
 */
static const char *host_of(const struct daemon *d, const char *dir)
{
	int xen = d->xen, control;

	if (!xen && !d->args.given_dir && !getenv(PVR_HV_ENV_DIR) && pvr_host_on_xen()) {
		control = pvr_hv_connect(dir);
		xen = control < 0;
		if (control >= 0)
			close(control);
	}
	if (xen)
		mkdir(dir, 0755);
	return xen ? PVR_HOST_XEN : NULL;
}

static int backend(int argc, char **argv, const struct argp *argp, const char *what,
	int (*body)(void *config))
{
	struct daemon d = {0};

	argp_parse(argp, argc, argv, 0, NULL, &d);

	const char *dir = verb_args_dir(&d.args);
	struct pvr_back_config config = {
		.dir = dir,
		.host = host_of(&d, dir),
		.ready_fd = -1,
		.workers = (unsigned)d.workers,
		.cpus = d.cpus,
	};

	return d.restart ? supervise(what, body, &config) : body(&config);
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

	return backend(argc, argv, &argp, "block backend", blkback_body);
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

	return backend(argc, argv, &argp, "network backend", netback_body);
}
