/* SPDX-License-Identifier: MIT */
/* pvring run: a command as a guest, on an ephemeral system of its own. */
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/kvm.h>

#include "net.h"
#include "run_kvm.h"

#define DISKS_MAX 26u

struct run {
	struct disk_spec disks[DISKS_MAX];
	unsigned count;
	struct net_spec nets[NETS_MAX];
	unsigned nets_count;
	uint64_t memory;
	struct run_kvm kvm;
	char **command;
};

static const struct argp_option keys[] = {
	{"disk", 'd', "SPEC", 0, "a disk for the guest; may be given again", 0},
	{"net", 'n', "SPEC", 0, "a network interface for COMMAND, eth0; again: eth1, ...", 0},
	{"memory", 'm', "SIZE", 0, "the guest's memory (default 64M, with --machine kvm 256M)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	char why[512];

	switch (key) {
	case 'd':
		if (run->count == DISKS_MAX)
			argp_failure(state, EX_USAGE, 0, "more than %u disks", DISKS_MAX);
		else if (disk_spec_parse(arg, &run->disks[run->count++], why, sizeof(why)))
			argp_failure(state, EX_USAGE, 0, "--disk %s: %s", arg, why);
		return 0;
	case 'n':
		if (run->nets_count == NETS_MAX)
			argp_failure(state, EX_USAGE, 0, "more than %u networks", NETS_MAX);
		else if (net_spec_parse(arg, &run->nets[run->nets_count++], why, sizeof(why)))
			argp_failure(state, EX_USAGE, 0, "--net %s: %s", arg, why);
		return 0;
	case 'm':
		if (tool_size(arg, &run->memory) || run->memory < 1 << 20 ||
			run->memory > 1ull << 40 || run->memory % 4096)
			argp_failure(state, EX_USAGE, 0,
				"--memory %s: a size from 1M to 1024G, a multiple of 4096 bytes",
				arg);
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &run->kvm;
		return 0;
	case ARGP_KEY_ARGS:
		run->command = state->argv + state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static volatile sig_atomic_t caught;
static volatile pid_t command_pid;
static struct ephemeral *volatile running;

/* A signal that the terminal sent has reached the command too; one that a process sent us is passed
 * on. */
static void forward(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	caught = signal_number;
	if (command_pid > 0 && info->si_code != SI_KERNEL)
		kill(command_pid, signal_number);
	if (running && running->guest > 0)
		kill(running->guest, SIGKILL);
}

static const int passed[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
#define PASSED (sizeof(passed) / sizeof(passed[0]))

static void catch_signals(void)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < PASSED; i++)
		sigaction(passed[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* In the child: what comes before the exec ends it, as it does after. */
static void uncatch_signals(void)
{
	for (size_t i = 0; i < PASSED; i++)
		signal(passed[i], SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

/* The command's exit status (NULL: one that waits to be killed), or 128 and its signal as a shell has it. */
static int run_command(struct ephemeral *system, char **command)
{
	sigset_t all, before;
	int status;
	pid_t child;

	/* No signal between the fork and the moment the handler knows whom to pass it to. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (caught) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return 0;
	}
	child = fork();
	if (child == 0) {
		while (!command && !caught)
			sigsuspend(&before);
		if (!command)
			_exit(0);
		uncatch_signals();
		sigprocmask(SIG_SETMASK, &before, NULL);
		status = ephemeral_net_join(system);
		if (status)
			_exit(status);
		execvp(command[0], command);
		tool_error(0, "%s: %s", command[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	command_pid = child;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return tool_error(EX_OSERR, "fork: %s", strerror(errno));
	status = ephemeral_wait(system, child);
	if (status < 0)
		return tool_error(EX_OSERR, "wait: %s", strerror(errno));
	command_pid = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Without a command: say how to reach the system, and wait for a signal. */
static int serve(struct ephemeral *system)
{
	printf("export %s=%s %s=%u XENSTORED_PATH=%s/%s\n", PVR_HV_ENV_DIR, system->dir,
		PVR_HV_ENV_DOMID, system->domid, system->dir, PVR_XS_SOCKET);
	fflush(stdout);
	fprintf(stderr, "pvring run: ready; give this line to another shell, end with Ctrl-C\n");
	if (system->pump)
		fprintf(stderr, "pvring run: its network: nsenter --target %d %s--net\n", system->pump,
			geteuid() ? "--user --preserve-credentials " : "");
	run_command(system, NULL);
	return 0;
}

int verb_run(int argc, char **argv)
{
	static char doc[4096];
	static const struct argp_child children[] = {{&run_kvm_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		keys, parse, "[-- COMMAND [ARGUMENT...]]", doc, children, NULL, NULL};
	struct run run = {0};
	struct ephemeral system;
	int rc;

	snprintf(doc, sizeof(doc),
		"Start a hypervisor and a backend of its own, create a domain with the disks "
		"named, run COMMAND "
		"attached to it, end everything, and return COMMAND's exit status. The command "
		"finds the domain "
		"through PVRING_DIR and PVRING_DOMID, and the xenstore tools through "
		"XENSTORED_PATH. Without "
		"COMMAND the system stays until Ctrl-C.\n\nWith --net COMMAND runs in a network "
		"namespace of its own, with eth0 of a domain of its own (guest-net) whose frontend, "
		"ring and backend lead out. Without root that is a user namespace too, where COMMAND is root.\v%s\n%s\nExamples:\n"
		"  pvring run --disk mem=64M -- pvring blk verify\n"
		"  pvring run --disk disk.img,readonly=on -- nbdkit -U - pvring --run 'nbdcopy "
		"\"$uri\" out.img'\n"
		"  pvring run --disk null=1G -- xenstore-ls -f\n"
		"  pvring run --net tap,bridge=br0,ip=10.0.0.2/24 -- ping 10.0.0.1\n"
		"  pvring run --net user -- curl http://deb.debian.org/debian/README",
		disk_spec_help, net_spec_help);
	argp_parse(&argp, argc, argv, 0, NULL, &run);
	rc = run_kvm_check(&run.kvm, run.command != NULL);
	if (rc)
		return rc;
	if (!run.memory)
		run.memory = run.kvm.on ? 256 << 20 : 64 << 20;
	if (run.kvm.on)
		run.memory = pvr_kvm_memory_bytes(run.memory);
	if (run.kvm.kernel)
		run.kvm.vcpus = run.kvm.vcpus ? run.kvm.vcpus : 1;
	catch_signals();
	rc = ephemeral_start(&system, run.disks, run.count, run.memory, run.kvm.vcpus);
	if (rc)
		return rc;
	running = &system;
	if (run.nets_count)
		rc = ephemeral_net(&system, run.nets, run.nets_count, !run.kvm.kernel);
	if (!caught && !rc && run.kvm.kernel)
		rc = run_kvm(&system, &run.kvm, &caught);
	else if (!caught && !rc)
		rc = run.command ? run_command(&system, run.command) : serve(&system);
	ephemeral_stop(&system);
	if (caught && !run.command && !run.kvm.kernel)
		return 0;
	return caught && !rc ? 128 + caught : rc;
}
