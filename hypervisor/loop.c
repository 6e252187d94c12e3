/* SPDX-License-Identifier: MIT */
/*
 * The loop: one event at a time, so that whatever an event frees cannot be met again among events
 * that were fetched before. The daemon is the control plane; a system call more an event is
 * nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "hv.h"

int hv_source_add(struct hv *hv, struct hv_source *source, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	source->fd = -1;
	if (epoll_ctl(hv->epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	source->fd = fd;
	return 0;
}

void hv_source_arm(struct hv *hv, struct hv_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	epoll_ctl(hv->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

int hv_source_remove(struct hv *hv, struct hv_source *source)
{
	int fd = source->fd;

	if (fd >= 0)
		epoll_ctl(hv->epoll, EPOLL_CTL_DEL, fd, NULL);
	source->fd = -1;
	return fd;
}

void hv_later_queue(struct hv *hv, struct hv_later *later)
{
	if (later->queued)
		return;
	later->queued = 1;
	TAILQ_INSERT_TAIL(&hv->laters, later, entry);
}

void hv_later_cancel(struct hv *hv, struct hv_later *later)
{
	if (!later->queued)
		return;
	later->queued = 0;
	TAILQ_REMOVE(&hv->laters, later, entry);
}

static int loop_timeout(struct hv *hv)
{
	int timeout = pvr_xs_timeout(hv->xs);

	if (!TAILQ_EMPTY(&hv->laters))
		return 0;
	if ((hv->dying_count || !TAILQ_EMPTY(&hv->ghosts)) &&
		(timeout < 0 || timeout > HV_RETRY_MS))
		timeout = HV_RETRY_MS;
	return timeout;
}

/* What had to wait for others: looked at from time to time, however busy the loop is. */
static void retry(struct hv *hv)
{
	struct timespec now;

	if (!hv->dying_count && TAILQ_EMPTY(&hv->ghosts))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;

	if (ms < hv->retry_ms)
		return;
	hv->retry_ms = ms + HV_RETRY_MS;
	hv_ghosts_retry(hv);
	hv_domains_reap(hv);
}

void hv_loop_run(struct hv *hv)
{
	while (!hv->stop) {
		struct epoll_event event;
		struct hv_later *later;
		int n = epoll_wait(hv->epoll, &event, 1, loop_timeout(hv));

		if (n == 1) {
			struct hv_source *source = event.data.ptr;

			source->event(source, event.events);
		} else if (n < 0 && errno != EINTR) {
			return;
		}
		/*
		 * One of these a turn: nobody who always has more to do keeps the others waiting.
		 */
		later = TAILQ_FIRST(&hv->laters);
		if (later) {
			hv_later_cancel(hv, later);
			later->run(later);
		}
		pvr_xs_run(hv->xs);
		retry(hv);
	}
}

void hv_log(const char *format, ...)
{
	static time_t second;
	static unsigned lines;
	struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
	struct timespec now;
	char line[512];
	va_list args;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		lines = 0;
	}
	/* A pipe that polls as writable takes a line without blocking. */
	if (lines++ >= HV_LOG_LINES_PER_S || poll(&writable, 1, 0) != 1)
		return;
	int n = snprintf(line, sizeof(line), "pvring: hypervisor: ");

	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	ssize_t written = write(STDERR_FILENO, line, strlen(line));

	(void)written;
}
