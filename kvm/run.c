/* SPDX-License-Identifier: MIT */
/* A guest from its files to its end. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal.h"

int kvm_fail(struct why *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return err;
}

static void vm_init(struct vm *vm, const struct pvr_kvm_config *config)
{
	*vm = (struct vm){.config = config, .reason = -1};
	vm->control = vm->kvm = vm->fd = vm->memory_fd = vm->epoll = vm->look_fd = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->control_lock, NULL);
	for (unsigned i = 0; i < PVR_KVM_VCPUS_MAX; i++) {
		vm->vcpu[i] = (struct vcpu){.vm = vm, .index = i, .fd = -1, .timer = -1};
		pthread_mutex_init(&vm->vcpu[i].running, NULL);
	}
}

/* How hypercalls get here, in a line for the user and for stats. */
static void mode_say(struct vm *vm, unsigned patched)
{
	char *line = vm->stats->mode;
	const size_t size = sizeof(vm->stats->mode);

	if (kvm_xen_events(vm))
		snprintf(line, size,
			"KVM with Xen support: events, sends and timers are the kernel's");
	else if (vm->xen)
		snprintf(line, size, "KVM with Xen's hypercalls: events and timers are ours");
	else
		snprintf(line, size,
			"KVM without Xen support: hypercalls go through port %#x (%u rewritten)",
			KVM_HYPERCALL_PORT, patched);
	if (!vm->config->quiet)
		fprintf(stderr, "pvring: %s\n", line);
}

static int vcpus_create(struct vm *vm, struct why *why)
{
	int err = 0;

	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++) {
		struct vcpu *v = &vm->vcpu[i];
		const uint64_t at =
			KVM_PAGE * PVR_HV_FRAME_SHARED_INFO + i * sizeof(struct vcpu_info);

		v->info = vm->memory + at;
		err = kvm_vcpu_create(v, why);
		if (!err)
			err = kvm_clock_place(v, at);
	}
	return err;
}

/* Everything that may fail, before anything of the guest runs. */
static int prepare(struct vm *vm, struct kvm_files *files, struct why *why)
{
	int err = kvm_files_read(vm, files, why);

	if (!err)
		err = kvm_vm_create(vm, why);
	if (!err)
		err = kvm_vm_attach(vm, why);
	if (err)
		return err;
	vm->stats = kvm_stats_new(vm->dir, vm->config->domid);
	if (!vm->stats)
		return kvm_fail(why, -ENOMEM, "no memory");
	vm->stats->vcpus = vm->boot.vcpus;
	const unsigned patched =
		vm->xen ? 0 : kvm_patch_hypercalls(files->image, &vm->kernel, KVM_HYPERCALL_PORT);

	err = kvm_boot_load(vm, files, why);
	if (err)
		return err;
	mode_say(vm, patched);
	err = kvm_memory_update(vm, NULL);
	if (err)
		return kvm_fail(why, err, "KVM refuses the guest's memory: %s", strerror(-err));
	err = vcpus_create(vm, why);
	if (err)
		return err;
	kvm_wall_clock(vm);
	err = kvm_events_open(vm);
	return err ? kvm_fail(why, err, "event channels: %s", strerror(-err)) : 0;
}

static void kicked(int signal)
{
	(void)signal;
}

/* Confined when all threads are there, but before one of them enters the guest, for which it needs `running`. */
static int threads_start(struct vm *vm, struct why *why)
{
	struct sigaction action = {.sa_handler = kicked};
	int err = 0;

	sigaction(SIGUSR1, &action, NULL);
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		pthread_mutex_lock(&vm->vcpu[i].running);
	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++) {
		err = pthread_create(&vm->vcpu[i].thread, NULL, kvm_vcpu_thread, &vm->vcpu[i]);
		vm->vcpu[i].started = !err;
	}
	if (err)
		err = kvm_fail(why, -err, "no thread for a CPU: %s", strerror(err));
	else if (kvm_confine())
		err = kvm_fail(why, -ENOTSUP, "the process cannot be confined: no seccomp here");
	if (err)
		kvm_vm_stop(vm, 0);
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		pthread_mutex_unlock(&vm->vcpu[i].running);
	return err;
}

/* Nothing can fail any more. */
static void ready_say(const struct pvr_kvm_config *config)
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

int pvr_kvm_run(const struct pvr_kvm_config *config, char *text, size_t size)
{
	struct why why = {text, size};
	struct vm *vm = malloc(sizeof(*vm));
	struct kvm_files files = {0};
	int err;

	if (!vm)
		return kvm_fail(&why, -ENOMEM, "no memory");
	vm_init(vm, config);
	prctl(PR_SET_NAME, "pvring-guest");
	err = pvr_hv_dir(config->dir, vm->dir, sizeof(vm->dir));
	if (err)
		kvm_fail(&why, err, "the name of the hypervisor's directory is too long");
	else
		err = prepare(vm, &files, &why);
	kvm_files_free(&files);
	if (!err)
		err = kvm_console_open(vm, &why);
	if (!err)
		err = threads_start(vm, &why);
	if (!err) {
		ready_say(config);
		kvm_events_run(vm);
	} else {
		kvm_vm_stop(vm, 0);
	}
	threads_join(vm);
	kvm_console_close(vm);
	kvm_stats_free(vm->stats, vm->dir, config->domid);
	kvm_vm_free(vm);
	kvm_events_close(vm);
	if (!err)
		err = vm->reason;
	free(vm);
	return err;
}
