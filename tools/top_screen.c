/* SPDX-License-Identifier: MIT */
/* The live screen of pvring top, with ncurses. */
#include "top.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools.h"

#define FIRST_LOOK_MS 300 /* rates need two looks, and nobody wants to wait for the first */

static void draw(const struct top *top, int error)
{
	char line[TOP_LINE];

	erase();
	top_summary(top, line);
	mvaddnstr(0, 0, line, COLS);
	for (unsigned i = 0; i < top_lines(top) && (int)i < LINES - 3; i++) {
		int heads = top_line(top, i, line);

		if (heads) {
			attron(A_REVERSE);
			mvhline((int)i + 2, 0, ' ', COLS);
		}
		mvaddnstr((int)i + 2, 0, line, COLS);
		attroff(A_REVERSE);
	}
	if (error)
		mvprintw(
			3, 0, "no statistics (%s): is a backend running?", strerror(-error));
	mvaddnstr(LINES - 1, 0, "q quit  s sort  d delay", COLS);
	refresh();
}

static void ask_delay(struct top *top)
{
	char text[16] = "", *end;
	double delay;

	mvprintw(1, 0, "Delay in seconds (0.1 to 3600): ");
	clrtoeol();
	echo();
	curs_set(1);
	timeout(-1);
	getnstr(text, sizeof(text) - 1);
	noecho();
	curs_set(0);
	delay = strtod(text, &end);
	if (end != text && !*end && delay >= 0.1 && delay <= 3600)
		top->delay = delay;
}

enum action { LOOK, DRAW, END };

/* Wait for a key, `ms` at the longest, and do what it says. */
static enum action take_key(struct top *top, int ms)
{
	timeout(ms);
	switch (getch()) {
	case 'q':
	case 'Q':
		return END;
	case 's':
	case 'S':
		top->order = (top->order + 1) % TOP_ORDERS;
		top_sort(top);
		return DRAW;
	case 'd':
	case 'D':
		ask_delay(top);
		return DRAW;
	case KEY_RESIZE:
		return DRAW;
	default:
		return LOOK;
	}
}

static void run(struct top *top)
{
	uint64_t looks = 0;
	int error = 0;

	for (;;) {
		draw(top, error);
		switch (take_key(top, looks ? (int)(top->delay * 1000) : FIRST_LOOK_MS)) {
		case END:
			return;
		case DRAW:
			break;
		case LOOK:
			if (top->iterations && looks == top->iterations)
				return;
			error = top_sample(top);
			looks++;
			break;
		}
	}
}

int top_screen(struct top *top)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return tool_error(EX_UNAVAILABLE,
			"the terminal '%s' is not known: 'pvring top -b' prints instead",
			getenv("TERM") ? getenv("TERM") : "");
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	run(top);
	endwin();
	delscreen(screen);
	return 0;
}
