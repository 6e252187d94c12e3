/* SPDX-License-Identifier: MIT */
/*
 * The eventfds of event channels.
 *
 * Whoever holds an eventfd shares its file flags: a guest can take O_NONBLOCK from its tx and fill
 * the counter. A dom0 process only listens to that one; the daemon also writes it, when the guest
 * dies. So a full counter is emptied first, by a read with RWF_NOWAIT, which looks at no flag of
 * the file, and as there is no such write a timer that fires again and again interrupts one that
 * was tricked into sleeping in between.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pair.h"

#define KICK_INTERVAL_US 5000

struct hv_pair *hv_pair_new(struct hv_pair_budget *budget, unsigned descriptors)
{
	struct hv_pair *pair;

	if (budget->used + descriptors > budget->max)
		return NULL;
	pair = malloc(sizeof(*pair));
	if (!pair)
		return NULL;
	*pair = (struct hv_pair){.references = 1, .budget = budget};
	pair->fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pair->fd[1] = descriptors == 1 ? pair->fd[0] : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	budget->used += descriptors;
	if (pair->fd[0] >= 0 && pair->fd[1] >= 0)
		return pair;
	if (pair->fd[0] >= 0)
		close(pair->fd[0]);
	if (descriptors == 2 && pair->fd[1] >= 0)
		close(pair->fd[1]);
	budget->used -= descriptors;
	free(pair);
	return NULL;
}

void hv_pair_put(struct hv_pair *pair)
{
	if (--pair->references)
		return;
	close(pair->fd[0]);
	pair->budget->used--;
	if (pair->fd[1] != pair->fd[0]) {
		close(pair->fd[1]);
		pair->budget->used--;
	}
	free(pair);
}

int hv_guard_new(struct hv_pair_budget *budget, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	if (budget->used >= budget->max)
		return -1;
	int guard = epoll_create1(EPOLL_CLOEXEC);

	if (guard < 0)
		return -1;
	if (epoll_ctl(guard, EPOLL_CTL_ADD, fd, &event)) {
		close(guard);
		return -1;
	}
	budget->used++;
	return guard;
}

void hv_guard_close(struct hv_pair_budget *budget, int guard)
{
	if (guard < 0)
		return;
	close(guard);
	budget->used--;
}

static void interrupt(int signal)
{
	(void)signal;
}

void hv_event_init(void)
{
	struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART: the write ends */

	sigaction(SIGALRM, &action, NULL);
}

void hv_event_kick(int fd)
{
	static const struct itimerval on = {{0, KICK_INTERVAL_US}, {0, KICK_INTERVAL_US}};
	static const struct itimerval off;
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	uint64_t one = 1, count;
	struct iovec room = {&count, sizeof(count)};

	if (poll(&writable, 1, 0) != 1) {
		ssize_t emptied = preadv2(fd, &room, 1, -1, RWF_NOWAIT);

		(void)emptied;
	}
	setitimer(ITIMER_REAL, &on, NULL);
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
	setitimer(ITIMER_REAL, &off, NULL);
}
