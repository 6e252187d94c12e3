/* SPDX-License-Identifier: MIT */
/* The options that several verbs have. */
#ifndef PVR_TOOLS_ARGS_H
#define PVR_TOOLS_ARGS_H

#include <argp.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tools.h"

/* clang-format off */
#define DIR_OPTION  {"dir", 'D', "DIR", 0, "directory of the hypervisor's sockets (default: $PVRING_DIR, else the user's own)", 0}
#define JSON_OPTION {"json", 'j', NULL, 0, "JSON on standard output", 0}
/* clang-format on */

struct dir_arg {
	const char *given;
	char text[128];
};

static inline error_t dir_arg_set(struct dir_arg *dir, const char *arg, struct argp_state *state)
{
	if (!*arg)
		argp_failure(state, EX_USAGE, 0, "--dir needs the name of a directory");
	dir->given = arg;
	return 0;
}

/* The directory to use: the one given, the environment's, or the default. */
static inline const char *dir_arg(struct dir_arg *dir)
{
	if (pvr_hv_dir(dir->given, dir->text, sizeof(dir->text)))
		exit(tool_error(
			EX_USAGE, "the directory's name is longer than a socket's path may be"));
	return dir->text;
}

#endif
