/* SPDX-License-Identifier: MIT */
/* The options and operands that several verbs have. */
#include "args.h"

#include <stdlib.h>
#include <sysexits.h>

error_t verb_args_parse(struct verb_args *args, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'D':
		if (!*arg)
			argp_failure(state, EX_USAGE, 0, "--dir needs the name of a directory");
		args->given_dir = arg;
		return 0;
	case 'j':
		args->json = 1;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num < args->operands)
			args->operand[state->arg_num] = arg;
		else
			argp_failure(state, EX_USAGE, 0, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const char *verb_args_dir(struct verb_args *args)
{
	if (pvr_hv_dir(args->given_dir, args->dir, sizeof(args->dir)))
		exit(tool_error(
			EX_USAGE, "the directory's name is longer than a socket's path may be"));
	return args->dir;
}

int verb_args_connect(struct verb_args *args)
{
	const char *dir = verb_args_dir(args);
	int control = pvr_hv_connect(dir);

	if (control < 0)
		exit(tool_no_hypervisor(dir, control));
	return control;
}

void verb_print_json(FILE *to, json_t *value)
{
	json_dumpf(value, to, JSON_INDENT(2));
	fputc('\n', to);
	json_decref(value);
}
