/* SPDX-License-Identifier: MIT */
/* pvring block-attach, block-detach, block-list. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/xenbus.h>

#include "args.h"

struct options {
	struct dir_arg dir;
	const char *domain, *what;
	int force, json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'D':
		return dir_arg_set(&o->dir, arg, state);
	case 'j':
		o->json = 1;
		return 0;
	case 'f':
		o->force = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->domain)
			o->domain = arg;
		else if (!o->what)
			o->what = arg;
		else
			argp_failure(state, EX_USAGE, 0, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The domain named, and a host handle: what all three need. A sysexits status, said. */
static int open_both(struct options *o, struct pvr_hv_domain *domain, struct pvr_host **host)
{
	const char *dir = dir_arg(&o->dir);
	int control = pvr_hv_connect(dir);
	int rc;

	if (control < 0)
		return tool_no_hypervisor(dir, control);
	rc = domain_find(control, o->domain, domain);
	close(control);
	if (rc == -ENOENT)
		return tool_error(
			EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", o->domain);
	if (!rc)
		rc = pvr_host_open(dir, host);
	return rc ? tool_no_hypervisor(dir, rc) : 0;
}

int verb_block_attach(int argc, char **argv)
{
	static char doc[1024];
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN SPEC", doc, NULL, NULL, NULL};
	struct options o = {0};
	struct pvr_hv_domain domain;
	struct disk_spec spec;
	struct pvr_host *host;
	uint32_t devid;
	char why[512];
	int rc;

	snprintf(doc, sizeof(doc),
		"Give a domain a disk. Returns when the backend has opened it; prints its "
		"name.\v%s",
		disk_spec_help);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.what)
		return tool_error(EX_USAGE, "a domain and a disk: pvring block-attach DOMAIN SPEC");
	if (disk_spec_parse(o.what, &spec, why, sizeof(why)))
		return tool_error(EX_USAGE, "%s: %s", o.what, why);
	rc = open_both(&o, &domain, &host);
	if (rc)
		return rc;
	rc = device_attach(host, domain.domid, &spec, &devid, why, sizeof(why));
	pvr_host_close(host);
	if (rc)
		return tool_error(rc == -EIO ? EX_NOINPUT : tool_status(rc), "%s", why);
	printf("%s\n", spec.vdev);
	return 0;
}

/* A verb that takes a domain and one of its disks. */
static int on_disk(
	struct options *o, int (*act)(struct options *o, struct pvr_host *host, uint32_t domid,
				   uint32_t devid, char *why, size_t size))
{
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	uint32_t devid;
	uint64_t number;
	char why[512];
	int rc;

	if (!o->what)
		return tool_error(
			EX_USAGE, "a domain and a disk: pvring %s DOMAIN VDEV", tool_verb);
	if (!tool_number(o->what, 0, UINT32_MAX, &number))
		devid = (uint32_t)number;
	else if (disk_vdev_number(o->what, &devid))
		return tool_error(
			EX_USAGE, "'%s' is no disk: xvda to xvdz, or a device number", o->what);
	rc = open_both(o, &domain, &host);
	if (rc)
		return rc;
	rc = act(o, host, domain.domid, devid, why, sizeof(why));
	pvr_host_close(host);
	return rc ? tool_error(rc == -ETIMEDOUT ? EX_TEMPFAIL : tool_status(rc), "%s", why) : 0;
}

static int detach(struct options *o, struct pvr_host *host, uint32_t domid, uint32_t devid,
	char *why, size_t size)
{
	return device_detach(host, domid, devid, o->force, why, size);
}

int verb_block_detach(int argc, char **argv)
{
	static const struct argp_option keys[] = {
		DIR_OPTION, {"force", 'f', NULL, 0, "do not wait for the guest to let go", 0}, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN VDEV",
		"Take a disk (xvda, xvdb, ... or its number) away from a domain, once the guest "
		"has "
		"let go of it.",
		NULL, NULL, NULL};
	struct options o = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return on_disk(&o, detach);
}

static int resize(struct options *o, struct pvr_host *host, uint32_t domid, uint32_t devid,
	char *why, size_t size)
{
	(void)o;
	return device_resize(host, domid, devid, why, size);
}

int verb_block_resize(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN VDEV",
		"Tell the guest that the image of a disk has grown or shrunk, after you have "
		"changed its "
		"length (truncate -s, lvextend).",
		NULL, NULL, NULL};
	struct options o = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return on_disk(&o, resize);
}

/* The nodes a listing shows, in the order of its columns. */
static const char *const shown[] = {"state", "type", "params", "mode", "sectors", "sector-size"};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

static void list_one(struct pvr_host *host, uint32_t domid, uint32_t devid, json_t *list)
{
	char value[SHOWN][1100], vdev[16], size[16];
	uint64_t state = 0, sectors = 0;

	for (size_t i = 0; i < SHOWN; i++)
		device_backend_read(host, domid, devid, shown[i], value[i], sizeof(value[i]));
	tool_number(value[0], 0, 8, &state);
	tool_number(value[4], 0, UINT64_MAX >> 9, &sectors);
	disk_vdev_name(devid, vdev);
	if (list) {
		json_array_append_new(list,
			json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "vdev", vdev, "devid",
				(int)devid, "state", pvr_xenbus_state_name((unsigned)state), "type",
				value[1], "params", value[2], "mode", value[3], "bytes",
				(json_int_t)(sectors * 512)));
		return;
	}
	printf("%-8s %8u %-13s %-5s %-4s %8s  %s\n", vdev, devid,
		pvr_xenbus_state_name((unsigned)state), value[1], value[3],
		sectors ? tool_size_text(sectors * 512, size) : "-", value[2]);
}

int verb_block_list(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, JSON_OPTION, {0}};
	static const struct argp argp = {
		keys, parse, "DOMAIN", "List the disks of a domain.", NULL, NULL, NULL};
	struct options o = {0};
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	char path[64], names[4096];
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.domain)
		return tool_error(EX_USAGE, "which domain? pvring block-list DOMAIN");
	rc = open_both(&o, &domain, &host);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/local/domain/0/backend/vbd/%u", domain.domid);
	rc = pvr_host_store_list(host, 0, path, names, sizeof(names));

	json_t *list = o.json ? json_array() : NULL;

	if (!list)
		printf("%-8s %8s %-13s %-5s %-4s %8s  %s\n", "Vdev", "ID", "State", "Type", "Mode",
			"Size", "Params");
	for (int at = 0; at < rc; at += (int)strlen(names + at) + 1) {
		uint64_t devid;

		if (!tool_number(names + at, 0, UINT32_MAX, &devid))
			list_one(host, domain.domid, (uint32_t)devid, list);
	}
	if (list) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(list);
	}
	pvr_host_close(host);
	return rc < 0 && rc != -ENOENT ? tool_error(tool_status(rc), "xenstore: %s", strerror(-rc))
				       : 0;
}
