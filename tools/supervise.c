/* SPDX-License-Identifier: MIT */
/*
 * Starting again what died. What its successor needs stands in journals and on the rings (backend/journal.h); and what a
 * frontend that offers new rings has no answer to, it issues again.
 */
#include "tools.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define YOUNG_NS    1000000000ull /* who dies younger than this waits before the next try */
#define PAUSE_MS    20u
#define PAUSE_STEPS 8u /* doubled so often: five seconds */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int restart_wanted(struct restart *restart, const char *what, int status)
{
	uint64_t age = now_ns() - restart->last_ns;
	struct timespec pause = {0};

	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	restart->fast = age < YOUNG_NS ? restart->fast + 1 : 0;
	if (restart->fast) {
		unsigned step = restart->fast < PAUSE_STEPS ? restart->fast : PAUSE_STEPS;
		unsigned ms = PAUSE_MS << step;

		pause.tv_sec = ms / 1000;
		pause.tv_nsec = (long)(ms % 1000) * 1000000;
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "pvring: the %s was killed by signal %d; starting it again\n", what,
			WTERMSIG(status));
	else
		fprintf(stderr, "pvring: the %s ended with status %d; starting it again\n", what,
			WEXITSTATUS(status));
	nanosleep(&pause, NULL);
	restart->last_ns = now_ns();
	return 1;
}

static volatile sig_atomic_t ending;
static volatile pid_t supervised;

static void end(int signal_number)
{
	ending = 1;
	if (supervised > 0)
		kill(supervised, signal_number);
}

/* 0: we have been asked to end. */
static pid_t start(int (*body)(void *argument), void *argument)
{
	pid_t parent = getpid(), child;
	sigset_t all, before;

	/* No signal between the fork and the moment the handler knows whom to pass it to. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (ending) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return 0;
	}
	child = fork();
	if (child == 0) {
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(EX_UNAVAILABLE);
		exit(body(argument));
	}
	supervised = child;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return child;
}

int supervise(const char *what, int (*body)(void *argument), void *argument)
{
	struct sigaction action = {.sa_handler = end};
	struct restart restart = {0};
	int status;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	do {
		pid_t child = start(body, argument);

		if (child < 0)
			return tool_error(EX_OSERR, "fork: %s", strerror(errno));
		if (child == 0)
			return 0;
		while (waitpid(child, &status, 0) < 0)
			if (errno != EINTR)
				return EX_OSERR;
		supervised = 0;
	} while (!ending && restart_wanted(&restart, what, status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
