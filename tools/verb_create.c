/* SPDX-License-Identifier: MIT */
/* pvring create: a domain for a process to attach to, or one that a configuration file describes, with its kernel running. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/kvm.h>

#include "args.h"
#include "keeper.h"
#include "xl_config.h"

#define FILE_BYTES_MAX 65536u

struct options {
	struct verb_args args; /* operand: the domain's name, or the file */
	const char *file;
	uint64_t memory, vcpus; /* 0: not given */
	uid_t uid;
	int has_uid;
};

static void parse_user(struct options *o, const char *arg, struct argp_state *state)
{
	const struct passwd *user = getpwnam(arg);
	uint64_t uid = 0;

	if (!user && tool_number(arg, 0, UINT32_MAX - 1, &uid))
		argp_failure(state, EX_NOUSER, 0, "--user %s: no such user", arg);
	o->uid = user ? user->pw_uid : (uid_t)uid;
	o->has_uid = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

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
		parse_user(o, arg, state);
		return 0;
	case 'f':
		o->file = arg;
		return 0;
	default:
		return verb_args_parse(&o->args, key, arg, state);
	}
}

/* 0, or a sysexits status, said. */
static int domain_create(
	int control, const struct pvr_hv_create *create, const char *name, uint32_t *domid)
{
	size_t length = sizeof(*domid);
	long rc = pvr_hv_call(
		control, PVR_HV_DOMAIN_CREATE, create, sizeof(*create), domid, &length, NULL, NULL);

	if (rc == -EEXIST)
		return tool_error(EX_CANTCREAT, "there is a domain '%s' already", name);
	if (rc == -EINVAL)
		return tool_error(
			EX_USAGE, "'%s' is no name for a domain: letters, digits and -_.+", name);
	if (rc < 0)
		return tool_error(
			tool_status(rc), "cannot create '%s': %s", name, strerror((int)-rc));
	return 0;
}

static int create_named(struct options *o, const char *name)
{
	struct pvr_hv_create create = {
		.memory_bytes = o->memory ? o->memory : 64 << 20,
		.uid = o->has_uid ? o->uid : getuid(),
		.vcpus = o->vcpus ? (uint32_t)o->vcpus : 1,
	};
	uint32_t domid;

	if (strlen(name) >= sizeof(create.name))
		return tool_error(
			EX_USAGE, "a domain's name has at most %zu bytes", sizeof(create.name) - 1);
	strcpy(create.name, name);
	int control = verb_args_connect(&o->args);
	int rc = domain_create(control, &create, name, &domid);

	close(control);
	if (!rc)
		printf("%u\n", domid);
	return rc;
}

/* ---- from a file ---- */

static int file_read(const char *path, char text[FILE_BYTES_MAX + 1])
{
	struct stat st;
	FILE *file = fopen(path, "re");
	size_t size;

	if (!file)
		return tool_error(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "'%s': %s", path,
			strerror(errno));
	if (fstat(fileno(file), &st) || S_ISDIR(st.st_mode)) {
		fclose(file);
		return tool_error(EX_DATAERR, "'%s' is a directory", path);
	}
	size = fread(text, 1, FILE_BYTES_MAX + 1, file);
	int failed = ferror(file);

	fclose(file);
	if (failed)
		return tool_error(EX_IOERR, "'%s' cannot be read", path);
	if (size > FILE_BYTES_MAX || memchr(text, 0, size))
		return tool_error(EX_DATAERR, "'%s' is no configuration file: %s", path,
			size > FILE_BYTES_MAX ? "more than 64 KiB" : "a zero byte in it");
	text[size] = 0;
	return 0;
}

/* The keeper leaves the current directory. */
static char *absolute(const char *path)
{
	char *cwd = NULL, *whole = NULL;

	if (!path)
		return NULL;
	if (*path != '/')
		cwd = realpath(".", NULL);
	if (asprintf(&whole, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path) < 0)
		whole = NULL;
	free(cwd);
	return whole;
}

static int devices_attach(const char *dir, uint32_t domid, struct xl_config *config)
{
	struct pvr_host *host;
	char why[512];
	int rc = 0;

	if (!config->disks_count && !config->nets_count)
		return 0;
	rc = pvr_host_open(dir, &host);
	if (rc)
		return tool_no_hypervisor(dir, rc);
	for (unsigned i = 0; i < config->disks_count && !rc; i++)
		rc = disk_attach(host, domid, &config->disks[i], why, sizeof(why));
	for (unsigned i = 0; i < config->nets_count && !rc; i++)
		rc = vif_attach(host, domid, &config->nets[i], why, sizeof(why));
	pvr_host_close(host);
	return rc ? tool_error(rc == -EIO ? EX_NOINPUT : tool_status(rc), "%s", why) : 0;
}

/* The domain is there: what it has, and its kernel. */
static int guest_start(const char *dir, uint32_t domid, struct xl_config *config)
{
	const char *append = *config->cmdline ? config->cmdline : NULL;
	char *kernel = absolute(config->kernel), *ramdisk = absolute(config->ramdisk);
	char *whole_dir = absolute(dir);
	struct run_kvm kvm = {
		.on = !config->pv, .kernel = kernel, .initrd = ramdisk, .append = append};
	const struct keeper_config keeper = {
		.dir = whole_dir,
		.domid = domid,
		.name = config->name,
		.kvm = &kvm,
		.reboots_end = config->reboots_end,
	};
	int rc;

	if (!kernel || !whole_dir || (config->ramdisk && !ramdisk))
		rc = tool_error(EX_OSERR, "no memory");
	else
		rc = devices_attach(dir, domid, config);
	if (!rc)
		rc = keeper_start(&keeper);
	free(kernel);
	free(ramdisk);
	free(whole_dir);
	return rc;
}

static int create_described(struct options *o, const char *path)
{
	static char text[FILE_BYTES_MAX + 1];
	static struct xl_config config;
	struct pvr_hv_create create = {.uid = getuid()};
	char why[600];
	uint32_t domid;
	int rc;

	if (o->memory || o->vcpus || o->has_uid)
		return tool_error(EX_USAGE,
			"--memory, --vcpus and --user go with NAME; a file says them itself");
	rc = file_read(path, text);
	if (rc)
		return rc;
	if (xl_config_parse(text, &config, why, sizeof(why)))
		return tool_error(EX_CONFIG, "%s: %s", path, why);
	if (*config.ignored)
		tool_error(0, "%s: not known here, ignored: %s", path, config.ignored);
	strcpy(create.name, config.name);
	create.memory_bytes = config.pv ? config.memory : pvr_kvm_memory_bytes(config.memory);
	create.vcpus = config.vcpus;
	int control = verb_args_connect(&o->args);

	rc = domain_create(control, &create, config.name, &domid);
	if (!rc) {
		rc = guest_start(verb_args_dir(&o->args), domid, &config);
		if (rc)
			domain_destroy(verb_args_dir(&o->args), control, domid);
	}
	close(control);
	if (!rc)
		printf("%u\n", domid);
	return rc;
}

/* No domain's name has a slash; one that ends so would be a file forgotten. */
static int is_file(const char *operand)
{
	const char *dot = strrchr(operand, '.');

	return strchr(operand, '/') || (dot && !strcmp(dot, ".cfg"));
}

int verb_create(int argc, char **argv)
{
	static const struct argp_option keys[] = {
		DIR_OPTION,
		{"memory", 'm', "SIZE", 0, "memory (default 64M)", 0},
		{"vcpus", 'c', "N", 0, "virtual CPUs (default 1)", 0},
		{"user", 'u', "USER", 0, "who may attach, by name or number (default: you)", 0},
		{"config", 'f', "FILE", 0, "a configuration file, whatever it is called", 0},
		{0},
	};
	static char doc[4096];
	static const struct argp argp = {keys, parse, "NAME\nFILE", doc, NULL, NULL, NULL};
	struct options o = {.args.operands = 1};

	snprintf(doc, sizeof(doc),
		"Create a domain, print its number.\n\nNAME: a process domain. It is down until a "
		"program "
		"attaches to it: any that is linked with the process port and finds PVRING_DIR and "
		"PVRING_DOMID in its environment.\n\nFILE, with a '/' in its name or .cfg at its "
		"end: a "
		"kernel under KVM, as the file describes it, with its disks and interfaces. It "
		"runs in the "
		"background; 'pvring console' has its console, DIR/NAME.log what was said about "
		"it. "
		"When it powers off or crashes its domain ends.\v%s\nExample:\n"
		"  name = \"web\"\n"
		"  kernel = \"/boot/vmlinuz\"\n"
		"  extra = \"console=hvc0 root=/dev/xvda\"\n"
		"  memory = 512\n"
		"  disk = [ \"format=raw,vdev=xvda,access=rw,target=/srv/web.img\" ]\n",
		xl_config_help);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	const char *operand = o.args.operand[0];

	if (o.file && operand)
		return tool_error(EX_USAGE, "--config FILE, or one operand: not both");
	if (!o.file && !operand)
		return tool_error(EX_USAGE, "a domain needs a name: pvring create NAME");
	if (o.file || is_file(operand))
		return create_described(&o, o.file ? o.file : operand);
	return create_named(&o, operand);
}
