/* SPDX-License-Identifier: MIT */
/* The hypervisor daemon as a process: signals, its parent, its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv.h"

static void on_signal(struct hv_source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	ssize_t n = read(source->fd, &info, sizeof(info)); /* or it strikes when it is unblocked */

	(void)n;
	(void)events;
	container_of(source, struct hv, signals)->stop = 1;
}

static void on_parent_end(struct hv_source *source, uint32_t events)
{
	(void)events;
	container_of(source, struct hv, parent)->stop = 1;
}

/* SIGTERM and SIGINT come through the loop; `old` is what to put back. */
static int signals_open(struct hv *hv, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, old);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	hv->signals.event = on_signal;
	int err = hv_source_add(hv, &hv->signals, fd, EPOLLIN);

	if (err)
		close(fd);
	return err;
}

static int parent_watch(struct hv *hv)
{
	if (!hv->config.parent_dies)
		return 0;
	int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);

	if (fd < 0)
		return -errno;
	hv->parent.event = on_parent_end;
	int err = hv_source_add(hv, &hv->parent, fd, EPOLLIN);

	if (err)
		close(fd);
	return err;
}

static void say_ready(const struct hv *hv)
{
	if (hv->config.ready_fd < 0)
		return;
	ssize_t n = write(hv->config.ready_fd, "", 1);

	(void)n; /* nobody waits for it any more */
}

static int run(struct hv *hv, sigset_t *old)
{
	int err = hv_core_open(hv);

	if (!err)
		err = signals_open(hv, old);
	if (!err)
		err = parent_watch(hv);
	if (err) {
		fprintf(stderr, "pvring: hypervisor: cannot start: %s\n", strerror(-err));
		return err;
	}
	err = hv_server_open(hv);
	if (err)
		return err;
	err = hv_confine();
	if (err) {
		fprintf(stderr, "pvring: hypervisor: cannot confine itself: %s\n", strerror(-err));
		return err;
	}
	say_ready(hv);
	hv_loop_run(hv);
	return 0;
}

int pvr_hypervisor_run(const struct pvr_hv_config *config)
{
	struct hv *hv = hv_core_new(config);
	sigset_t old;

	if (!hv)
		return -ENOMEM;
	sigprocmask(SIG_BLOCK, NULL, &old);
	int err = run(hv, &old);

	hv_core_free(hv);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}
