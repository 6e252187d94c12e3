/* SPDX-License-Identifier: MIT */
/*
 * The memory hypercall: reservations, the physmap, the memory map. Source of everything here:
 * memory.h.
 */
#ifndef PVR_XEN_MEMORY_H
#define PVR_XEN_MEMORY_H

#include "pvring/xen/xen.h"

/* Commands of memory_op(cmd, arg). */
#define XENMEM_increase_reservation 0  /* xen_memory_reservation */
#define XENMEM_decrease_reservation 1  /* xen_memory_reservation */
#define XENMEM_maximum_ram_page     2  /* no argument; returns the highest machine frame */
#define XENMEM_current_reservation  3  /* xen_memory_domain; returns pages */
#define XENMEM_maximum_reservation  4  /* xen_memory_domain; returns pages */
#define XENMEM_populate_physmap     6  /* xen_memory_reservation */
#define XENMEM_add_to_physmap       7  /* xen_add_to_physmap */
#define XENMEM_memory_map           9  /* xen_memory_map: the caller's own */
#define XENMEM_machine_memory_map   10 /* xen_memory_map: the host's, dom0 only */
#define XENMEM_exchange             11
#define XENMEM_maximum_gpfn         14 /* xen_memory_domain; returns a frame number */
#define XENMEM_remove_from_physmap  15 /* xen_remove_from_physmap */
#define XENMEM_add_to_physmap_batch 23 /* xen_add_to_physmap_batch */

/*
 * nr_extents extents of 2^extent_order pages. extent_start, a guest pointer, lists frames: what to
 * release, where to populate, what was given. Returns how many extents were done, which may be
 * fewer.
 */
struct xen_memory_reservation {
	xen_pfn_t *extent_start;
	xen_ulong_t nr_extents;
	unsigned int extent_order;
	unsigned int mem_flags; /* XENMEMF_* */
	domid_t domid;
};

/* mem_flags: the low eight bits limit the address width, the next eight are a node plus one. */
#define XENMEMF_address_bits(x)     (x)
#define XENMEMF_get_address_bits(x) ((x)&0xffU)
#define XENMEMF_node(x)             (((x) + 1) << 8)
#define XENMEMF_get_node(x)         ((((x) >> 8) - 1) & 0xffU)
#define XENMEMF_populate_on_demand  (1 << 16)
#define XENMEMF_exact_node_request  (1 << 17)
#define XENMEMF_vnode               (1 << 18)

struct xen_memory_domain {
	domid_t domid;
};

/* What can be placed in a guest's physical memory. */
#define XENMAPSPACE_shared_info  0
#define XENMAPSPACE_grant_table  1 /* idx: frame of the table */
#define XENMAPSPACE_gmfn         2
#define XENMAPSPACE_gmfn_range   3 /* size: number of frames */
#define XENMAPSPACE_gmfn_foreign 4 /* by the batch command only */
#define XENMAPSPACE_dev_mmio     5

/* In idx of XENMAPSPACE_grant_table: a frame of version 2 status words. */
#define XENMAPIDX_grant_table_status 0x80000000

/* Place frame idx of space at gpfn. */
struct xen_add_to_physmap {
	domid_t domid;
	uint16_t size;
	unsigned int space; /* XENMAPSPACE_* */
	xen_ulong_t idx;
	xen_pfn_t gpfn;
};

/* The same for size frames; idxs, gpfns, errs are guest pointers, errs[i] a negative errno or 0. */
struct xen_add_to_physmap_batch {
	domid_t domid;
	uint16_t space;
	uint16_t size;
	union xen_add_to_physmap_batch_extra {
		domid_t foreign_domid; /* XENMAPSPACE_gmfn_foreign */
		uint16_t res0;         /* all others: 0 */
	} u;
	xen_ulong_t *idxs;
	xen_pfn_t *gpfns;
	int *errs;
};

struct xen_remove_from_physmap {
	domid_t domid;
	xen_pfn_t gpfn;
};

/* nr_entries: room in, number out. buffer is a guest pointer to the BIOS's 20-byte E820 entries. */
struct xen_memory_map {
	unsigned int nr_entries;
	void *buffer;
};

#endif
