/* SPDX-License-Identifier: MIT */
/* pvring create, destroy, list. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/host.h>

#include "args.h"

struct options {
	struct verb_args args; /* operand: the domain's name */
	uint64_t memory, vcpus;
	uid_t uid;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const struct passwd *user;
	uint64_t uid;

	switch (key) {
	case 'm':
		if (tool_size(arg, &o->memory) || o->memory < 1 << 20 || o->memory > 1ull << 40 ||
			o->memory % 4096)
			argp_failure(
				state, EX_USAGE, 0, "--memory %s: a size from 1M to 1024G", arg);
		return 0;
	case 'c':
		if (tool_number(arg, 1, 32, &o->vcpus))
			argp_failure(state, EX_USAGE, 0, "--vcpus %s: a number from 1 to 32", arg);
		return 0;
	case 'u':
		user = getpwnam(arg);
		if (user)
			o->uid = user->pw_uid;
		else if (!tool_number(arg, 0, UINT32_MAX - 1, &uid))
			o->uid = (uid_t)uid;
		else
			argp_failure(state, EX_NOUSER, 0, "--user %s: no such user", arg);
		return 0;
	default:
		return verb_args_parse(&o->args, key, arg, state);
	}
}

int verb_create(int argc, char **argv)
{
	static const struct argp_option keys[] = {
		DIR_OPTION,
		{"memory", 'm', "SIZE", 0, "memory (default 64M)", 0},
		{"vcpus", 'c', "N", 0, "virtual CPUs (default 1)", 0},
		{"user", 'u', "USER", 0, "who may attach, by name or number (default: you)", 0},
		{0},
	};
	static const struct argp argp = {keys, parse, "NAME",
		"Create a process domain. It is down until a program attaches to it: any that is "
		"linked with the "
		"process port and finds PVRING_DIR and PVRING_DOMID in its environment. Prints the "
		"domain's number.",
		NULL, NULL, NULL};
	struct options o = {
		.args.operands = 1, .memory = 64 << 20, .vcpus = 1, .uid = getuid()};
	const char *name;
	struct pvr_hv_create create = {0};
	uint32_t domid;
	size_t length = sizeof(domid);

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	name = o.args.operand[0];
	if (!name)
		return tool_error(EX_USAGE, "a domain needs a name: pvring create NAME");
	if (strlen(name) >= sizeof(create.name))
		return tool_error(
			EX_USAGE, "a domain's name has at most %zu bytes", sizeof(create.name) - 1);
	strcpy(create.name, name);
	create.memory_bytes = o.memory;
	create.uid = o.uid;
	create.vcpus = (uint32_t)o.vcpus;

	int control = verb_args_connect(&o.args);
	long rc = pvr_hv_call(control, PVR_HV_DOMAIN_CREATE, &create, sizeof(create), &domid,
		&length, NULL, NULL);

	close(control);
	if (rc == -EEXIST)
		return tool_error(EX_CANTCREAT, "there is a domain '%s' already", name);
	if (rc == -EINVAL)
		return tool_error(
			EX_USAGE, "'%s' is no name for a domain: letters, digits and -_.+", name);
	if (rc < 0)
		return tool_error(
			tool_status(rc), "cannot create '%s': %s", name, strerror((int)-rc));
	printf("%u\n", domid);
	return 0;
}

/* What the toolstack wrote for the backends goes with the domain; they let go of images and TAPs then. */
static int remove_backends(const char *dir, uint32_t domid)
{
	static const char *const classes[] = {"vbd", "vif"};
	struct pvr_host *host;
	char path[64];
	int rc = pvr_host_open(dir, &host);

	if (rc)
		return rc;
	for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		int gone;

		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%" PRIu32, classes[i],
			domid);
		gone = pvr_host_store_rm(host, 0, path);
		if (gone && gone != -ENOENT)
			rc = gone;
	}
	pvr_host_close(host);
	return rc;
}

int verb_destroy(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN",
		"End a domain, by name or number: the process attached to it is killed, its "
		"devices closed, its "
		"memory released.",
		NULL, NULL, NULL};
	struct options o = {.args.operands = 1};
	const char *name;
	struct pvr_hv_domain domain;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	name = o.args.operand[0];
	if (!name)
		return tool_error(
			EX_USAGE, "which domain? pvring destroy DOMAIN; 'pvring list' shows them");

	int control = verb_args_connect(&o.args);
	long rc = domain_find(control, name, &domain);

	if (!rc)
		rc = pvr_hv_call(control, PVR_HV_DOMAIN_DESTROY, &domain.domid,
			sizeof(domain.domid), NULL, NULL, NULL, NULL);
	close(control);
	if (rc == -ENOENT)
		return tool_error(EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", name);
	if (!rc)
		rc = remove_backends(verb_args_dir(&o.args), domain.domid);
	if (rc < 0)
		return tool_error(
			tool_status(rc), "cannot destroy '%s': %s", name, strerror((int)-rc));
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
	struct options o = {0};
	struct pvr_hv_domain *all;
	unsigned count;

	argp_parse(&argp, argc, argv, 0, NULL, &o);

	int control = verb_args_connect(&o.args);
	int rc = domain_list(control, &all, &count);

	close(control);
	if (rc)
		return tool_no_hypervisor(verb_args_dir(&o.args), rc);
	if (o.args.json) {
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
