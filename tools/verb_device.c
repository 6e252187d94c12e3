/* SPDX-License-Identifier: MIT */
/* The verbs NAME-attach, -detach and -list of a class of devices, and those of disks. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "args.h"
#include "device.h"

struct options {
	struct verb_args args; /* operands: the domain, and a SPEC or one of its devices */
	int force;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	if (key != 'f')
		return verb_args_parse(&o->args, key, arg, state);
	o->force = 1;
	return 0;
}

/* The domain named, and a host handle: what all of them need. A sysexits status, said. */
static int open_both(struct options *o, struct pvr_hv_domain *domain, struct pvr_host **host)
{
	const char *dir = verb_args_dir(&o->args);
	int control = verb_args_connect(&o->args);
	int rc = domain_find(control, o->args.operand[0], domain);

	close(control);
	if (rc == -ENOENT)
		return tool_error(
			EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", o->args.operand[0]);
	if (!rc)
		rc = pvr_host_open(dir, host);
	return rc ? tool_no_hypervisor(dir, rc) : 0;
}

static int attach(
	const struct device_class *class, struct options *o, const void *spec, char name[16])
{
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	struct device device;
	char why[512];
	int rc = open_both(o, &domain, &host);

	if (rc)
		return rc;
	device_init(&device, class, host, domain.domid, class->wanted(spec));
	rc = device_attach(&device, spec, why, sizeof(why));
	pvr_host_close(host);
	if (rc)
		return tool_error(rc == -EIO ? EX_NOINPUT : tool_status(rc), "%s", why);
	class->name_of(device.devid, name);
	return 0;
}

int device_verb_attach(const struct device_class *class, int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	char doc[2048], why[512], name[16];
	const struct argp argp = {keys, parse, "DOMAIN SPEC", doc, NULL, NULL, NULL};
	struct options o = {.args.operands = 2};
	void *spec;
	int rc;

	snprintf(doc, sizeof(doc), "%s\v%s", class->attach_doc, class->attach_help);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.args.operand[1])
		return tool_error(EX_USAGE, "a domain and a %s: pvring %s DOMAIN SPEC", class->noun,
			tool_verb);
	spec = class->parse(o.args.operand[1], why, sizeof(why));
	if (!spec)
		return tool_error(EX_USAGE, "%s: %s", o.args.operand[1], why);
	rc = attach(class, &o, spec, name);
	free(spec);
	if (!rc)
		puts(name);
	return rc;
}

/* ---- on one device ---- */

static int on_device(const struct device_class *class, struct options *o,
	int (*act)(struct device *device, const struct options *o, char *why, size_t size))
{
	const char *name = o->args.operand[1];
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	struct device device;
	uint32_t devid;
	uint64_t number;
	char why[512];
	int rc;

	if (!name)
		return tool_error(EX_USAGE, "a domain and a %s: pvring %s DOMAIN %s", class->noun,
			tool_verb, class->operand);
	if (!tool_number(name, 0, UINT32_MAX, &number))
		devid = (uint32_t)number;
	else if (class->number(name, &devid))
		return tool_error(EX_USAGE, "'%s' is no %s: %s, or a device number", name,
			class->noun, class->names);
	rc = open_both(o, &domain, &host);
	if (rc)
		return rc;
	device_init(&device, class, host, domain.domid, devid);
	rc = act(&device, o, why, sizeof(why));
	pvr_host_close(host);
	return rc ? tool_error(rc == -ETIMEDOUT ? EX_TEMPFAIL : tool_status(rc), "%s", why) : 0;
}

static int detach(struct device *device, const struct options *o, char *why, size_t size)
{
	return device_detach(device, o->force, why, size);
}

int device_verb_detach(const struct device_class *class, int argc, char **argv)
{
	static const struct argp_option keys[] = {
		DIR_OPTION, {"force", 'f', NULL, 0, "do not wait for the guest to let go", 0}, {0}};
	char operands[32];
	const struct argp argp = {keys, parse, operands, class->detach_doc, NULL, NULL, NULL};
	struct options o = {.args.operands = 2};

	snprintf(operands, sizeof(operands), "DOMAIN %s", class->operand);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return on_device(class, &o, detach);
}

/* ---- the listing ---- */

static int list_all(struct options *o, const struct device_class *class, json_t *list)
{
	struct pvr_hv_domain domain;
	struct pvr_host *host;
	char path[64], names[4096];
	int length, rc = open_both(o, &domain, &host);

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", class->name, domain.domid);
	length = pvr_host_store_list(host, 0, path, names, sizeof(names));
	if (!list)
		puts(class->list_heading);
	for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
		struct device device;
		uint64_t devid;

		if (tool_number(names + at, 0, UINT32_MAX, &devid))
			continue;
		device_init(&device, class, host, domain.domid, (uint32_t)devid);
		class->row(&device, list);
	}
	pvr_host_close(host);
	return length < 0 && length != -ENOENT
		       ? tool_error(tool_status(length), "xenstore: %s", strerror(-length))
		       : 0;
}

int device_verb_list(const struct device_class *class, int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, JSON_OPTION, {0}};
	const struct argp argp = {keys, parse, "DOMAIN", class->list_doc, NULL, NULL, NULL};
	struct options o = {.args.operands = 1};
	json_t *list;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!o.args.operand[0])
		return tool_error(EX_USAGE, "which domain? pvring %s DOMAIN", tool_verb);
	list = o.args.json ? json_array() : NULL;
	rc = list_all(&o, class, list);
	if (list)
		verb_print_json(stdout, list);
	return rc;
}

/* ---- disks ---- */

int verb_block_attach(int argc, char **argv)
{
	return device_verb_attach(&disk_class, argc, argv);
}

int verb_block_detach(int argc, char **argv)
{
	return device_verb_detach(&disk_class, argc, argv);
}

int verb_block_list(int argc, char **argv)
{
	return device_verb_list(&disk_class, argc, argv);
}

static int resize(struct device *device, const struct options *o, char *why, size_t size)
{
	(void)o;
	return disk_resize(device, why, size);
}

int verb_block_resize(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN VDEV",
		"Tell the guest that the image of a disk has grown or shrunk, after you have "
		"changed its length (truncate -s, lvextend).",
		NULL, NULL, NULL};
	struct options o = {.args.operands = 2};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return on_device(&disk_class, &o, resize);
}
