/* SPDX-License-Identifier: MIT */
/* pvring top, between what is shown (verb_top.c) and the terminal it is shown on (top_screen.c). */
#ifndef PVR_TOOLS_TOP_H
#define PVR_TOOLS_TOP_H

#include "stats_read.h"

#define TOP_LINE 128u /* bytes of a line; it fits a terminal of 80 columns */

enum top_order {
	TOP_BY_REQUESTS,
	TOP_BY_READ,
	TOP_BY_WRITTEN,
	TOP_BY_LATENCY,
	TOP_BY_NAME,
	TOP_ORDERS
};

struct top {
	const char *dir;
	double delay;        /* seconds */
	uint64_t iterations; /* 0: no end */
	enum top_order order;
	struct stats_list last, last_vifs; /* totals when last looked */
	struct stats_list rows, row_vifs;  /* what was counted in between, sorted */
	uint64_t ns;                       /* the time in between */
};

/* Look again: 0, or a negative errno with the rows empty. */
int top_sample(struct top *top);
void top_sort(struct top *top);

/* Lines without an end: the summary, then those of the table, below its heads of columns. */
void top_summary(const struct top *top, char line[TOP_LINE]);
unsigned top_lines(const struct top *top);
/* Nonzero when it is one with heads of columns. */
int top_line(const struct top *top, unsigned number, char line[TOP_LINE]);

/* Run on the terminal until a key or the iterations end it: a sysexits status. */
int top_screen(struct top *top);

#endif
