/* SPDX-License-Identifier: MIT */
/* See stats_kvm.h. */
#include "stats_kvm.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../machine/stats.h"
#include "tools.h"

/* The counts of all vCPUs together. */
struct guest {
	uint64_t domid;
	char mode[sizeof(((struct vm_stats *)0)->mode)];
	uint64_t exits[VM_EXITS_KINDS], interrupts, ballooned;
	unsigned vcpus;
};

/* A copy, so that what the guest's process does to the file meanwhile cannot hurt. */
static int guest_read(const char *path, struct guest *g)
{
	static struct vm_stats s;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, &s, sizeof(s));

	if (fd >= 0)
		close(fd);
	if (n != (ssize_t)sizeof(s) || s.magic != VM_STATS_MAGIC || s.vcpus > 32)
		return -1;
	g->vcpus = s.vcpus;
	g->interrupts = s.interrupts;
	g->ballooned = s.ballooned;
	memcpy(g->mode, s.mode, sizeof(g->mode));
	g->mode[sizeof(g->mode) - 1] = 0;
	memset(g->exits, 0, sizeof(g->exits));
	for (unsigned i = 0; i < s.vcpus; i++)
		for (unsigned k = 0; k < VM_EXITS_KINDS; k++)
			g->exits[k] += s.vcpu[i].count[k];
	return 0;
}

static void each(const char *dir, void (*body)(const struct guest *g, void *opaque), void *opaque)
{
	char path[512];
	struct dirent *entry;
	struct guest g;

	if (snprintf(path, sizeof(path), "%s/stats", dir) >= (int)sizeof(path))
		return;
	DIR *d = opendir(path);

	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "guest-", 6) ||
			tool_number(entry->d_name + 6, 1, UINT16_MAX, &g.domid))
			continue;
		if (snprintf(path, sizeof(path), "%s/stats/%s", dir, entry->d_name) <
				(int)sizeof(path) &&
			!guest_read(path, &g))
			body(&g, opaque);
	}
	if (d)
		closedir(d);
}

static void print_one(const struct guest *g, void *opaque)
{
	FILE *to = opaque;

	fprintf(to, "\nguest %llu, %u vCPUs, %s\n  exits:", (unsigned long long)g->domid, g->vcpus,
		g->mode);
	for (unsigned k = 0; k < VM_EXITS_KINDS; k++)
		if (k <= VM_EXITS_OTHER || g->exits[k])
			fprintf(to, " %s %llu", vm_exit_names[k], (unsigned long long)g->exits[k]);
	fprintf(to, "; interrupts %llu, ballooned pages %llu\n", (unsigned long long)g->interrupts,
		(unsigned long long)g->ballooned);
}

void stats_kvm_print(FILE *to, const char *dir)
{
	each(dir, print_one, to);
}

static void json_one(const struct guest *g, void *opaque)
{
	json_t *exits = json_object();

	for (unsigned k = 0; k < VM_EXITS_KINDS; k++)
		json_object_set_new(exits, vm_exit_names[k], json_integer((json_int_t)g->exits[k]));
	json_array_append_new(
		opaque, json_pack("{s:s, s:I, s:i, s:s, s:o, s:I, s:I}", "type", "guest", "domid",
				(json_int_t)g->domid, "vcpus", (int)g->vcpus, "mode", g->mode,
				"exits", exits, "interrupts", (json_int_t)g->interrupts,
				"ballooned_pages", (json_int_t)g->ballooned));
}

void stats_kvm_json(json_t *array, const char *dir)
{
	each(dir, json_one, array);
}
