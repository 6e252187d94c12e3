/* SPDX-License-Identifier: MIT */
/* See xl_config.h. Pure text: what the keys mean. */
#include "xl_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pvring/kvm.h>

#include "device.h"
#include "xl_syntax.h"

const char xl_config_help[] =
	"A FILE is written as xl.cfg(5) has it. Known are\n"
	"  name, kernel, ramdisk  texts; name and kernel are needed\n"
	"  extra or cmdline, root the kernel's command line (default console=hvc0)\n"
	"  memory, vcpus          in MiB (default 256); 1 to 32 (default 1)\n"
	"  disk=[\"...\", ...]      xl's format=raw,vdev=xvda,access=rw,target=PATH,\n"
	"                         PATH,raw,xvda,rw and phy:PATH,xvda,w, or a disk SPEC\n"
	"  vif=[\"...\", ...]       xl's mac=ADDRESS,bridge=NAME,vifname=NAME, or a\n"
	"                         network SPEC\n"
	"  on_reboot              \"restart\" (default) or \"destroy\"\n"
	"  type                   \"pvh\" (default; with KVM) or \"pv\" (in a process)\n"
	"  on_poweroff, on_crash  only \"destroy\"\n"
	"Other keys are named in a warning and ignored.\n";

struct reading {
	struct xl_config *config;
	const struct xl_setting *setting;
	const char *extra, *root, *cmdline;
	char *why;
	size_t size;
};

#define refuse(r, ...) tool_say((r)->why, (r)->size, -EINVAL, __VA_ARGS__)

static int take_number(struct reading *r, uint64_t highest, uint64_t *value)
{
	if (tool_number(r->setting->value[0], 1, highest, value))
		return refuse(r, "'%s' is no number from 1 to %u", r->setting->value[0],
			(unsigned)highest);
	return 0;
}

static int take_name(struct reading *r)
{
	const char *name = r->setting->value[0];

	if (strlen(name) >= sizeof(r->config->name))
		return refuse(r, "a name has at most %zu bytes", sizeof(r->config->name) - 1);
	strcpy(r->config->name, name);
	return 0;
}

static int take_vcpus(struct reading *r)
{
	uint64_t n = 0;
	int rc = take_number(r, PVR_MACHINE_VCPUS_MAX, &n);

	r->config->vcpus = (uint32_t)n;
	return rc;
}

static int take_memory(struct reading *r)
{
	uint64_t n = 0;
	int rc = take_number(r, 1 << 20, &n);

	r->config->memory = n << 20;
	return rc;
}

static int take_kernel(struct reading *r)
{
	r->config->kernel = r->setting->value[0];
	return 0;
}

static int take_ramdisk(struct reading *r)
{
	r->config->ramdisk = r->setting->value[0];
	return 0;
}

static int take_extra(struct reading *r)
{
	r->extra = r->setting->value[0];
	return 0;
}

static int take_root(struct reading *r)
{
	r->root = r->setting->value[0];
	return 0;
}

static int take_cmdline(struct reading *r)
{
	r->cmdline = r->setting->value[0];
	return 0;
}

static int take_on_reboot(struct reading *r)
{
	const char *value = r->setting->value[0];

	r->config->reboots_end = !strcmp(value, "destroy");
	if (strcmp(value, "restart") && strcmp(value, "destroy"))
		return refuse(r, "\"restart\" or \"destroy\", not '%s'", value);
	return 0;
}

static int take_destroy(struct reading *r)
{
	const char *value = r->setting->value[0];

	return strcmp(value, "destroy") ? refuse(r, "only \"destroy\", not '%s'", value) : 0;
}

static int take_type(struct reading *r)
{
	const char *value = r->setting->value[0];

	r->config->pv = !strcmp(value, "pv");
	return !r->config->pv && strcmp(value, "pvh")
		       ? refuse(r, "only \"pvh\" or \"pv\", not '%s'", value)
		       : 0;
}

static int take_disks(struct reading *r)
{
	struct xl_config *config = r->config;
	char why[400];

	if (r->setting->count > XL_DISKS_MAX)
		return refuse(r, "more than %u disks", XL_DISKS_MAX);
	for (unsigned i = 0; i < r->setting->count; i++)
		if (xl_disk_parse(r->setting->value[i], &config->disks[i], why, sizeof(why)))
			return refuse(r, "'%s': %s", r->setting->value[i], why);
	config->disks_count = r->setting->count;
	return 0;
}

static int take_vifs(struct reading *r)
{
	struct xl_config *config = r->config;
	char why[400];

	if (r->setting->count > NETS_MAX)
		return refuse(r, "more than %u interfaces", NETS_MAX);
	for (unsigned i = 0; i < r->setting->count; i++) {
		struct net_spec *net = &config->nets[i];

		if (xl_vif_parse(r->setting->value[i], net, why, sizeof(why)))
			return refuse(r, "'%s': %s", r->setting->value[i], why);
		if (net->type == NET_USER || net->address[0].family || net->address[1].family)
			return refuse(r, "'%s': user, ip and gw are for 'pvring run'",
				r->setting->value[i]);
	}
	config->nets_count = r->setting->count;
	return 0;
}

static const struct key {
	const char *name;
	int (*take)(struct reading *reading);
	int is_list;
} keys[] = {
	{"name", take_name, 0},
	{"type", take_type, 0},
	{"kernel", take_kernel, 0},
	{"ramdisk", take_ramdisk, 0},
	{"root", take_root, 0},
	{"extra", take_extra, 0},
	{"cmdline", take_cmdline, 0},
	{"memory", take_memory, 0},
	{"vcpus", take_vcpus, 0},
	{"disk", take_disks, 1},
	{"vif", take_vifs, 1},
	{"on_reboot", take_on_reboot, 0},
	{"on_poweroff", take_destroy, 0},
	{"on_crash", take_destroy, 0},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void ignore(struct xl_config *config, const char *key)
{
	size_t used = strlen(config->ignored);

	snprintf(config->ignored + used, sizeof(config->ignored) - used, "%s%s", used ? ", " : "",
		key);
}

static int take(struct reading *r, unsigned lines[KEYS])
{
	const struct xl_setting *s = r->setting;
	char why[480];
	size_t i = 0;

	while (i < KEYS && strcmp(keys[i].name, s->key))
		i++;
	if (i == KEYS) {
		ignore(r->config, s->key);
		return 0;
	}
	if (lines[i])
		return refuse(r, "line %u: '%s' is set twice, first in line %u", s->line, s->key,
			lines[i]);
	lines[i] = s->line;
	if (s->is_list != keys[i].is_list)
		return refuse(r, "line %u: '%s' is %s", s->line, s->key,
			s->is_list ? "one value, not a list" : "a list: [\"...\", ...]");

	if (!keys[i].take(r))
		return 0;
	snprintf(why, sizeof(why), "%s", r->why);
	return refuse(r, "line %u: %s: %s", s->line, s->key, why);
}

/* As xl does: a cmdline stands for itself, root and extra are put together. */
static int cmdline_make(struct reading *r)
{
	char *to = r->config->cmdline;
	const size_t size = sizeof(r->config->cmdline);
	int length;

	if (r->cmdline && (r->root || r->extra))
		return refuse(r, "cmdline is all of the command line: give it, or root and extra");
	if (r->cmdline)
		length = snprintf(to, size, "%s", r->cmdline);
	else
		length = snprintf(to, size, "%s%s%s%s", r->root ? "root=" : "",
			r->root ? r->root : "", r->root && r->extra ? " " : "",
			r->extra ? r->extra : "");
	if (length >= (int)size)
		return refuse(r, "the command line is longer than %zu bytes", size - 1);
	return 0;
}

int xl_config_parse(char *text, struct xl_config *config, char *why, size_t size)
{
	struct xl_reader reader = {.at = text, .line = 1};
	struct xl_setting setting;
	struct reading r = {.config = config, .setting = &setting, .why = why, .size = size};
	unsigned lines[KEYS] = {0};
	int rc;

	memset(config, 0, sizeof(*config));
	config->memory = 256 << 20;
	config->vcpus = 1;
	while ((rc = xl_next(&reader, &setting, why, size)) == 1) {
		rc = take(&r, lines);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	if (!*config->name)
		return refuse(&r, "no name: name = \"...\"");
	if (!config->kernel || !*config->kernel)
		return refuse(&r, "no kernel: kernel = \"FILE\"");
	return cmdline_make(&r);
}
