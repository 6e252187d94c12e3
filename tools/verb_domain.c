/* SPDX-License-Identifier: MIT */
/* pvring destroy, list. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "args.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return verb_args_parse(state->input, key, arg, state);
}

int verb_destroy(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN",
		"End a domain, by name or number: the process attached to it is killed, its "
		"devices closed, its "
		"memory released.",
		NULL, NULL, NULL};
	struct verb_args args = {.operands = 1};
	const char *name;
	struct pvr_hv_domain domain;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	name = args.operand[0];
	if (!name)
		return tool_error(
			EX_USAGE, "which domain? pvring destroy DOMAIN; 'pvring list' shows them");

	int control = verb_args_connect(&args);
	int rc = domain_find(control, name, &domain);

	if (!rc)
		rc = domain_destroy(verb_args_dir(&args), control, domain.domid);
	close(control);
	if (rc == -ENOENT)
		return tool_error(EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", name);
	if (rc < 0)
		return tool_error(
			tool_status(rc), "cannot destroy '%s': %s", name, strerror(-rc));
	return 0;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {"down", "running", "dying"};

	return state < 3 ? names[state] : "?";
}

static json_t *domain_json(const struct pvr_hv_domain *d)
{
	return json_pack("{s:i, s:s, s:s, s:I, s:i, s:i, s:i, s:i, s:i, s:I}", "domid",
		(int)d->domid, "name", d->name, "state", state_name(d->state), "memory_bytes",
		(json_int_t)d->memory_bytes, "vcpus", (int)d->vcpus, "pid", (int)d->pid, "uid",
		(int)d->uid, "event_channels", (int)d->event_channels, "grants_mapped",
		(int)d->grants_mapped, "hypercalls", (json_int_t)d->hypercalls);
}

int verb_list(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, JSON_OPTION, {0}};
	static const struct argp argp = {
		keys, parse, NULL, "List the domains of a hypervisor.", NULL, NULL, NULL};
	struct verb_args args = {0};
	struct pvr_hv_domain *all;
	unsigned count;

	argp_parse(&argp, argc, argv, 0, NULL, &args);

	int control = verb_args_connect(&args);
	int rc = domain_list(control, &all, &count);

	close(control);
	if (rc)
		return tool_no_hypervisor(verb_args_dir(&args), rc);
	if (args.json) {
		json_t *list = json_array();

		for (unsigned i = 0; i < count; i++)
			json_array_append_new(list, domain_json(&all[i]));
		verb_print_json(stdout, list);
	} else {
		printf("%-24s %5s %8s %5s %-8s %8s %6s %7s\n", "Name", "ID", "Mem", "VCPUs",
			"State", "PID", "Evtchn", "Grants");
		for (unsigned i = 0; i < count; i++) {
			char size[16];

			printf("%-24s %5u %8s %5u %-8s %8d %6u %7u\n", all[i].name, all[i].domid,
				tool_size_text(all[i].memory_bytes, size), all[i].vcpus,
				state_name(all[i].state), all[i].pid, all[i].event_channels,
				all[i].grants_mapped);
		}
	}
	free(all);
	return 0;
}
