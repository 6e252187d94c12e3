/* SPDX-License-Identifier: MIT */
/* What the daemon gives a process that attaches to a domain, and the end of it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static int attach_failed(struct vm *vm, struct why *why, int err)
{
	const uint32_t domid = vm->config->domid;

	switch (err) {
	case -EBUSY:
		return vm_fail(why, err, "a process is attached to domain %u already", domid);
	case -EACCES:
		return vm_fail(why, err, "domain %u is another user's", domid);
	case -ENOENT:
		return vm_fail(why, err, "there is no domain %u; 'pvring list' shows them", domid);
	default:
		return vm_fail(why, err, "cannot attach to domain %u: %s", domid, strerror(-err));
	}
}

static int memory_map(struct vm *vm, struct why *why)
{
	void *memory = mmap(NULL, vm->boot.memory_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, vm->memory_fd, 0);

	if (memory == MAP_FAILED)
		return vm_fail(why, -errno, "cannot map the guest's memory: %s", strerror(errno));
	vm->memory = memory;
	/* A child has no business with it; large pages are what a guest's TLB wants. */
	madvise(memory, vm->boot.memory_bytes, MADV_DONTFORK);
	madvise(memory, vm->boot.memory_bytes, MADV_HUGEPAGE);
	return 0;
}

/* The console has no peer but this process, and needs a port number nobody else gets. */
static int console_port(struct vm *vm)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF};
	unsigned count = 2;
	int fds[2];
	long err = vm_daemon_call(vm, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc,
		sizeof(alloc), 1, fds, &count);

	while (count)
		close(fds[--count]);
	vm->console_port = alloc.port;
	return (int)err;
}

int vm_attach(struct vm *vm, struct why *why)
{
	struct pvr_hv_attach attach = {.domid = vm->config->domid, .word_size = vm->word_size};
	size_t length = sizeof(vm->boot);
	unsigned count = 3;
	int fds[3];

	vm->control = pvr_hv_connect(vm->config->dir);
	if (vm->control < 0)
		return vm_fail(
			why, -ENOENT, "no hypervisor answers: is 'pvring hypervisor' running?");
	int err = (int)pvr_hv_call(vm->control, PVR_HV_ATTACH, &attach, sizeof(attach), &vm->boot,
		&length, fds, &count);

	if (!err && (length != sizeof(vm->boot) || count != 3)) {
		while (count)
			close(fds[--count]);
		err = -EPROTO;
	}
	if (err)
		return attach_failed(vm, why, err);
	vm->memory_fd = fds[0];
	vm->port[vm->boot.store_port] =
		(struct port){.kind = PVR_HV_PORT_SENDS, .rx = fds[1], .tx = fds[2]};
	err = console_port(vm);
	if (err)
		return vm_fail(why, err, "no event channel for the console: %s", strerror(-err));
	vm->params[HVM_PARAM_STORE_PFN] = PVR_HV_FRAME_STORE;
	vm->params[HVM_PARAM_STORE_EVTCHN] = vm->boot.store_port;
	vm->params[HVM_PARAM_CONSOLE_PFN] = PVR_HV_FRAME_CONSOLE;
	vm->params[HVM_PARAM_CONSOLE_EVTCHN] = vm->console_port;
	return memory_map(vm, why);
}

void vm_stop(struct vm *vm, int reason)
{
	int alive = -1;
	uint64_t one = 1;

	if (!atomic_compare_exchange_strong(&vm->reason, &alive, reason))
		return;
	ssize_t n = write(vm->look_fd, &one, sizeof(one));

	(void)n;
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		vm->machine->kick(&vm->vcpu[i]);
}

void vm_free(struct vm *vm)
{
	vm_ports_reset(vm);
	for (unsigned i = 0; i < PVR_MACHINE_VCPUS_MAX; i++)
		if (vm->vcpu[i].timer >= 0)
			close(vm->vcpu[i].timer);
	vm->machine->close(vm);
	if (vm->memory)
		munmap(vm->memory, vm->boot.memory_bytes);
	if (vm->memory_fd >= 0)
		close(vm->memory_fd);
	if (vm->control >= 0)
		close(vm->control);
}
