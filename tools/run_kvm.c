/* SPDX-License-Identifier: MIT */
/* See run_kvm.h. */
#include "run_kvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <pvring/kvm.h>
#include <pvring/pv.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/xenbus.h>

#include "../machine/stats.h"
#include "terminal.h"
#include "tools.h"

/* Exit statuses of the child: sysexits' are from 64 to 78, so the reasons of an end stand above. */
#define ENDED            128
#define CLOSE_TIMEOUT_MS 10000
#define READY_FD         3 /* in the child */

enum { MACHINE = 0x400, KERNEL, INITRD, APPEND, VCPUS };

static const struct argp_option keys[] = {
	{NULL, 0, NULL, 0, "A kernel as the guest, instead of a command:", 5},
	{"machine", MACHINE, "MACHINE", 0,
		"process (the default): a command, or a kernel with a PV entry; kvm: a kernel with "
		"a PVH entry",
		5},
	{"kernel", KERNEL, "FILE", 0, "an x86 kernel: ELF or bzImage", 5},
	{"initrd", INITRD, "FILE", 0, "its initial RAM disk", 5},
	{"append", APPEND, "TEXT", 0, "its command line (default with kvm: console=hvc0)", 5},
	{"vcpus", VCPUS, "N", 0, "its virtual CPUs, 1 to 32 (default 1; more with kvm alone)", 5},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_kvm *kvm = state->input;
	uint64_t n;

	switch (key) {
	case MACHINE:
		if (strcmp(arg, "kvm") && strcmp(arg, "process"))
			argp_failure(state, EX_USAGE, 0, "--machine %s: kvm or process", arg);
		kvm->on = !strcmp(arg, "kvm");
		return 0;
	case KERNEL:
		kvm->kernel = arg;
		return 0;
	case INITRD:
		kvm->initrd = arg;
		return 0;
	case APPEND:
		kvm->append = arg;
		return 0;
	case VCPUS:
		if (tool_number(arg, 1, PVR_MACHINE_VCPUS_MAX, &n))
			argp_failure(state, EX_USAGE, 0, "--vcpus %s: a number from 1 to %u", arg,
				PVR_MACHINE_VCPUS_MAX);
		else
			kvm->vcpus = (uint32_t)n;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp run_kvm_argp = {keys, parse, NULL, NULL, NULL, NULL, NULL};

int run_kvm_check(const struct run_kvm *kvm, int has_command)
{
	if (!kvm->on && !kvm->kernel && (kvm->initrd || kvm->append || kvm->vcpus))
		return tool_error(EX_USAGE, "--initrd, --append and --vcpus need --kernel FILE");
	if (kvm->kernel && has_command)
		return tool_error(EX_USAGE, "--kernel runs a kernel, not a command");
	if (kvm->on && has_command)
		return tool_error(EX_USAGE, "--machine kvm runs a kernel, not a command");
	if (kvm->on && !kvm->kernel)
		return tool_error(EX_USAGE, "--machine kvm needs a kernel: --kernel FILE");
	return 0;
}

/* The sysexits status of a run that failed. */
static int failed_status(int err)
{
	switch (err) {
	case -ENOEXEC:
		return EX_DATAERR;
	case -ENOENT:
		return EX_NOINPUT;
	case -EACCES:
		return EX_NOPERM;
	case -ENOTSUP:
		return EX_UNAVAILABLE;
	case -ENOMEM:
	case -E2BIG:
		return EX_USAGE;
	default:
		return tool_status(err);
	}
}

pid_t kvm_guest_fork(const struct kvm_guest *guest)
{
	const struct pvr_machine_config config = {
		.dir = guest->dir,
		.domid = guest->domid,
		.kernel = guest->kvm->kernel,
		.initrd = guest->kvm->initrd,
		.cmdline = guest->kvm->append ? guest->kvm->append
			   : guest->kvm->on   ? "console=hvc0"
					      : "",
		.console_in = guest->console_in,
		.console_out = guest->console_out,
		.quiet = guest->quiet,
		.ready_fd = guest->ready_fd < 0 ? -1 : READY_FD,
	};
	pid_t parent = getpid(), child;
	char why[512];

	fflush(NULL);
	child = fork();
	if (child)
		return child;
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_UNAVAILABLE);
	/* A guest that takes this process over must not find its parent's connections in it. */
	if (guest->ready_fd >= 0)
		dup2(guest->ready_fd, READY_FD);
	close_range(guest->ready_fd < 0 ? READY_FD : READY_FD + 1, ~0u, 0);

	int rc = guest->kvm->on ? pvr_kvm_run(&config, why, sizeof(why))
				: pvr_pv_run(&config, why, sizeof(why));

	if (rc >= 0)
		_exit(ENDED + rc);
	_exit(tool_error(failed_status(rc), "%s", why));
}

int kvm_guest_ended(int wait_status, int *status)
{
	if (WIFSIGNALED(wait_status)) {
		*status = 128 + WTERMSIG(wait_status);
		return -1;
	}
	if (WEXITSTATUS(wait_status) >= ENDED)
		return WEXITSTATUS(wait_status) - ENDED;
	*status = WEXITSTATUS(wait_status);
	return -1;
}

/* Backends of the last life are done when they say Closed, or InitWait, which follows. */
static int backend_is_done(struct pvr_host *host, const char *front)
{
	char path[256], back[192], state[16] = "";

	snprintf(path, sizeof(path), "%s/backend", front);
	if (pvr_host_store_read(host, 0, path, back, sizeof(back)) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/state", back);
	if (pvr_host_store_read(host, 0, path, state, sizeof(state)) < 0)
		return 1;
	return atoi(state) == XenbusStateClosed || atoi(state) == XenbusStateInitWait ||
	       atoi(state) == XenbusStateInitialising;
}

/* What the toolstack wrote stays; what the frontend wrote goes with it. */
static void front_clean(struct pvr_host *host, const char *front)
{
	static const char *const kept[] = {"backend", "backend-id", "virtual-device", "device-type",
		"handle", "mac", "mtu", "trusted", "state"};
	char names[2048], path[256];
	int length = pvr_host_store_list(host, 0, front, names, sizeof(names));

	for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
		size_t i = 0;

		while (i < sizeof(kept) / sizeof(kept[0]) && strcmp(kept[i], names + at))
			i++;
		if (i < sizeof(kept) / sizeof(kept[0]))
			continue;
		snprintf(path, sizeof(path), "%s/%s", front, names + at);
		pvr_host_store_rm(host, 0, path);
	}
}

static void front_reset(struct pvr_host *host, const char *front)
{
	struct timespec pause = {.tv_nsec = 5000000};
	char path[256];

	for (int ms = 0; ms < CLOSE_TIMEOUT_MS && !backend_is_done(host, front); ms += 5)
		nanosleep(&pause, NULL);
	front_clean(host, front);
	snprintf(path, sizeof(path), "%s/state", front);
	pvr_host_store_write(host, 0, path, "1");
}

int kvm_guest_devices_reset(const char *dir, uint32_t domid)
{
	static const char *const classes[] = {"vbd", "vif"};
	char names[2048], path[128], front[192];
	struct pvr_host *host;
	int rc = pvr_host_open(dir, &host);

	if (rc)
		return rc;
	for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++) {
		snprintf(path, sizeof(path), "/local/domain/%u/device/%s", domid, classes[c]);
		int length = pvr_host_store_list(host, 0, path, names, sizeof(names));

		for (int at = 0; at < length; at += (int)strlen(names + at) + 1) {
			snprintf(front, sizeof(front), "%s/%.40s", path, names + at);
			front_reset(host, front);
		}
	}
	pvr_host_close(host);
	return 0;
}

static int one_life(struct ephemeral *system, struct kvm_guest *guest,
	const volatile sig_atomic_t *caught, int *status)
{
	pid_t child = kvm_guest_fork(guest);

	if (child < 0) {
		*status = tool_error(EX_OSERR, "fork: %s", strerror(errno));
		return -1;
	}
	system->guest = child;
	/* A signal that came before that has not reached it. */
	if (*caught)
		kill(child, SIGKILL);
	int ended = ephemeral_wait(system, child);

	system->guest = 0;
	vm_stats_remove(system->dir, system->domid);
	if (ended >= 0)
		return kvm_guest_ended(ended, status);
	*status = tool_error(EX_OSERR, "wait: %s", strerror(errno));
	return -1;
}

int run_kvm(
	struct ephemeral *system, const struct run_kvm *kvm, const volatile sig_atomic_t *caught)
{
	struct kvm_guest guest = {
		.dir = system->dir,
		.domid = system->domid,
		.kvm = kvm,
		.console_in = STDIN_FILENO,
		.console_out = STDOUT_FILENO,
		.ready_fd = -1,
	};
	struct termios before;
	int raw = terminal_raw(&before), reason, status = 0;

	if (raw)
		fprintf(stderr, "pvring: the guest's console; Ctrl-] ends it\n");
	for (;;) {
		reason = one_life(system, &guest, caught, &status);
		if (reason != SHUTDOWN_reboot || *caught)
			break;
		fprintf(stderr, "pvring: the guest reboots\n");
		kvm_guest_devices_reset(system->dir, system->domid);
		guest.quiet = 1;
	}
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (reason < 0)
		return status;
	if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
		return tool_error(1, "the guest crashed");
	return 0;
}
