/* SPDX-License-Identifier: MIT */
/*
 * Cooperative tasks. A task that waits names a word, what it saw there and a deadline; whoever looks for somebody to run
 * compares. So a wake-up needs no queue and cannot be lost: it only has to end the sleep of the CPU.
 */
#include <errno.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "ports/x86/x86.h"

struct task {
	unsigned long stack; /* while it does not run */
	void *pages;
	void (*run)(void *arg);
	void *arg;
	const _Atomic uint32_t *word;
	uint32_t seen;
	uint64_t deadline;
	int alive;
};

static struct task tasks[TASKS_MAX];
static unsigned self;
static const _Atomic uint32_t never; /* what a task that merely sleeps waits for */

void tasks_init(void)
{
	tasks[0].alive = 1;
}

static void task_end(void)
{
	tasks[self].alive = 0;
	for (;;)
		task_wait(&never, 0, UINT64_MAX);
}

static void task_first(void)
{
	tasks[self].run(tasks[self].arg);
	task_end();
}

int task_start(void (*run)(void *arg), void *arg)
{
	unsigned long *stack;
	struct task *t = tasks;

	for (; t < tasks + TASKS_MAX && t->alive; t++)
		;
	if (t == tasks + TASKS_MAX)
		return -EAGAIN;
	if (!t->pages)
		t->pages = pvr_port_pages_alloc(STACK_BYTES / PVR_PAGE_SIZE);
	if (!t->pages)
		return -ENOMEM;
	/* As task_switch leaves it; above the return address a word that makes the stack as a call would. */
	stack = (unsigned long *)((char *)t->pages + STACK_BYTES) - 2;
	stack[0] = (unsigned long)task_first;
	*t = (struct task){.stack = (unsigned long)(stack - CALLEE_WORDS),
		.pages = t->pages,
		.run = run,
		.arg = arg,
		.word = &never,
		.alive = 1};
	return 0;
}

/* The next task after this one that may run, itself the last; else TASKS_MAX, and when to look again. */
static unsigned find(uint64_t *look_again)
{
	uint64_t now = 0;

	*look_again = UINT64_MAX;
	for (unsigned i = 1; i <= TASKS_MAX; i++) {
		const struct task *t = &tasks[(self + i) % TASKS_MAX];

		if (!t->alive)
			continue;
		if (atomic_load_explicit(t->word, memory_order_acquire) != t->seen)
			return (self + i) % TASKS_MAX;
		if (t->deadline == UINT64_MAX)
			continue;
		if (!now)
			now = pvr_port_now_ns();
		if (t->deadline <= now)
			return (self + i) % TASKS_MAX;
		if (t->deadline < *look_again)
			*look_again = t->deadline;
	}
	return TASKS_MAX;
}

void task_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	unsigned before = self, next;
	uint64_t look_again;

	tasks[self].word = word;
	tasks[self].seen = seen;
	tasks[self].deadline = deadline_ns;
	for (;;) {
		/* WAKES, partner: port_woken(), after the word was changed: idle sees that it came since. */
		uint32_t wakes = atomic_load_explicit(&port_wakes, memory_order_seq_cst);

		next = find(&look_again);
		if (next != TASKS_MAX)
			break;
		hot.timer(look_again);
		hot.idle(&port_wakes, wakes);
	}
	if (next != before) {
		self = next;
		task_switch(&tasks[before].stack, tasks[next].stack);
	}
}

void task_sleep(uint64_t deadline_ns)
{
	while (pvr_port_now_ns() < deadline_ns)
		task_wait(&never, 0, deadline_ns);
}

void task_yield(void)
{
	task_wait(&never, 1, UINT64_MAX);
}
