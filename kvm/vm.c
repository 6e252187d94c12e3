/* SPDX-License-Identifier: MIT */
/* KVM's virtual machine over the domain's memory, and its way of everything that a machine does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"

#define MSI_BASE 0xfee00000u
/* The longest sleep in one piece: events that KVM delivers itself do not wake us. */
#define SLICE_NS     10000000ull
#define SLICE_XEN_NS 1000000ull

uint64_t pvr_kvm_memory_bytes(uint64_t ram)
{
	return ram <= KVM_GAP_START ? ram : ram + (KVM_GAP_END - KVM_GAP_START);
}

static int kvm_open(struct vm *vm, struct why *why)
{
	vm->kvm->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm->dev >= 0)
		return 0;
	if (errno == EACCES)
		return vm_fail(why, -EACCES,
			"no permission for /dev/kvm: be in its group, often kvm, or run as root");
	return vm_fail(why, -ENOENT,
		"no /dev/kvm (%s): this machine's CPU or its firmware's settings offer no "
		"virtualisation, or the module kvm-intel or kvm-amd is not loaded",
		strerror(errno));
}

static int has(const struct vm *vm, int capability)
{
	return ioctl(vm->kvm->dev, KVM_CHECK_EXTENSION, capability);
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
			return vm_fail(why, -ENOTSUP,
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

	if (ioctl(vm->kvm->fd, KVM_ENABLE_CAP, &exits) ||
		ioctl(vm->kvm->fd, KVM_X86_SET_MSR_FILTER, &filter))
		return -errno;
	return 0;
}

static int machine_open(struct vm *vm, struct why *why)
{
	struct kvm_enable_cap apic = {.cap = KVM_CAP_SPLIT_IRQCHIP};
	int err;

	vm->kvm = calloc(1, sizeof(*vm->kvm));
	if (!vm->kvm)
		return vm_fail(why, -ENOMEM, "no memory");
	vm->kvm->dev = vm->kvm->fd = -1;
	for (unsigned i = 0; i < PVR_MACHINE_VCPUS_MAX; i++) {
		vm->kvm->cpu[i].fd = -1;
		vm->vcpu[i].kvm = &vm->kvm->cpu[i];
	}
	err = kvm_open(vm, why);

	if (!err)
		err = capabilities_check(vm, why);
	if (err)
		return err;
	vm->kvm->fd = ioctl(vm->kvm->dev, KVM_CREATE_VM, 0);
	if (vm->kvm->fd < 0)
		return vm_fail(why, -errno, "KVM makes no virtual machine: %s", strerror(errno));
	if (ioctl(vm->kvm->fd, KVM_ENABLE_CAP, &apic))
		err = -errno;
	if (!err)
		err = kvm_xen_start(vm);
	if (!err && !(vm->kvm->xen & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL))
		err = msr_filter(vm);
	return err ? vm_fail(why, err, "KVM refuses the virtual machine: %s", strerror(-err)) : 0;
}

/* How hypercalls get here. */
static void mode_say(struct vm *vm, unsigned patched)
{
	if (kvm_xen_events(vm))
		vm_mode_say(vm, "KVM with Xen support: events, sends and timers are the kernel's");
	else if (vm->kvm->xen)
		vm_mode_say(vm, "KVM with Xen's hypercalls: events and timers are ours");
	else
		vm_mode_say(vm,
			"KVM without Xen support: hypercalls go through port %#x (%u rewritten)",
			KVM_HYPERCALL_PORT, patched);
}

static void kicked(int signal)
{
	(void)signal;
}

static int machine_load(struct vm *vm, struct vm_files *files, struct why *why)
{
	struct sigaction action = {.sa_handler = kicked};
	struct kvm *kvm = vm->kvm;
	const unsigned patched =
		kvm->xen ? 0 : kvm_patch_hypercalls(files->image, &vm->kernel, KVM_HYPERCALL_PORT);

	kvm->slots.memory_bytes = kvm->layout.memory_bytes = vm->boot.memory_bytes;
	kvm->layout.hv_end = (PVR_HV_FRAME_GRANT + vm->boot.grant_frames) * (uint64_t)VM_PAGE;
	vm->sleep_slice = kvm_xen_events(vm) ? SLICE_XEN_NS : SLICE_NS;
	sigaction(SIGUSR1, &action, NULL);
	int err = kvm_boot_load(vm, files, why);

	if (err)
		return err;
	mode_say(vm, patched);
	err = kvm_memory_update(vm, NULL);
	if (err)
		return vm_fail(why, err, "KVM refuses the guest's memory: %s", strerror(-err));
	for (unsigned i = 0; i < vm->boot.vcpus && !err; i++) {
		err = kvm_vcpu_create(&vm->vcpu[i], why);
		if (!err)
			err = kvm_clock_place(&vm->vcpu[i],
				VM_PAGE * PVR_HV_FRAME_SHARED_INFO + i * sizeof(struct vcpu_info));
	}
	return err;
}

static void machine_close(struct vm *vm)
{
	struct kvm *kvm = vm->kvm;

	if (!kvm)
		return;
	for (unsigned i = 0; i < PVR_MACHINE_VCPUS_MAX; i++)
		if (kvm->cpu[i].fd >= 0)
			close(kvm->cpu[i].fd);
	if (kvm->fd >= 0)
		close(kvm->fd);
	if (kvm->dev >= 0)
		close(kvm->dev);
	free(kvm);
	vm->kvm = NULL;
}

static int interrupt(struct vcpu *v)
{
	struct kvm_msi msi = {.address_lo = MSI_BASE | v->index << 12, .data = v->vector};

	return ioctl(v->vm->kvm->fd, KVM_SIGNAL_MSI, &msi);
}

static int info_placed(struct vcpu *v, uint64_t gpa)
{
	int err = kvm_xen_vcpu_info(v, gpa);

	return err ? err : kvm_clock_place(v, gpa);
}

static const struct machine machine = {
	.bootable = vm_elf_pvh,
	.open = machine_open,
	.load = machine_load,
	.confine = kvm_confine,
	.run = kvm_vcpu_thread,
	.close = machine_close,
	.kick = kvm_vcpu_kick,
	.interrupt = interrupt,
	.now = kvm_now,
	.linear = kvm_linear,
	.linear_done = kvm_linear_done,
	.at = kvm_memory_at,
	.info_placed = info_placed,
	.call = kvm_call,
	.events = &kvm_xen_machine_events,
};

int pvr_kvm_run(const struct pvr_machine_config *config, char *why, size_t size)
{
	return vm_run(&machine, config, why, size);
}
