/* SPDX-License-Identifier: MIT */
/* What the parts of the guest kernel share. */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/port.h>

#define MS 1000000ull
#define S  1000000000ull

/* ---- console.c ---- */

/* A line. %s, and %u and %x with up to two l, only. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same becomes the reason for which a scenario fails; -1. */
int failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *failed_reason(void);

/* ---- task.c: cooperative; one runs until it waits ---- */

#define TASKS_MAX 8u

/* The caller becomes the first task. */
void tasks_init(void);
/* Start one, which begins when others wait. -EAGAIN: there are too many, -ENOMEM. */
int task_start(void (*run)(void *arg), void *arg);
/*
 * Others run until *word is not `seen` or the deadline passes; with nobody to run the CPU sleeps. May return early. A
 * task that ends does not come back.
 */
void task_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns);
void task_sleep(uint64_t deadline_ns);
/* Let every other task that can run do so once. */
void task_yield(void);

/* ---- the machine as boot.c found it ---- */

struct machine {
	const char *way; /* "native", "PVH", "PV" */
	const char *command_line;
	unsigned long memory_end; /* linear and physical */
	uint64_t entry_tsc;       /* of the first instruction in C */
	uint32_t xen_version;     /* 0: no Xen */
};

extern struct machine machine;
extern struct pvr_boot pvr_boot;

/* Power off, or crash: does not return. */
void kernel_end_run(int crash) __attribute__((noreturn));

/* ---- scenarios: 0, or failed() ---- */

int boot_scenario(const char *args);
int flat_scenario(const char *args);
int traps_scenario(const char *args);
int mmu_scenario(const char *args);
int timer_scenario(const char *args);
int clock_scenario(const char *args);
int tasks_scenario(const char *args);
int idle_scenario(const char *args);
int blk_scenario(const char *args);
int bench_scenario(const char *args);

/* A decimal number at the beginning of text, with K, M or G behind it; `otherwise` where there is none. */
uint64_t number_of(const char *text, uint64_t otherwise);
/* What is behind the comma, "" without one. */
const char *after_comma(const char *text);
/* One of the words of a line, with spaces between them, is `word`. */
int line_has(const char *line, const char *word);
/* text begins with word, which ends there or with a comma. */
int word_is(const char *text, const char *word);

#endif
