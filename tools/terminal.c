/* SPDX-License-Identifier: MIT */
/* See terminal.h. */
#include "terminal.h"

#include <unistd.h>

int terminal_raw(struct termios *before)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before))
		return 0;
	raw = *before;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}
