/* SPDX-License-Identifier: MIT */
/*
 * The two halves of a domain: what the daemon gives a process that attaches, which is the same as for a
 * process domain, and KVM's virtual machine over that memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"

uint64_t pvr_kvm_memory_bytes(uint64_t ram)
{
	return ram <= KVM_GAP_START ? ram : ram + (KVM_GAP_END - KVM_GAP_START);
}

static int attach_failed(struct vm *vm, struct why *why, int err)
{
	const uint32_t domid = vm->config->domid;

	switch (err) {
	case -EBUSY:
		return kvm_fail(why, err, "a process is attached to domain %u already", domid);
	case -EACCES:
		return kvm_fail(why, err, "domain %u is another user's", domid);
	case -ENOENT:
		return kvm_fail(why, err, "there is no domain %u; 'pvring list' shows them", domid);
	default:
		return kvm_fail(why, err, "cannot attach to domain %u: %s", domid, strerror(-err));
	}
}

static int memory_map(struct vm *vm, struct why *why)
{
	void *memory = mmap(NULL, vm->boot.memory_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, vm->memory_fd, 0);

	if (memory == MAP_FAILED)
		return kvm_fail(why, -errno, "cannot map the guest's memory: %s", strerror(errno));
	vm->memory = memory;
	/* A child has no business with it; large pages are what a guest's TLB wants. */
	madvise(memory, vm->boot.memory_bytes, MADV_DONTFORK);
	madvise(memory, vm->boot.memory_bytes, MADV_HUGEPAGE);
	vm->slots.memory_bytes = vm->boot.memory_bytes;
	vm->layout.memory_bytes = vm->boot.memory_bytes;
	vm->layout.hv_end = (PVR_HV_FRAME_GRANT + vm->boot.grant_frames) * (uint64_t)KVM_PAGE;
	return 0;
}

/* The console has no peer but this process, and needs a port number nobody else gets. */
static int console_port(struct vm *vm)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF};
	unsigned count = 2;
	int fds[2];
	long err = kvm_daemon_call(vm, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		&alloc, sizeof(alloc), 1, fds, &count);

	while (count)
		close(fds[--count]);
	vm->console_port = alloc.port;
	return (int)err;
}

int kvm_vm_attach(struct vm *vm, struct why *why)
{
	struct pvr_hv_attach attach = {.domid = vm->config->domid, .word_size = vm->word_size};
	size_t length = sizeof(vm->boot);
	unsigned count = 3;
	int fds[3];

	vm->control = pvr_hv_connect(vm->config->dir);
	if (vm->control < 0)
		return kvm_fail(
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
		return kvm_fail(why, err, "no event channel for the console: %s", strerror(-err));
	vm->params[HVM_PARAM_STORE_PFN] = PVR_HV_FRAME_STORE;
	vm->params[HVM_PARAM_STORE_EVTCHN] = vm->boot.store_port;
	vm->params[HVM_PARAM_CONSOLE_PFN] = PVR_HV_FRAME_CONSOLE;
	vm->params[HVM_PARAM_CONSOLE_EVTCHN] = vm->console_port;
	return memory_map(vm, why);
}

static int kvm_open(struct vm *vm, struct why *why)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm >= 0)
		return 0;
	if (errno == EACCES)
		return kvm_fail(why, -EACCES,
			"no permission for /dev/kvm: be in its group, often kvm, or run as root");
	return kvm_fail(why, -ENOENT,
		"no /dev/kvm (%s): this machine's CPU or its firmware's settings offer no "
		"virtualisation, or the module kvm-intel or kvm-amd is not loaded",
		strerror(errno));
}

static int has(const struct vm *vm, int capability)
{
	return ioctl(vm->kvm, KVM_CHECK_EXTENSION, capability);
}

static int capabilities_check(struct vm *vm, struct why *why)
{
	static const struct {
		int capability;
		const char *name;
	} needed[] = {
		{KVM_CAP_SIGNAL_MSI, "interrupts by message"},
		{KVM_CAP_SYNC_REGS, "shared registers"},
		{KVM_CAP_X86_USER_SPACE_MSR, "MSR exits"},
		{KVM_CAP_X86_MSR_FILTER, "MSR filters"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate exits"},
		{KVM_CAP_SPLIT_IRQCHIP, "a local APIC alone"},
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (has(vm, needed[i].capability) <= 0)
			return kvm_fail(why, -ENOTSUP,
				"this kernel's KVM has no %s: Linux 5.10 or later is needed",
				needed[i].name);
	return 0;
}

/* Writes of the hypercall page's MSR come to us, which KVM takes for one of Hyper-V's. */
static int msr_filter(struct vm *vm)
{
	uint8_t denied[8] = {0};
	struct kvm_enable_cap exits = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR, .args = {KVM_MSR_EXIT_REASON_FILTER}};
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] =
			{
				.flags = KVM_MSR_FILTER_WRITE,
				.base = KVM_HYPERCALL_MSR,
				.nmsrs = 1,
				.bitmap = denied,
			},
	};

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &exits) || ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter))
		return -errno;
	return 0;
}

int kvm_vm_create(struct vm *vm, struct why *why)
{
	struct kvm_enable_cap apic = {.cap = KVM_CAP_SPLIT_IRQCHIP};
	int err = kvm_open(vm, why);

	if (!err)
		err = capabilities_check(vm, why);
	if (err)
		return err;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return kvm_fail(why, -errno, "KVM makes no virtual machine: %s", strerror(errno));
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &apic))
		err = -errno;
	if (!err)
		err = kvm_xen_start(vm);
	if (!err && !(vm->xen & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL))
		err = msr_filter(vm);
	return err ? kvm_fail(why, err, "KVM refuses the virtual machine: %s", strerror(-err)) : 0;
}

void kvm_vm_stop(struct vm *vm, int reason)
{
	int alive = -1;
	uint64_t one = 1;

	if (!atomic_compare_exchange_strong(&vm->reason, &alive, reason))
		return;
	ssize_t n = write(vm->look_fd, &one, sizeof(one));

	(void)n;
	for (unsigned i = 0; i < vm->boot.vcpus; i++)
		kvm_vcpu_kick(&vm->vcpu[i]);
}

void kvm_vm_free(struct vm *vm)
{
	kvm_ports_reset(vm);
	for (unsigned i = 0; i < PVR_KVM_VCPUS_MAX; i++) {
		if (vm->vcpu[i].fd >= 0)
			close(vm->vcpu[i].fd);
		if (vm->vcpu[i].timer >= 0)
			close(vm->vcpu[i].timer);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->memory)
		munmap(vm->memory, vm->boot.memory_bytes);
	if (vm->memory_fd >= 0)
		close(vm->memory_fd);
	if (vm->control >= 0)
		close(vm->control);
}
