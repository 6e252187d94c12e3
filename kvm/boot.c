/* SPDX-License-Identifier: MIT */
/* Guest memory as a PVH kernel expects to find it. */
#include <errno.h>
#include <string.h>

#include "internal.h"

int kvm_boot_load(struct vm *vm, struct vm_files *files, struct why *why)
{
	const struct vm_kernel *k = &vm->kernel;
	const char *cmdline = vm->config->cmdline ? vm->config->cmdline : "";
	uint64_t needed;

	if (k->start < KVM_HIGH)
		return vm_fail(why, -ENOEXEC, "'%s' wants memory below 1 MiB, which is not its own",
			vm->config->kernel);
	vm->kvm->layout.kernel_end = (k->end + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
	vm->kvm->layout.initrd_size = files->initrd_size;
	if (kvm_layout_initrd(&vm->kvm->layout, &needed))
		return vm_memory_too_little(vm, why, needed);
	vm_segments_copy(vm, files);
	if (files->initrd_size)
		memcpy(vm->memory + vm->kvm->layout.initrd, files->initrd, files->initrd_size);
	if (kvm_start_info_build(
		    vm->memory + KVM_BOOT_AREA, &vm->kvm->layout, cmdline, vm->boot.vcpus))
		return vm_fail(why, -E2BIG, "the kernel's command line is longer than %u bytes",
			KVM_CMDLINE_MAX - 1);
	return 0;
}
