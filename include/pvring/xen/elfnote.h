/* SPDX-License-Identifier: MIT */
/*
 * Types of the ELF notes, named "Xen", by which a kernel says how to start it. A PVH kernel needs
 * PHYS32_ENTRY alone. Source of everything here: elfnote.h.
 */
#ifndef PVR_XEN_ELFNOTE_H
#define PVR_XEN_ELFNOTE_H

#define XEN_ELFNOTE_INFO               0
#define XEN_ELFNOTE_ENTRY              1 /* PV: virtual address of the entry */
#define XEN_ELFNOTE_HYPERCALL_PAGE     2 /* PV: virtual address Xen fills in */
#define XEN_ELFNOTE_VIRT_BASE          3
#define XEN_ELFNOTE_PADDR_OFFSET       4
#define XEN_ELFNOTE_XEN_VERSION        5 /* "xen-3.0" */
#define XEN_ELFNOTE_GUEST_OS           6
#define XEN_ELFNOTE_GUEST_VERSION      7
#define XEN_ELFNOTE_LOADER             8
#define XEN_ELFNOTE_PAE_MODE           9
#define XEN_ELFNOTE_FEATURES           10 /* names of XENFEAT_*, as text */
#define XEN_ELFNOTE_BSD_SYMTAB         11
#define XEN_ELFNOTE_HV_START_LOW       12
#define XEN_ELFNOTE_L1_MFN_VALID       13
#define XEN_ELFNOTE_SUSPEND_CANCEL     14
#define XEN_ELFNOTE_INIT_P2M           15
#define XEN_ELFNOTE_MOD_START_PFN      16
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17 /* bits of XENFEAT_* */
#define XEN_ELFNOTE_PHYS32_ENTRY       18 /* physical; 32-bit, paging off, EBX: start info */

#endif
