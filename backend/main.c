/* SPDX-License-Identifier: MIT */
/* A backend as a process: signals, readiness, confinement. */
#include "main.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"

/* SIGTERM and SIGINT as a descriptor; blocked first, so that every thread made later has them
 * blocked. */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void say_ready(int fd)
{
	if (fd < 0)
		return;
	while (write(fd, "", 1) < 0 && errno == EINTR)
		;
	close(fd);
}

/* For a log line. */
static const char *where(const struct pvr_back_config *config)
{
	if (config->host)
		return config->host;
	return config->dir ? config->dir : "default directory";
}

static int on_xen(const struct pvr_back_config *config)
{
	return config->host && !strcmp(config->host, PVR_HOST_XEN);
}

static void say_unreachable(const char *program, const struct pvr_back_config *config, int result)
{
	const char *hint = "is it running?";

	if (on_xen(config) && result == -ENOSYS)
		hint = "pvring was built without libxen-dev";
	else if (on_xen(config))
		hint = "is this dom0, are xen-gntdev and xen-evtchn loaded, is xenstored running?";
	fprintf(stderr, "pvring %s: %s: cannot connect to the hypervisor: %s; %s\n", program,
		where(config), strerror(-result), hint);
}

static int serve(const struct pvr_back_kind *kind, const struct pvr_back_needs *needs,
	const struct pvr_back_config *config, int signal_fd)
{
	struct pvr_back_control *control;
	int result = pvr_back_control_create(kind, config, &control);

	if (result == -EINVAL && config->cpus) {
		fprintf(stderr, "pvring %s: --cpus %s: no such CPUs here\n", kind->program,
			config->cpus);
		return result;
	}
	if (result) {
		say_unreachable(kind->program, config, result);
		return result;
	}
	result = pvr_back_confine(kind->program, needs, pvr_back_control_host(control));
	if (result) {
		fprintf(stderr, "pvring %s: cannot confine itself: %s\n", kind->program,
			strerror(-result));
	} else {
		say_ready(config->ready_fd);
		result = pvr_back_control_run(control, signal_fd);
		if (result)
			fprintf(stderr, "pvring %s: %s: the hypervisor is gone\n", kind->program,
				where(config));
	}
	pvr_back_control_destroy(control);
	return result;
}

int pvr_back_run(const struct pvr_back_kind *kind, const struct pvr_back_needs *needs,
	const struct pvr_back_config *config)
{
	pid_t parent = getppid();
	int signal_fd, result;

	signal_fd = open_signals();
	if (signal_fd < 0) {
		fprintf(stderr, "pvring %s: signalfd: %s\n", kind->program, strerror(-signal_fd));
		return signal_fd;
	}
	if (config->parent_dies) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* It may have died before that. */
		if (getppid() != parent)
			kill(getpid(), SIGTERM);
	}
	result = serve(kind, needs, config, signal_fd);
	close(signal_fd);
	return result;
}
