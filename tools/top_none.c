/* SPDX-License-Identifier: MIT */
/* In the place of top_screen.c where ncurses is not installed. */
#include <sysexits.h>

#include "tools.h"
#include "top.h"

int top_screen(struct top *top)
{
	(void)top;
	return tool_error(EX_UNAVAILABLE,
		"built without libncurses-dev: 'pvring top -b' prints instead");
}
