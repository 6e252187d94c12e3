/* SPDX-License-Identifier: MIT */
/* A guest from its files to its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal.h"

int vm_fail(struct why *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return err;
}

static void vm_init(
	struct vm *vm, const struct machine *machine, const struct pvr_machine_config *config)
{
	*vm = (struct vm){.machine = machine, .config = config, .reason = -1};
	vm->control = vm->memory_fd = vm->epoll = vm->look_fd = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->control_lock, NULL);
	for (unsigned i = 0; i < PVR_MACHINE_VCPUS_MAX; i++) {
		vm->vcpu[i] = (struct vcpu){.vm = vm, .index = i, .timer = -1};
		pthread_mutex_init(&vm->vcpu[i].running, NULL);
	}
}

void vm_mode_say(struct vm *vm, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vm->stats->mode, sizeof(vm->stats->mode), format, args);
	va_end(args);
	if (!vm->config->quiet)
		fprintf(stderr, "pvring: %s\n", vm->stats->mode);
}

/* Everything that may fail, before anything of the guest runs. */
static int prepare(struct vm *vm, struct vm_files *files, struct why *why)
{
	int err = vm_files_read(vm, files, why);

	if (!err)
		err = vm->machine->open(vm, why);
	if (!err)
		err = vm_attach(vm, why);
	if (err)
		return err;
	vm->stats = vm_stats_new(vm->dir, vm->config->domid);
	if (!vm->stats)
		return vm_fail(why, -ENOMEM, "no memory");
	vm->stats->vcpus = vm->boot.vcpus;
	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++) {
		vm->vcpu[i].info = vm->memory + VM_PAGE * PVR_HV_FRAME_SHARED_INFO +
				   i * sizeof(struct vcpu_info);
		err = vm_timer_open(&vm->vcpu[i]);
	}
	if (err)
		return vm_fail(why, err, "timers: %s", strerror(-err));
	err = vm->machine->load(vm, files, why);
	if (err)
		return err;
	vm_wall_clock(vm);
	err = vm_events_open(vm);
	return err ? vm_fail(why, err, "event channels: %s", strerror(-err)) : 0;
}

/* Confined when all threads are there, but before one of them enters the guest, for which it needs `running`. */
static int threads_start(struct vm *vm, struct why *why)
{
	int err = 0;

	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		pthread_mutex_lock(&vm->vcpu[i].running);
	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++) {
		err = pthread_create(&vm->vcpu[i].thread, NULL, vm->machine->run, &vm->vcpu[i]);
		vm->vcpu[i].started = !err;
	}
	if (err)
		err = vm_fail(why, -err, "no thread for a CPU: %s", strerror(err));
	else if (vm->machine->confine(vm))
		err = vm_fail(why, -ENOTSUP, "the process cannot be confined: no seccomp here");
	if (err)
		vm_stop(vm, 0);
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		pthread_mutex_unlock(&vm->vcpu[i].running);
	return err;
}

/* Nothing can fail any more. */
static void ready_say(const struct pvr_machine_config *config)
{
	if (config->ready_fd < 0)
		return;
	ssize_t n = write(config->ready_fd, "", 1);

	(void)n; /* whoever started us has gone */
}

static void threads_join(struct vm *vm)
{
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		if (vm->vcpu[i].started)
			pthread_join(vm->vcpu[i].thread, NULL);
}

int vm_run(const struct machine *machine, const struct pvr_machine_config *config, char *text,
	size_t size)
{
	struct why why = {text, size};
	struct vm *vm = malloc(sizeof(*vm));
	struct vm_files files = {0};
	int err;

	if (!vm)
		return vm_fail(&why, -ENOMEM, "no memory");
	vm_init(vm, machine, config);
	prctl(PR_SET_NAME, "pvring-guest");
	err = pvr_hv_dir(config->dir, vm->dir, sizeof(vm->dir));
	if (err)
		vm_fail(&why, err, "the name of the hypervisor's directory is too long");
	else
		err = prepare(vm, &files, &why);
	vm_files_free(&files);
	if (!err)
		err = vm_console_open(vm, &why);
	if (!err)
		err = threads_start(vm, &why);
	if (!err) {
		ready_say(config);
		vm_events_run(vm);
	} else {
		vm_stop(vm, 0);
	}
	threads_join(vm);
	vm_console_close(vm);
	vm_stats_free(vm->stats, vm->dir, config->domid);
	vm_free(vm);
	vm_events_close(vm);
	if (!err)
		err = vm->reason;
	free(vm);
	return err;
}
