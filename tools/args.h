/* SPDX-License-Identifier: MIT */
/* What verbs share of a command line: --dir, --json, and operands; and the JSON that is printed then. */
#ifndef PVR_TOOLS_ARGS_H
#define PVR_TOOLS_ARGS_H

#include <argp.h>
#include <jansson.h>
#include <stdio.h>

#include "tools.h"

/* For a verb's own list of options. */
/* clang-format off */
#define DIR_OPTION  {"dir", 'D', "DIR", 0, "directory of the hypervisor's sockets (default: $PVRING_DIR, else the user's own)", 0}
#define JSON_OPTION {"json", 'j', NULL, 0, "JSON on standard output", 0}
/* clang-format on */

struct verb_args {
	unsigned operands; /* how many the verb takes, at most two; set before argp_parse */
	const char *operand[2];
	int json;
	const char *given_dir;
	char dir[128];
};

/* For a verb's parser: takes what the verb has not taken itself. */
error_t verb_args_parse(struct verb_args *args, int key, char *arg, struct argp_state *state);

/* The directory to use: the one given, the environment's, or the default. Exits when it is too long. */
const char *verb_args_dir(struct verb_args *args);

/* A connection to the hypervisor there. Exits, and says why, when none answers. */
int verb_args_connect(struct verb_args *args);

/* Prints a value and releases it. */
void verb_print_json(FILE *to, json_t *value);

#endif
