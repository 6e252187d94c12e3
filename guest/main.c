/* SPDX-License-Identifier: MIT */
/* The command line is a row of scenarios, `name` or `name=arguments`. Each says a line; the last line is DONE or FAILED. */
#include <string.h>

#include "guest/kernel.h"
#include "guest/net.h"
#include "rings/text.h"

#define WORD_MAX 128u

static const struct scenario {
	const char *name;
	int (*run)(const char *args);
} scenarios[] = {
	{"boot", boot_scenario},
	{"flat", flat_scenario},
	{"traps", traps_scenario},
	{"mmu", mmu_scenario},
	{"timer", timer_scenario},
	{"clock", clock_scenario},
	{"tasks", tasks_scenario},
	{"idle", idle_scenario},
	{"blk", blk_scenario},
	{"ip", net_address},
	{"net", net_scenario},
	{"bench", bench_scenario},
};

/* The next word of the command line, cut at its `=`; 0 at the end. */
static int word_next(const char **line, char name[WORD_MAX], const char **args)
{
	size_t length = 0;

	while (**line == ' ')
		++*line;
	for (; **line && **line != ' '; ++*line)
		if (length < WORD_MAX - 1)
			name[length++] = **line;
	name[length] = '\0';
	*args = name + length;
	for (size_t i = 0; i < length; i++)
		if (name[i] == '=') {
			name[i] = '\0';
			*args = name + i + 1;
			break;
		}
	return length > 0;
}

static int scenario_run(const char *name, const char *args)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (word_is(name, scenarios[i].name) && scenarios[i].run)
			return scenarios[i].run(args);
	return failed("this kernel has no such scenario");
}

void kernel_main(void);

void kernel_main(void)
{
	const char *line = machine.command_line, *args;
	char name[WORD_MAX];

	while (word_next(&line, name, &args))
		if (scenario_run(name, args)) {
			say("FAILED: %s: %s", name, failed_reason());
			kernel_end_run(1);
		}
	say("DONE");
	kernel_end_run(0);
}
