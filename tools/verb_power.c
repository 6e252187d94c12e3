/* SPDX-License-Identifier: MIT */
/*
 * pvring shutdown, reboot: ask a guest's kernel, by the node that xl writes, and wait for what comes of it. A process
 * domain has nobody who reads it.
 */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "args.h"

#define TAKEN_MS 10000 /* for the guest to take notice: it empties the node */
#define STEP_MS  20

static void sleep_step(void)
{
	struct timespec t = {.tv_nsec = STEP_MS * 1000000};

	nanosleep(&t, NULL);
}

static int ask(struct pvr_host *host, uint32_t domid, const char *what)
{
	char path[64], value[32];
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/control/shutdown", domid);
	rc = pvr_host_store_write(host, 0, path, what);
	if (rc)
		return tool_error(tool_status(rc), "xenstore: %s", strerror(-rc));
	for (unsigned ms = 0; ms < TAKEN_MS; ms += STEP_MS) {
		rc = pvr_host_store_read(host, 0, path, value, sizeof(value));
		if (rc == -ENOENT || (rc >= 0 && strcmp(value, what)))
			return 0;
		sleep_step();
	}
	pvr_host_store_write(host, 0, path, "");
	return tool_error(EX_UNAVAILABLE,
		"the guest took no notice within %d s; 'pvring destroy' ends it", TAKEN_MS / 1000);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return verb_args_parse(state->input, key, arg, state);
}

static int power(int argc, char **argv, const char *what, const char *doc)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	const struct argp argp = {keys, parse, "DOMAIN", doc, NULL, NULL, NULL};
	struct verb_args args = {.operands = 1};
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.operand[0])
		return tool_error(EX_USAGE, "which domain? 'pvring list' shows them");
	int control = verb_args_connect(&args);

	rc = domain_find(control, args.operand[0], &domain);
	if (rc == -ENOENT)
		return tool_error(
			EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", args.operand[0]);
	if (!rc && domain.state != PVR_HV_RUNNING)
		return tool_error(EX_UNAVAILABLE, "domain %u is not running", domain.domid);
	if (!rc)
		rc = pvr_host_open(verb_args_dir(&args), &host);
	if (rc)
		return tool_no_hypervisor(verb_args_dir(&args), rc);
	rc = ask(host, domain.domid, what);
	pvr_host_close(host);
	return rc;
}

int verb_shutdown(int argc, char **argv)
{
	return power(argc, argv, "poweroff",
		"Ask a guest's kernel to power off. Returns when it has taken notice.");
}

int verb_reboot(int argc, char **argv)
{
	return power(argc, argv, "reboot",
		"Ask a guest's kernel to reboot. Returns when it has taken notice.");
}
