/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: how a domain lets another map or copy one page of its memory. Source of everything
 * here: grant_table.h. Version 1 only; version 2, transitive grants and transfers are named so that
 * they can be refused by name.
 */
#ifndef PVR_XEN_GRANT_TABLE_H
#define PVR_XEN_GRANT_TABLE_H

#include "pvring/xen/xen.h"

/* Index of an entry in the granting domain's table. */
typedef uint32_t grant_ref_t;

/* Names one mapping; only the domain that mapped can use it. */
typedef uint32_t grant_handle_t;

/*
 * One version 1 entry; 512 fit a 4 KiB frame. The guest gives: frame and domid first, then a write
 * barrier, then flags. Xen sets GTF_reading and GTF_writing while the page is in use. The guest
 * takes back: compare-and-exchange flags to 0, expecting both bits clear; while one is set the page
 * must not be reused. frame is a guest frame number for a translated guest.
 */
struct grant_entry_v1 {
	uint16_t flags;
	domid_t domid;
	uint32_t frame;
};

/* The first entries belong to the domain builder. */
#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE    0
#define GNTTAB_RESERVED_XENSTORE   1

/* The type of an entry, in the two low bits of flags. */
#define GTF_invalid         (0U << 0)
#define GTF_permit_access   (1U << 0)
#define GTF_accept_transfer (2U << 0)
#define GTF_transitive      (3U << 0) /* version 2 only */
#define GTF_type_mask       (3U << 0)

/* Flags of GTF_permit_access. "guest", "Xen": who writes the bit. */
#define _GTF_readonly 2
#define GTF_readonly  (1U << _GTF_readonly) /* guest: no writable mapping */
#define _GTF_reading  3
#define GTF_reading   (1U << _GTF_reading) /* Xen: mapped or being copied from */
#define _GTF_writing  4
#define GTF_writing   (1U << _GTF_writing) /* Xen: mapped writable or being copied to */
#define _GTF_PWT      5
#define GTF_PWT       (1U << _GTF_PWT) /* guest, x86: cache attributes of the mapping */
#define _GTF_PCD      6
#define GTF_PCD       (1U << _GTF_PCD)
#define _GTF_PAT      7
#define GTF_PAT       (1U << _GTF_PAT)
#define _GTF_sub_page 8
#define GTF_sub_page  (1U << _GTF_sub_page) /* guest, version 2: a part, copy only */

/* Flags of GTF_accept_transfer, set by Xen: frame is reserved, then valid. */
#define _GTF_transfer_committed 2
#define GTF_transfer_committed  (1U << _GTF_transfer_committed)
#define _GTF_transfer_completed 3
#define GTF_transfer_completed  (1U << _GTF_transfer_completed)

/*
 * Commands of grant_table_op(cmd, array, count). Every element of the array has its own status; the
 * hypercall's result speaks only of the batch.
 */
#define GNTTABOP_map_grant_ref     0
#define GNTTABOP_unmap_grant_ref   1
#define GNTTABOP_setup_table       2
#define GNTTABOP_dump_table        3
#define GNTTABOP_transfer          4
#define GNTTABOP_copy              5
#define GNTTABOP_query_size        6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version       8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version       10
#define GNTTABOP_swap_grant_ref    11
#define GNTTABOP_cache_flush       12

/*
 * Map ref of dom at host_addr (GNTMAP_host_map) or for a device (GNTMAP_device_map, answered in
 * dev_bus_addr). status, handle and dev_bus_addr are the answer.
 */
struct gnttab_map_grant_ref {
	uint64_t host_addr;
	uint32_t flags; /* GNTMAP_* */
	grant_ref_t ref;
	domid_t dom;
	int16_t status; /* GNTST_* */
	grant_handle_t handle;
	uint64_t dev_bus_addr;
};

/* Undo a mapping. An address of 0 leaves that kind of mapping as it is. status is the answer. */
struct gnttab_unmap_grant_ref {
	uint64_t host_addr;
	uint64_t dev_bus_addr;
	grant_handle_t handle;
	int16_t status;
};

/*
 * Grow dom's table to nr_frames and list the frames. The count of elements must be one. frame_list
 * is a guest pointer. A PV guest maps the frames; a translated one places them by
 * XENMEM_add_to_physmap.
 */
struct gnttab_setup_table {
	domid_t dom;
	uint32_t nr_frames;
	int16_t status;
	xen_pfn_t *frame_list;
};

/* Print dom's table on Xen's console. */
struct gnttab_dump_table {
	domid_t dom;
	int16_t status;
};

/* Give a page away to an entry of type GTF_accept_transfer. */
struct gnttab_transfer {
	xen_pfn_t mfn;
	domid_t domid;
	grant_ref_t ref;
	int16_t status;
};

/* Flags of a copy: that side names a grant of domid, otherwise a frame of domid. */
#define _GNTCOPY_source_gref 0
#define GNTCOPY_source_gref  (1U << _GNTCOPY_source_gref)
#define _GNTCOPY_dest_gref   1
#define GNTCOPY_dest_gref    (1U << _GNTCOPY_dest_gref)

/* Copy len bytes; neither side may leave its page. status is the answer. */
struct gnttab_copy {
	struct gnttab_copy_ptr {
		union {
			grant_ref_t ref;
			xen_pfn_t gmfn;
		} u;
		domid_t domid;
		uint16_t offset;
	} source, dest;
	uint16_t len;
	uint16_t flags; /* GNTCOPY_* */
	int16_t status;
};

/* How many frames dom's table has and may have. */
struct gnttab_query_size {
	domid_t dom;
	uint32_t nr_frames;
	uint32_t max_nr_frames;
	int16_t status;
};

/* Unmap host_addr and put what new_addr maps there, leaving new_addr empty. */
struct gnttab_unmap_and_replace {
	uint64_t host_addr;
	uint64_t new_addr;
	grant_handle_t handle;
	int16_t status;
};

/* Ask for a version of the table; the one in use comes back. Active grants may make it fail. */
struct gnttab_set_version {
	uint32_t version;
};

/* Version 2: the frames where Xen keeps the status words. frame_list is a guest pointer. */
struct gnttab_get_status_frames {
	uint32_t nr_frames;
	domid_t dom;
	int16_t status;
	uint64_t *frame_list;
};

struct gnttab_get_version {
	domid_t dom;
	uint16_t pad;
	uint32_t version;
};

/* Exchange the contents of two of the caller's entries. */
struct gnttab_swap_grant_ref {
	grant_ref_t ref_a;
	grant_ref_t ref_b;
	int16_t status;
};

/* Flags of a mapping. */
#define _GNTMAP_device_map      0
#define GNTMAP_device_map       (1U << _GNTMAP_device_map)
#define _GNTMAP_host_map        1
#define GNTMAP_host_map         (1U << _GNTMAP_host_map)
#define _GNTMAP_readonly        2
#define GNTMAP_readonly         (1U << _GNTMAP_readonly)
#define _GNTMAP_application_map 3
#define GNTMAP_application_map  (1U << _GNTMAP_application_map) /* PV: user space may access */
#define _GNTMAP_contains_pte    4
#define GNTMAP_contains_pte     (1U << _GNTMAP_contains_pte) /* PV: host_addr is that of a PTE */
#define _GNTMAP_guest_avail0    16
#define GNTMAP_guest_avail_mask ((uint32_t)~0U << _GNTMAP_guest_avail0)

/* The status of one element. GNTST_eagain is not a failure: the page was swapped out, ask again. */
#define GNTST_okay              0
#define GNTST_general_error     (-1)
#define GNTST_bad_domain        (-2)
#define GNTST_bad_gntref        (-3)
#define GNTST_bad_handle        (-4)
#define GNTST_bad_virt_addr     (-5)
#define GNTST_bad_dev_addr      (-6)
#define GNTST_no_device_space   (-7) /* no IOMMU space */
#define GNTST_permission_denied (-8)
#define GNTST_bad_page          (-9)
#define GNTST_bad_copy_arg      (-10) /* a copy leaves its page */
#define GNTST_address_too_big   (-11)
#define GNTST_eagain            (-12)
#define GNTST_no_space          (-13) /* maptrack is full */

#endif
