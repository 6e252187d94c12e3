/* SPDX-License-Identifier: MIT */
/*
 * What a PVH guest finds at boot: EBX holds the address of hvm_start_info. All addresses are
 * physical. Source of everything here: arch-x86/hvm/start_info.h, and xen.h for SIF_*.
 */
#ifndef PVR_XEN_START_INFO_H
#define PVR_XEN_START_INFO_H

#include <stdint.h>

#define XEN_HVM_START_MAGIC_VALUE 0x336ec578

/* memmap_paddr and what follows exist from version 1 on; memmap_entries may be 0. */
struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags; /* SIF_* */
	uint32_t nr_modules;
	uint64_t modlist_paddr; /* hvm_modlist_entry[nr_modules] */
	uint64_t cmdline_paddr; /* a string */
	uint64_t rsdp_paddr;    /* ACPI */
	uint64_t memmap_paddr;  /* hvm_memmap_table_entry[memmap_entries] */
	uint32_t memmap_entries;
	uint32_t reserved;
};

#define SIF_PRIVILEGED (1 << 0) /* may make privileged calls */
#define SIF_INITDOMAIN (1 << 1) /* the first domain */

struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct hvm_memmap_table_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type; /* XEN_HVM_MEMMAP_TYPE_* */
	uint32_t reserved;
};

/* As ACPI numbers its address range types. */
#define XEN_HVM_MEMMAP_TYPE_RAM      1
#define XEN_HVM_MEMMAP_TYPE_RESERVED 2
#define XEN_HVM_MEMMAP_TYPE_ACPI     3
#define XEN_HVM_MEMMAP_TYPE_NVS      4
#define XEN_HVM_MEMMAP_TYPE_UNUSABLE 5
#define XEN_HVM_MEMMAP_TYPE_DISABLED 6
#define XEN_HVM_MEMMAP_TYPE_PMEM     7

#endif
