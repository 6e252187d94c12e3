/* SPDX-License-Identifier: MIT */
/* The guest's memory map and what it finds at boot. Pure. */
#ifndef KVM_START_INFO_H
#define KVM_START_INFO_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/start_info.h>

#include "../machine/load.h"

#define KVM_GAP_START (3ull << 30) /* no RAM from here to 4 GiB: the APIC's registers are there */
#define KVM_GAP_END   (4ull << 30)
#define KVM_LOW_END   0xa0000ull
#define KVM_HIGH      0x100000ull

/* start_info, its lists, the command line and the ACPI tables: one area below 640 KiB. */
#define KVM_BOOT_AREA        0x90000ull
#define KVM_BOOT_SIZE        (KVM_LOW_END - KVM_BOOT_AREA)
#define KVM_CMDLINE_MAX      4096u
#define KVM_MEMMAP_MAX       8u
#define KVM_MEMMAP_E820_SIZE 20u

/* What the memory map depends on. */
struct kvm_layout {
	uint64_t memory_bytes; /* of the memory file */
	uint64_t hv_end;       /* the hypervisor's frames end here */
	uint64_t kernel_end;
	uint64_t initrd, initrd_size; /* chosen by kvm_layout_initrd */
};

/* The highest place for the initrd: 0, or -ENOMEM with *needed bytes of memory that would do. */
int kvm_layout_initrd(struct kvm_layout *layout, uint64_t *needed);

/* The memory map; how many entries. */
unsigned kvm_layout_memmap(
	const struct kvm_layout *layout, struct hvm_memmap_table_entry map[KVM_MEMMAP_MAX]);

/*
 * Fill the boot area, KVM_BOOT_SIZE bytes that will stand at KVM_BOOT_AREA; start_info is the first. 0, or -E2BIG:
 * the command line is too long.
 */
int kvm_start_info_build(
	uint8_t *area, const struct kvm_layout *layout, const char *cmdline, unsigned vcpus);

#endif
