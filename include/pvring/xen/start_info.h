/* SPDX-License-Identifier: MIT */
/*
 * What a guest finds at boot. PVH: EBX holds the address of hvm_start_info, and all addresses are
 * physical. PV: ESI or RSI holds the linear address of start_info, in the guest's own width.
 * Source: arch-x86/hvm/start_info.h for hvm_*, xen.h for the others.
 */
#ifndef PVR_XEN_START_INFO_H
#define PVR_XEN_START_INFO_H

#include <stdint.h>
#include "pvring/xen/xen.h"

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

#define SIF_PRIVILEGED      (1 << 0)    /* may make privileged calls */
#define SIF_INITDOMAIN      (1 << 1)    /* the first domain */
#define SIF_MULTIBOOT_MOD   (1 << 2)    /* mod_start is a package of modules */
#define SIF_MOD_START_PFN   (1 << 3)    /* mod_start is a frame number */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)    /* the tools understand a linear table of frames */
#define SIF_PM_MASK         (0xFF << 8) /* power management of the first domain */

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

#define MAX_GUEST_CMDLINE 1024

/* "Linear" is an address the boot page tables map, "machine" is what their entries hold. */
struct start_info {
	char magic[32]; /* "xen-3.0-x86_64" or "xen-3.0-x86_32p" */
	unsigned long nr_pages;
	unsigned long shared_info; /* machine address */
	uint32_t flags;            /* SIF_* */
	xen_pfn_t store_mfn;       /* machine frame of the xenstore ring */
	uint32_t store_evtchn;
	union {
		struct {
			xen_pfn_t mfn; /* machine frame of the console ring */
			uint32_t evtchn;
		} domU;
		struct {
			uint32_t info_off; /* from the beginning of this structure */
			uint32_t info_size;
		} dom0;
	} console;
	/* From here on at boot only, not after a resume. */
	unsigned long pt_base;      /* linear address of the root table */
	unsigned long nr_pt_frames; /* page tables of the boot, from pt_base on */
	unsigned long mfn_list;     /* linear address of xen_pfn_t[nr_pages] */
	unsigned long mod_start;    /* linear address of a module, 0 if none */
	unsigned long mod_len;
	int8_t cmd_line[MAX_GUEST_CMDLINE]; /* a string */
	unsigned long first_p2m_pfn;        /* where mfn_list lies, with SIF_VIRT_P2M_4TOOLS */
	unsigned long nr_p2m_frames;
};

#endif
