/* SPDX-License-Identifier: MIT */
/* The user's terminal as a guest's console. */
#ifndef PVR_TOOLS_TERMINAL_H
#define PVR_TOOLS_TERMINAL_H

#include <termios.h>

#define TERMINAL_LEAVE '\x1d' /* Ctrl-] */

/*
 * Keys go on as they are typed, if standard input is a terminal: nonzero then, and *before is what tcsetattr gives back.
 * Output is processed, since our own lines go there too.
 */
int terminal_raw(struct termios *before);

#endif
