/* SPDX-License-Identifier: MIT */
/* One life of a guest kernel for a benchmark, in a system of its own; and what it said. */
#include "pv_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <pvring/xen/sched.h>

#include "../tools/run_kvm.h"
#include "../tools/tools.h"

#define PATIENCE_MS 60000

const struct argp_option pv_options[] = {PV_OPTIONS};

error_t pv_bench_parse(int key, char *arg, struct argp_state *state)
{
	struct pv_bench *b = state->input;

	if (key != 'k')
		return bench_args_parse(&b->args, key, arg, state);
	b->kernel = arg;
	return 0;
}

/* ---- which kernels ---- */

static void kernel_add(struct pv_bench *b, const char *path, const char *name)
{
	snprintf(b->kernels[b->count].path, sizeof(b->kernels[0].path), "%s", path);
	snprintf(b->kernels[b->count].name, sizeof(b->kernels[0].name), "%s", name);
	b->count++;
}

static int kernels_find(struct pv_bench *b)
{
	static const char *const names[PV_KERNELS_MAX] = {"x86_64", "i386"};
	char self[PATH_MAX - 32], path[PATH_MAX];
	ssize_t length;

	if (b->kernel) {
		const char *name = strrchr(b->kernel, '/');

		if (access(b->kernel, R_OK))
			return tool_error(EX_NOINPUT, "%s: %s", b->kernel, strerror(errno));
		kernel_add(b, b->kernel, name ? name + 1 : b->kernel);
		return 0;
	}
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length < 0 ? 0 : length] = '\0';
	char *end = strrchr(self, '/');

	for (unsigned i = 0; end && i < PV_KERNELS_MAX; i++) {
		snprintf(path, sizeof(path), "%.*s/guest-%s", (int)(end - self), self, names[i]);
		if (!access(path, R_OK))
			kernel_add(b, path, names[i]);
	}
	if (!b->count)
		return tool_error(EX_NOINPUT, "no guest kernel beside this program: make guest, or "
					      "name one by --kernel FILE");
	return 0;
}

int pv_bench_begin(struct pv_bench *b, const char *doc, int argc, char **argv)
{
	const struct argp argp = {pv_options, pv_bench_parse, NULL, doc, NULL, NULL, NULL};

	*b = (struct pv_bench){.args.rounds = b->args.rounds};
	argp_parse(&argp, argc, argv, 0, NULL, b);
	return kernels_find(b);
}

/* ---- a life ---- */

struct line_reader {
	const struct pv_watch *watch;
	const struct ephemeral *system;
	size_t told; /* of what it said, in whole lines */
};

static void lines_tell(struct line_reader *r, struct pv_life *life, pid_t guest)
{
	char *end;

	while ((end = memchr(life->said + r->told, '\n', life->size - r->told))) {
		const char *line = life->said + r->told;

		r->told = (size_t)(end + 1 - life->said);
		if (r->watch)
			r->watch->heard(r->watch->arg, life, line, guest, r->system->hypervisor);
	}
}

/* Until the guest's end of the pipe closes. Nonzero: it is silent for too long, or says too much. */
static int listen_to(struct line_reader *r, int from, struct pv_life *life, pid_t guest)
{
	struct pollfd wait = {.fd = from, .events = POLLIN};

	while (poll(&wait, 1, PATIENCE_MS) > 0) {
		size_t room = sizeof(life->said) - 1 - life->size;
		ssize_t n = room ? read(from, life->said + life->size, room) : -1;

		if (n <= 0)
			return n < 0;
		life->size += (size_t)n;
		life->said[life->size] = '\0';
		lines_tell(r, life, guest);
	}
	return 1;
}

/* The console is descriptor 1 of the guest's process, which has no others of ours. */
static pid_t guest_start(const struct kvm_guest *guest, int console, struct pv_life *life)
{
	int out = dup(STDOUT_FILENO);

	fflush(stdout);
	dup2(console, STDOUT_FILENO);
	life->fork_ns = bench_now_ns();
	life->fork_tsc = __rdtsc();
	pid_t child = kvm_guest_fork(guest);

	dup2(out, STDOUT_FILENO);
	close(out);
	return child;
}

static int guest_run(struct ephemeral *system, const struct run_kvm *kvm,
	const struct pv_watch *watch, struct pv_life *life)
{
	const struct kvm_guest guest = {.dir = system->dir,
		.domid = system->domid,
		.kvm = kvm,
		.console_in = -1,
		.console_out = STDOUT_FILENO,
		.quiet = 1,
		.ready_fd = -1};
	struct line_reader reader = {.watch = watch, .system = system};
	int pipe_fds[2], status = 0;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return tool_error(EX_OSERR, "pipe: %s", strerror(errno));
	pid_t child = guest_start(&guest, pipe_fds[1], life);

	close(pipe_fds[1]);
	if (child > 0 && listen_to(&reader, pipe_fds[0], life, child))
		kill(child, SIGKILL);
	close(pipe_fds[0]);
	life->ticks_per_ns =
		(double)(__rdtsc() - life->fork_tsc) / (double)(bench_now_ns() - life->fork_ns);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return tool_error(EX_OSERR, "no process for the guest: %s", strerror(errno));
	if (kvm_guest_ended(status, &status) == SHUTDOWN_poweroff)
		return 0;
	return tool_error(EX_SOFTWARE, "the guest kernel did not finish; it said:\n%s", life->said);
}

/* What daemons and guest say on stderr goes to a file, and is of interest when something failed. */
static int log_begin(int *before)
{
	int log = memfd_create("log", MFD_CLOEXEC);

	*before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(log, STDERR_FILENO);
	return log;
}

static void log_end(int log, int before, int failed)
{
	char text[4096];
	ssize_t n;

	dup2(before, STDERR_FILENO);
	close(before);
	lseek(log, 0, SEEK_SET);
	while (failed && (n = read(log, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(log);
}

int pv_life_run(const char *kernel, const char *command_line, uint64_t disk_bytes,
	const struct pv_watch *watch, struct pv_life *life)
{
	const struct run_kvm kvm = {.kernel = kernel, .append = command_line, .vcpus = 1};
	struct disk_spec disk = {.type = DISK_MEM, .bytes = disk_bytes};
	struct ephemeral system;
	int before, log = log_begin(&before);

	*life = (struct pv_life){.prepared_ns = bench_now_ns()};
	int rc = ephemeral_start(&system, &disk, disk_bytes != 0, PV_MEMORY, 1);

	life->prepared_ns = bench_now_ns() - life->prepared_ns;
	if (!rc) {
		rc = guest_run(&system, &kvm, watch, life);
		ephemeral_stop(&system);
	}
	log_end(log, before, rc);
	return rc;
}

/* ---- figures ---- */

double pv_figure(const struct pv_life *life, const char *what, const char *name)
{
	char head[64], key[64];

	snprintf(head, sizeof(head), "bench: %s ", what);
	snprintf(key, sizeof(key), " %s=", name);
	for (const char *at = life->said; (at = strstr(at, head)); at++) {
		const char *end = strchr(at, '\n'), *found = strstr(at, key);

		if (found && end && found < end)
			return strtod(found + strlen(key), NULL);
	}
	exit(tool_error(EX_DATAERR, "the kernel does not say '%s%s': is it of this version?", head,
		key + 1));
}

double pv_cpu_of(pid_t pid)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void pv_row_add(struct bench_row *row, double value)
{
	row->value[row->rounds++] = value;
}
