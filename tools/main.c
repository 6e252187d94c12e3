/* SPDX-License-Identifier: MIT */
/* The pvring command: finds the verb and hands over. */
#include "tools.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} verbs[] = {
	{"run", verb_run, "run a command as a guest with disks and networks, on a system of its own"},
	{"hypervisor", verb_hypervisor, "run the hypervisor daemon"},
	{"blkback", verb_blkback, "run the block backend"},
	{"netback", verb_netback, "run the network backend"},
	{"create", verb_create, "create a domain, or start the guest that a file describes"},
	{"console", verb_console, "the console of a guest that a file described"},
	{"destroy", verb_destroy, "end a domain"},
	{"list", verb_list, "list domains"},
	{"shutdown", verb_shutdown, "ask a guest's kernel to power off"},
	{"reboot", verb_reboot, "ask a guest's kernel to reboot"},
	{"block-attach", verb_block_attach, "give a domain a disk"},
	{"block-detach", verb_block_detach, "take a disk away"},
	{"block-resize", verb_block_resize, "tell a guest that its disk has another size"},
	{"block-list", verb_block_list, "list a domain's disks"},
	{"network-attach", verb_network_attach, "give a domain a network interface"},
	{"network-detach", verb_network_detach, "take a network interface away"},
	{"network-list", verb_network_list, "list a domain's network interfaces"},
	{"stats", verb_stats, "show counters and latencies of disks"},
	{"top", verb_top, "show live what the disks do"},
	{"blk", verb_blk, "a guest program: read, write, copy, verify or describe a disk"},
	{"bench", verb_bench, "measure rings, event channels, disks and networks"},
};

static void usage(FILE *to)
{
	fputs("Usage: pvring VERB [OPTION...] [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(to, "  %-14s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n'pvring VERB --help' explains one. A first try:\n\n"
	      "  pvring run --disk mem=64M -- pvring blk verify\n",
		to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EX_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("pvring " PVR_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		static char name[64];

		if (strcmp(argv[1], verbs[i].name))
			continue;
		tool_verb = verbs[i].name;
		snprintf(name, sizeof(name), "pvring %s", verbs[i].name);
		argv[1] = name; /* what argp prints as the program */
		return verbs[i].run(argc - 1, argv + 1);
	}
	return tool_error(EX_USAGE, "no verb '%s'; 'pvring --help' lists them", argv[1]);
}
