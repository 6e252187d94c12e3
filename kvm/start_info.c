/* SPDX-License-Identifier: MIT */
/*
 * See start_info.h. Guest memory:
 *   0          the hypervisor's frames: reserved
 *   hv_end     RAM
 *   0x90000    what this file writes, until 640 KiB: ACPI data
 *   1 MiB      RAM to 3 GiB; the kernel where it wants to be, the initrd as high as there is room
 *   4 GiB      RAM, when there is more
 */
#include "start_info.h"

#include <errno.h>
#include <string.h>

#include "acpi.h"

/* Places within the area. */
#define AT_INFO    0x0u
#define AT_MODULE  0x100u
#define AT_MEMMAP  0x200u
#define AT_CMDLINE 0x1000u
#define AT_ACPI    (AT_CMDLINE + KVM_CMDLINE_MAX)

int kvm_layout_initrd(struct kvm_layout *layout, uint64_t *needed)
{
	uint64_t top = layout->memory_bytes < KVM_GAP_START ? layout->memory_bytes : KVM_GAP_START;
	uint64_t size = (layout->initrd_size + VM_PAGE - 1) / VM_PAGE * VM_PAGE;

	*needed = layout->kernel_end + size;
	if (layout->kernel_end > top || size > top - layout->kernel_end)
		return -ENOMEM;
	layout->initrd = top - size;
	return 0;
}

unsigned kvm_layout_memmap(
	const struct kvm_layout *layout, struct hvm_memmap_table_entry map[KVM_MEMMAP_MAX])
{
	uint64_t end = layout->memory_bytes;
	uint64_t low = end < KVM_GAP_START ? end : KVM_GAP_START;
	unsigned n = 0;

	map[n++] =
		(struct hvm_memmap_table_entry){0, layout->hv_end, XEN_HVM_MEMMAP_TYPE_RESERVED, 0};
	map[n++] = (struct hvm_memmap_table_entry){
		layout->hv_end, KVM_BOOT_AREA - layout->hv_end, XEN_HVM_MEMMAP_TYPE_RAM, 0};
	map[n++] = (struct hvm_memmap_table_entry){
		KVM_BOOT_AREA, KVM_BOOT_SIZE, XEN_HVM_MEMMAP_TYPE_ACPI, 0};
	map[n++] = (struct hvm_memmap_table_entry){
		KVM_HIGH, low - KVM_HIGH, XEN_HVM_MEMMAP_TYPE_RAM, 0};
	if (end > KVM_GAP_END)
		map[n++] = (struct hvm_memmap_table_entry){
			KVM_GAP_END, end - KVM_GAP_END, XEN_HVM_MEMMAP_TYPE_RAM, 0};
	return n;
}

int kvm_start_info_build(
	uint8_t *area, const struct kvm_layout *layout, const char *cmdline, unsigned vcpus)
{
	struct hvm_start_info info = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.nr_modules = layout->initrd_size ? 1 : 0,
		.modlist_paddr = KVM_BOOT_AREA + AT_MODULE,
		.cmdline_paddr = KVM_BOOT_AREA + AT_CMDLINE,
		.rsdp_paddr = KVM_BOOT_AREA + AT_ACPI,
		.memmap_paddr = KVM_BOOT_AREA + AT_MEMMAP,
	};
	struct hvm_modlist_entry module = {.paddr = layout->initrd, .size = layout->initrd_size};
	struct hvm_memmap_table_entry map[KVM_MEMMAP_MAX];
	size_t length = strlen(cmdline);

	if (length >= KVM_CMDLINE_MAX)
		return -E2BIG;
	_Static_assert(AT_ACPI + KVM_ACPI_SIZE_MAX <= KVM_BOOT_SIZE, "the area is large enough");
	memset(area, 0, KVM_BOOT_SIZE);
	info.memmap_entries = kvm_layout_memmap(layout, map);
	memcpy(area + AT_INFO, &info, sizeof(info));
	memcpy(area + AT_MODULE, &module, sizeof(module));
	memcpy(area + AT_MEMMAP, map, info.memmap_entries * sizeof(map[0]));
	memcpy(area + AT_CMDLINE, cmdline, length + 1);
	kvm_acpi_build(area + AT_ACPI, KVM_BOOT_AREA + AT_ACPI, vcpus);
	return 0;
}
