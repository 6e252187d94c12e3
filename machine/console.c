/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: its ring page on one side, two descriptors on the other. A thread of its own, because
 * a terminal may stop taking output and no event must wait for that. On a terminal Ctrl-] leaves.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pvring/xen/console.h>

#include "internal.h"

#define LEAVE '\x1d' /* Ctrl-] */

struct console {
	struct vm *vm;
	pthread_t thread;
	int started;
	int in, out;
	int kick; /* eventfd */
	int terminal;
	_Atomic int stop;
	int broken;
	char typed[256]; /* not in the ring yet */
	size_t typed_count;
};

static struct xencons_interface *page(struct console *c)
{
	return (void *)(c->vm->memory + PVR_HV_FRAME_CONSOLE * VM_PAGE);
}

static XENCONS_RING_IDX load(const XENCONS_RING_IDX *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void store(XENCONS_RING_IDX *index, XENCONS_RING_IDX value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* A terminal that takes nothing makes us wait; a pseudo-terminal without a reader loses text. */
static void text_write(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

static void broken(struct console *c, const char *what)
{
	c->broken = 1;
	fprintf(stderr, "pvring: the guest's console page is not one: %s\r\n", what);
}

/* What the guest printed. Nonzero: there was something. */
static int take_output(struct console *c)
{
	struct xencons_interface *ring = page(c);
	XENCONS_RING_IDX cons = ring->out_cons, prod = load(&ring->out_prod);
	char text[sizeof(ring->out)];
	size_t size = 0;

	if (prod - cons > sizeof(ring->out)) {
		broken(c, "more output than it has room for");
		return 0;
	}
	for (; cons != prod; cons++)
		text[size++] = ring->out[MASK_XENCONS_IDX(cons, ring->out)];
	store(&ring->out_cons, cons);
	text_write(c->out, text, size);
	return size > 0;
}

/* Into the ring, as much as has room. Nonzero: there was something. */
static int give_input(struct console *c)
{
	struct xencons_interface *ring = page(c);
	XENCONS_RING_IDX prod = ring->in_prod, cons = load(&ring->in_cons);
	size_t given = 0;

	if (prod - cons > sizeof(ring->in)) {
		broken(c, "more input than it has room for");
		return 0;
	}
	while (given < c->typed_count && prod - cons < sizeof(ring->in))
		ring->in[MASK_XENCONS_IDX(prod++, ring->in)] = c->typed[given++];
	memmove(c->typed, c->typed + given, c->typed_count - given);
	c->typed_count -= given;
	store(&ring->in_prod, prod);
	return given > 0;
}

static void read_input(struct console *c)
{
	ssize_t n = read(c->in, c->typed, sizeof(c->typed));

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO))
		return; /* EIO: a pseudo-terminal that nobody has open */
	if (n <= 0) {
		c->in = -1;
		return;
	}
	if (c->terminal && memchr(c->typed, LEAVE, (size_t)n)) {
		vm_stop(c->vm, PVR_MACHINE_LEFT);
		return;
	}
	c->typed_count = (size_t)n;
}

static void *console_thread(void *arg)
{
	struct console *c = arg;

	while (!c->stop) {
		int wants_input = c->in >= 0 && !c->typed_count;
		struct pollfd wait[] = {{.fd = c->kick, .events = POLLIN},
			{.fd = wants_input ? c->in : -1, .events = POLLIN}};
		uint64_t count;

		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			break;
		if (wait[0].revents && read(c->kick, &count, sizeof(count)) < 0)
			continue;
		if (wait[1].revents & POLLIN)
			read_input(c);
		else if (wait[1].revents && !c->terminal && !(wait[1].revents & POLLHUP))
			c->in = -1;
		else if (wait[1].revents & POLLHUP)
			usleep(100000); /* a pseudo-terminal that nobody has open */
		if (c->broken)
			continue;
		if (take_output(c) | give_input(c))
			vm_port_raise(c->vm, c->vm->console_port);
	}
	return NULL;
}

int vm_console_open(struct vm *vm, struct why *why)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return vm_fail(why, -ENOMEM, "no memory");
	*c = (struct console){
		.vm = vm, .in = vm->config->console_in, .out = vm->config->console_out};
	c->terminal = c->in >= 0 && isatty(c->in);
	c->kick = eventfd(0, EFD_CLOEXEC);
	vm->console = c;
	if (c->kick < 0)
		return vm_fail(why, -errno, "the console: %s", strerror(errno));
	int err = pthread_create(&c->thread, NULL, console_thread, c);

	c->started = !err;
	return err ? vm_fail(why, -err, "the console: %s", strerror(err)) : 0;
}

void vm_console_close(struct vm *vm)
{
	struct console *c = vm->console;

	if (!c)
		return;
	c->stop = 1;
	if (c->started) {
		vm_console_kick(vm);
		pthread_join(c->thread, NULL);
		if (!c->broken)
			take_output(c);
	}
	if (c->kick >= 0)
		close(c->kick);
	free(c);
	vm->console = NULL;
}

void vm_console_kick(struct vm *vm)
{
	uint64_t one = 1;
	ssize_t n = write(vm->console->kick, &one, sizeof(one));

	(void)n;
}

void vm_console_text(struct vm *vm, const char *text, size_t size)
{
	text_write(vm->config->console_out, text, size);
}
