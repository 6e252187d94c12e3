/* SPDX-License-Identifier: MIT */
/*
 * An ephemeral system: a hypervisor, a backend and one domain in a directory of their own, for as
 * long as one command needs them. The daemons are children in sessions of their own, so that a
 * Ctrl-C meant for the command does not reach them, and they end when their parent does, however it
 * ends.
 */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <pvring/blkback.h>

#include "net.h"

#define READY_TIMEOUT_MS 10000
#define STOP_TIMEOUT_MS  5000

static int make_dir(struct ephemeral *system)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (!base || access(base, W_OK))
		base = "/tmp";
	if ((size_t)snprintf(system->dir, sizeof(system->dir), "%s/pvring-XXXXXX", base) >= 96)
		return tool_error(
			EX_CANTCREAT, "$XDG_RUNTIME_DIR is too long for the path of a socket");
	if (!mkdtemp(system->dir))
		return tool_error(
			EX_CANTCREAT, "cannot make a directory in '%s': %s", base, strerror(errno));
	return 0;
}

pid_t daemon_spawn(int (*daemon_main)(void *argument, int ready_fd), void *argument, int *ready)
{
	int pipe_fds[2];
	pid_t parent = getpid(), child;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return -1;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		close(pipe_fds[0]);
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(EX_UNAVAILABLE);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		_exit(daemon_main(argument, pipe_fds[1]) ? EX_SOFTWARE : 0);
	}
	close(pipe_fds[1]);
	if (ready)
		*ready = pipe_fds[0];
	else
		close(pipe_fds[0]);
	return child;
}

/* One byte: the daemon is ready. End of file: it has ended, and has said why. */
static int wait_ready(const char *what, int ready)
{
	struct pollfd wait = {.fd = ready, .events = POLLIN};
	char byte;
	int rc;

	do
		rc = poll(&wait, 1, READY_TIMEOUT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc > 0)
		rc = read(ready, &byte, 1) == 1
			     ? 0
			     : tool_error(EX_UNAVAILABLE, "the %s did not start", what);
	else
		rc = tool_error(EX_UNAVAILABLE, "the %s is not ready after %d s", what,
			READY_TIMEOUT_MS / 1000);
	close(ready);
	return rc;
}

int daemon_start(pid_t *pid, const char *what, int (*daemon_main)(void *argument, int ready_fd),
	void *argument)
{
	int ready;

	*pid = daemon_spawn(daemon_main, argument, &ready);
	if (*pid < 0) {
		*pid = 0;
		return tool_error(EX_OSERR, "fork: %s", strerror(errno));
	}
	return wait_ready(what, ready);
}

int daemon_ended(pid_t *pid)
{
	if (waitpid(*pid, NULL, WNOHANG) != *pid)
		return 0;
	*pid = 0;
	return 1;
}

static int hypervisor_main(void *dir, int ready_fd)
{
	struct pvr_hv_config config = {.dir = dir, .ready_fd = ready_fd, .parent_dies = 1};

	prctl(PR_SET_NAME, "pvring-hv");
	return pvr_hypervisor_run(&config);
}

static int blkback_main(void *dir, int ready_fd)
{
	struct pvr_back_config config = {
		.dir = dir, .ready_fd = ready_fd, .parent_dies = 1, .quiet = 1};

	prctl(PR_SET_NAME, "pvring-blkback");
	return pvr_blkback_run(&config);
}

static void stop(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGTERM);
	for (int ms = 0; ms < STOP_TIMEOUT_MS; ms += 2) {
		struct timespec t = {.tv_nsec = 2000000};

		if (waitpid(*pid, NULL, WNOHANG) == *pid) {
			*pid = 0;
			return;
		}
		nanosleep(&t, NULL);
	}
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static void set_environment(const struct ephemeral *system)
{
	char text[192];

	setenv(PVR_HV_ENV_DIR, system->dir, 1);
	snprintf(text, sizeof(text), "%u", system->domid);
	setenv(PVR_HV_ENV_DOMID, text, 1);
	snprintf(text, sizeof(text), "%s/%s", system->dir, PVR_XS_SOCKET);
	setenv("XENSTORED_PATH", text, 1);
}

int ephemeral_domain(struct ephemeral *system, const char *name, uint64_t memory, uint32_t vcpus,
	uint32_t *domid)
{
	struct pvr_hv_create create = {.memory_bytes = memory, .uid = getuid(), .vcpus = vcpus};
	size_t length = sizeof(*domid);
	int control = pvr_hv_connect(system->dir);
	long rc = control;

	snprintf(create.name, sizeof(create.name), "%s", name);
	if (control >= 0) {
		if (!vcpus)
			create.vcpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
		rc = pvr_hv_call(control, PVR_HV_DOMAIN_CREATE, &create, sizeof(create), domid,
			&length, NULL, NULL);
		close(control);
	}
	if (rc < 0)
		return tool_error(
			tool_status(rc), "cannot create the domain: %s", strerror((int)-rc));
	return 0;
}

static int attach_disks(struct ephemeral *system, struct disk_spec *disks, unsigned count)
{
	struct pvr_host *host;
	char why[512];
	int rc = pvr_host_open(system->dir, &host);

	if (rc)
		return tool_no_hypervisor(system->dir, rc);
	for (unsigned i = 0; i < count && !rc; i++) {
		rc = disk_attach(host, system->domid, &disks[i], why, sizeof(why));
		if (rc)
			rc = tool_error(rc == -EIO ? EX_NOINPUT : tool_status(rc), "%s", why);
	}
	pvr_host_close(host);
	return rc;
}

static int start_blkback(struct ephemeral *system)
{
	return daemon_start(&system->blkback, "block backend", blkback_main, system->dir);
}

int ephemeral_start(
	struct ephemeral *system, struct disk_spec *disks, unsigned count, uint64_t memory, uint32_t vcpus)
{
	int rc;

	*system = (struct ephemeral){0};
	rc = make_dir(system);
	if (rc)
		return rc;
	rc = daemon_start(&system->hypervisor, "hypervisor", hypervisor_main, system->dir);
	if (!rc && count)
		rc = start_blkback(system);
	if (!rc)
		rc = ephemeral_domain(system, "guest", memory, vcpus, &system->domid);
	if (!rc) {
		set_environment(system);
		rc = attach_disks(system, disks, count);
	}
	if (rc)
		ephemeral_stop(system);
	return rc;
}

/* One of the daemons has ended by itself, with `status` as waitpid has it. */
static void look_after(struct ephemeral *system, pid_t pid, int status)
{
	if (pid == system->blkback) {
		system->blkback = 0;
		if (restart_wanted(&system->restart, "block backend", status))
			start_blkback(system);
	} else if (pid == system->netback) {
		system->netback = 0;
		if (restart_wanted(&system->net_restart, "network backend", status))
			ephemeral_netback(system);
	} else if (pid == system->hypervisor) {
		system->hypervisor = 0;
		tool_error(0, "the hypervisor has ended; the command's devices are gone");
	} else if (pid == system->pump || pid == system->passt) {
		*(pid == system->pump ? &system->pump : &system->passt) = 0;
		tool_error(0, "the command's network has ended");
	}
}

int ephemeral_wait(struct ephemeral *system, pid_t child)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);

		if (pid == child)
			return status;
		if (pid < 0 && errno != EINTR)
			return -1;
		if (pid > 0)
			look_after(system, pid, status);
	}
}

/* With what those left in it who were killed. */
static void remove_files(const char *path)
{
	DIR *files = opendir(path);

	for (const struct dirent *entry; files && (entry = readdir(files));)
		unlinkat(dirfd(files), entry->d_name, 0); /* "." and ".." it refuses */
	if (files)
		closedir(files);
	rmdir(path);
}

static void remove_dir(const char *dir)
{
	static const char *const left[] = {PVR_HV_SOCKET, PVR_XS_SOCKET, PASST_SOCKET, PASST_LOG};
	static const char *const dirs[] = {"stats", "inflight"};
	char path[192];

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, left[i]);
		unlink(path);
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
		remove_files(path);
	}
	rmdir(dir);
}

void ephemeral_stop(struct ephemeral *system)
{
	stop(&system->pump);
	stop(&system->blkback);
	stop(&system->netback);
	stop(&system->passt);
	stop(&system->hypervisor);
	if (*system->dir)
		remove_dir(system->dir);
	*system->dir = 0;
}
