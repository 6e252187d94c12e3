/* SPDX-License-Identifier: MIT */
/* pvring console: a guest's console on the terminal, through the socket of its keeper. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "args.h"
#include "keeper.h"
#include "terminal.h"

static volatile sig_atomic_t caught;

static void on_signal(int signal_number)
{
	caught = signal_number;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR && !caught)
			continue;
		if (n <= 0)
			return -1;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Nonzero: it is over. */
static int from_user(int console, int raw, int *input)
{
	char text[256], *leave = NULL;
	ssize_t n = read(*input, text, sizeof(text));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0) {
		*input = -1; /* whoever gave us this goes on reading */
		return raw;
	}
	if (raw)
		leave = memchr(text, TERMINAL_LEAVE, (size_t)n);
	return write_all(console, text, leave ? (size_t)(leave - text) : (size_t)n) || leave;
}

static int from_guest(int console)
{
	char text[4096];
	ssize_t n = read(console, text, sizeof(text));

	if (n < 0 && errno == EINTR)
		return 0;
	return n <= 0 || write_all(STDOUT_FILENO, text, (size_t)n);
}

static void talk(int console, int raw)
{
	int input = STDIN_FILENO, over = 0;

	while (!over && !caught) {
		struct pollfd wait[] = {
			{.fd = console, .events = POLLIN}, {.fd = input, .events = POLLIN}};

		if (poll(wait, 2, -1) < 0)
			continue;
		if (wait[0].revents)
			over = from_guest(console);
		if (wait[1].revents && !over)
			over = from_user(console, raw, &input);
	}
}

/* A descriptor, or the negative of a sysexits status, said. */
static int console_open(const char *dir, uint32_t domid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer = 0;

	if (fd < 0 || keeper_console_path(dir, domid, address.sun_path, sizeof(address.sun_path)))
		return -tool_error(EX_OSERR, "no socket: the name '%s' is too long", dir);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = errno;

		close(fd);
		if (err == ENOENT || err == ECONNREFUSED)
			return -tool_error(EX_UNAVAILABLE,
				"domain %u has no console: those of 'pvring create FILE' have one",
				domid);
		return -tool_error(err == EACCES ? EX_NOPERM : EX_OSERR, "'%s': %s",
			address.sun_path, strerror(err));
	}
	if (read(fd, &answer, 1) == 1 && answer == KEEPER_YOURS)
		return fd;
	close(fd);
	if (answer == KEEPER_BUSY)
		return -tool_error(
			EX_TEMPFAIL, "somebody else has the console of domain %u", domid);
	return -tool_error(EX_UNAVAILABLE, "the guest has ended");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return verb_args_parse(state->input, key, arg, state);
}

int verb_console(int argc, char **argv)
{
	static const struct argp_option keys[] = {DIR_OPTION, {0}};
	static const struct argp argp = {keys, parse, "DOMAIN",
		"The console of a guest that 'pvring create FILE' started: what it has printed and "
		"nobody has read (the "
		"last 64 KiB), then what it prints; keys go to the guest. On a terminal Ctrl-] "
		"leaves it; the guest goes on. "
		"One at a time.",
		NULL, NULL, NULL};
	struct verb_args args = {.operands = 1};
	struct sigaction action = {.sa_handler = on_signal};
	struct pvr_hv_domain domain;
	struct termios before;
	int rc, raw, console;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.operand[0])
		return tool_error(EX_USAGE, "which domain? 'pvring list' shows them");
	int control = verb_args_connect(&args);

	rc = domain_find(control, args.operand[0], &domain);
	close(control);
	if (rc == -ENOENT)
		return tool_error(
			EX_NOINPUT, "no domain '%s'; 'pvring list' shows them", args.operand[0]);
	if (rc)
		return tool_no_hypervisor(verb_args_dir(&args), rc);
	console = console_open(verb_args_dir(&args), domain.domid);
	if (console < 0)
		return -console;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	raw = terminal_raw(&before);
	if (raw)
		fprintf(stderr, "pvring: the console of '%s'; Ctrl-] leaves it\n", domain.name);
	talk(console, raw);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	close(console);
	return 0;
}
