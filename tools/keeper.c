/* SPDX-License-Identifier: MIT */
/* See keeper.h. The guest's console is a pair of pipes, which outlive a reboot, to the keeper's 0 and 1; its 2 is a log. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "../machine/stats.h"
#include "tail.h"
#include "tools.h"

#define SIGNALLED     128  /* and the signal: the status of a process that was killed */
#define LAST_WORDS_MS 1000 /* for whoever has the console to take what the guest printed last */

struct keeper {
	const struct keeper_config *config;
	int control;              /* the hypervisor; it hangs up when it ends */
	int listen, client;       /* client: -1, nobody has the console */
	int to_guest, from_guest; /* our ends of the pipes, which do not block */
	int child;                /* pidfd of the guest's process */
	struct tail printed;      /* and not taken by the client yet */
	char typed[512];          /* and not taken by the guest yet */
	size_t typed_count;
};

int keeper_console_path(const char *dir, uint32_t domid, char *path, size_t size)
{
	return snprintf(path, size, "%s/console-%" PRIu32, dir, domid) < (int)size ? 0
										   : -ENAMETOOLONG;
}

/* ---- the console ---- */

static int console_listen(const struct keeper_config *config)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || keeper_console_path(config->dir, config->domid, address.sun_path,
			      sizeof(address.sun_path)))
		return tool_error(0, "no room for the console's socket in '%s'", config->dir), -1;
	unlink(address.sun_path);
	umask(0177);
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 4))
		return fd;
	tool_error(0, "the console's socket '%s': %s", address.sun_path, strerror(errno));
	close(fd);
	return -1;
}

static void client_close(struct keeper *k)
{
	close(k->client);
	k->client = -1;
}

static void client_accept(struct keeper *k)
{
	int fd = accept4(k->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const char answer = k->client < 0 ? KEEPER_YOURS : KEEPER_BUSY;

	if (fd < 0)
		return;
	if (send(fd, &answer, 1, MSG_NOSIGNAL) == 1 && k->client < 0)
		k->client = fd;
	else
		close(fd);
}

static void client_read(struct keeper *k)
{
	ssize_t n = read(k->client, k->typed, sizeof(k->typed));

	if (n > 0)
		k->typed_count = (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client_close(k);
}

static void client_write(struct keeper *k)
{
	const char *text;
	size_t size = tail_peek(&k->printed, &text);
	ssize_t n = send(k->client, text, size, MSG_NOSIGNAL);

	if (n > 0)
		tail_drop(&k->printed, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		client_close(k);
}

/* Nonzero: there was something. */
static int guest_read(struct keeper *k)
{
	char text[4096];
	ssize_t n = read(k->from_guest, text, sizeof(text));

	if (n > 0)
		tail_put(&k->printed, text, (size_t)n);
	return n > 0;
}

static void guest_write(struct keeper *k)
{
	ssize_t n = write(k->to_guest, k->typed, k->typed_count);

	if (n <= 0)
		return;
	memmove(k->typed, k->typed + n, k->typed_count - (size_t)n);
	k->typed_count -= (size_t)n;
}

/* ---- one life ---- */

/* Sleeps until something happens. 1: the guest's process has ended, -1: the hypervisor has. */
static int step(struct keeper *k)
{
	enum { CONTROL, CHILD, LISTEN, OUTPUT, INPUT, CLIENT, COUNT };
	struct pollfd wait[COUNT] = {
		[CONTROL] = {.fd = k->control, .events = POLLIN},
		[CHILD] = {.fd = k->child, .events = POLLIN},
		[LISTEN] = {.fd = k->listen, .events = POLLIN},
		[OUTPUT] = {.fd = k->from_guest, .events = POLLIN},
		[INPUT] = {.fd = k->typed_count ? k->to_guest : -1, .events = POLLOUT},
		[CLIENT] = {.fd = k->client,
			.events = (short)((k->typed_count ? 0 : POLLIN) |
					  (k->printed.count ? POLLOUT : 0))},
	};

	if (poll(wait, COUNT, -1) < 0)
		return errno == EINTR ? 0 : -1;
	if (wait[OUTPUT].revents)
		guest_read(k);
	if (wait[INPUT].revents)
		guest_write(k);
	if (wait[CLIENT].revents & POLLOUT)
		client_write(k);
	if (k->client >= 0 && wait[CLIENT].revents & POLLIN)
		client_read(k);
	else if (k->client >= 0 && wait[CLIENT].revents & (POLLHUP | POLLERR))
		client_close(k);
	if (wait[LISTEN].revents)
		client_accept(k);
	if (wait[CONTROL].revents)
		return -1;
	return wait[CHILD].revents != 0;
}

/* SHUTDOWN_*, or -1 with *status a sysexits status. ready is closed. */
static int life(struct keeper *k, int ready, int *status)
{
	const struct kvm_guest guest = {
		.dir = k->config->dir,
		.domid = k->config->domid,
		.kvm = k->config->kvm,
		.console_in = STDIN_FILENO,
		.console_out = STDOUT_FILENO,
		.quiet = ready < 0,
		.ready_fd = ready,
	};
	pid_t pid = kvm_guest_fork(&guest);
	int over = 0, ended;

	if (ready >= 0)
		close(ready);
	*status = EX_OSERR;
	if (pid < 0)
		return -1;
	k->child = pidfd_open(pid, 0);
	while (k->child >= 0 && !over)
		over = step(k);
	if (over <= 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
		;
	vm_stats_remove(k->config->dir, k->config->domid);
	close(k->child);
	while (guest_read(k))
		;
	return kvm_guest_ended(ended, status);
}

/* ---- the domain's end ---- */

static void last_words(struct keeper *k)
{
	while (k->client >= 0 && k->printed.count) {
		struct pollfd wait = {.fd = k->client, .events = POLLOUT};

		if (poll(&wait, 1, LAST_WORDS_MS) <= 0)
			return;
		client_write(k);
	}
}

static int lives(struct keeper *k, int ready)
{
	int status, reason = life(k, ready, &status);

	while (reason == SHUTDOWN_reboot && !k->config->reboots_end) {
		fprintf(stderr, "pvring: the guest reboots\n");
		kvm_guest_devices_reset(k->config->dir, k->config->domid);
		reason = life(k, -1, &status);
	}
	if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
		fprintf(stderr, "pvring: the guest crashed\n");
	else if (reason >= 0)
		fprintf(stderr, "pvring: the guest has ended\n");
	else if (status > SIGNALLED)
		fprintf(stderr, "pvring: the guest's process was killed by signal %d\n",
			status - SIGNALLED);
	return reason >= 0 ? 0 : status;
}

/* ---- the process ---- */

static int pipes_open(struct keeper *k)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	k->to_guest = in[1];
	k->from_guest = out[0];
	fcntl(k->to_guest, F_SETFL, O_NONBLOCK);
	fcntl(k->from_guest, F_SETFL, O_NONBLOCK);
	if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
		return -errno;
	close(in[0]);
	close(out[1]);
	return 0;
}

static int keeper_main(const struct keeper_config *config, int ready)
{
	struct keeper *k = calloc(1, sizeof(*k));
	char path[128];
	int status = EX_OSERR;

	setsid();
	if (chdir("/"))
		return tool_error(EX_OSERR, "/: %s", strerror(errno));
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "pvring-keeper");
	if (!k || pipes_open(k))
		return tool_error(EX_OSERR, "no room for the guest's console: %s", strerror(errno));
	k->config = config;
	k->client = -1;
	k->control = pvr_hv_connect(config->dir);
	if (k->control < 0)
		return tool_no_hypervisor(config->dir, k->control);
	k->listen = console_listen(config);
	if (k->listen >= 0) {
		status = lives(k, ready);
		domain_destroy(config->dir, k->control, config->domid); /* may be gone already */
		last_words(k);
	}
	if (!keeper_console_path(config->dir, config->domid, path, sizeof(path)))
		unlink(path);
	free(k);
	return status;
}

/* What it said until it ended. */
static void log_show(const char *path)
{
	FILE *log = fopen(path, "re");
	char line[1024];

	while (log && fgets(line, sizeof(line), log))
		fputs(line, stderr);
	if (log)
		fclose(log);
	unlink(path);
}

int keeper_start(const struct keeper_config *config)
{
	char path[256], byte;
	int ready[2], log, status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s.log", config->dir, config->name);
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log < 0)
		return tool_error(EX_CANTCREAT, "'%s': %s", path, strerror(errno));
	if (pipe2(ready, O_CLOEXEC))
		return tool_error(EX_OSERR, "pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(log, STDERR_FILENO);
		close(log);
		close(ready[0]);
		_exit(keeper_main(config, ready[1]));
	}
	close(log);
	close(ready[1]);
	if (pid < 0)
		return tool_error(EX_OSERR, "fork: %s", strerror(errno));
	status = read(ready[0], &byte, 1) == 1 ? 0 : -1;
	close(ready[0]);
	if (!status)
		return 0;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || !WEXITSTATUS(status))
		status = tool_error(EX_SOFTWARE, "the guest's process ended at once");
	else
		status = WEXITSTATUS(status);
	log_show(path);
	return status;
}
