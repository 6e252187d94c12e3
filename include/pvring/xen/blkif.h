/* SPDX-License-Identifier: MIT */
/*
 * The block protocol: what a frontend and a backend put on the ring. Source of everything here:
 * io/blkif.h, except where another is named.
 *
 * Units. `sectors` in xenstore, sector_number, nr_sectors, first_sect and last_sect count 512
 * bytes, always; `sector-size` only says to what requests must be aligned. Headers before Xen 4.20
 * (Debian's libxen-dev 4.17 among them) say that they count in sector-size, and some backends
 * believed it. Xen 4.20 settled it; source: Xen commits 221f2748 and e9a0101d.
 *
 * A frontend writes its own architecture's layout and names it in the xenstore node `protocol`
 * ("x86_32-abi", "x86_64-abi", "arm-abi"; io/protocols.h). The foreign layouts are at the end.
 */
#ifndef PVR_XEN_BLKIF_H
#define PVR_XEN_BLKIF_H

#include "pvring/xen/grant_table.h"

typedef uint16_t blkif_vdev_t;
typedef uint64_t blkif_sector_t;

/* Values of the `protocol` node. Source: io/protocols.h. */
#define XEN_IO_PROTO_ABI_X86_32 "x86_32-abi"
#define XEN_IO_PROTO_ABI_X86_64 "x86_64-abi"
#define XEN_IO_PROTO_ABI_ARM    "arm-abi"
#if defined(__i386__)
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_X86_32
#elif defined(__x86_64__)
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_X86_64
#else
#define XEN_IO_PROTO_ABI_NATIVE XEN_IO_PROTO_ABI_ARM
#endif

/* Operations. Those from WRITE_BARRIER on need the backend's feature node, named at each. */
#define BLKIF_OP_READ            0
#define BLKIF_OP_WRITE           1
#define BLKIF_OP_WRITE_BARRIER   2 /* feature-barrier: drain, write, make durable */
#define BLKIF_OP_FLUSH_DISKCACHE 3 /* feature-flush-cache: make writes durable; may carry data */
#define BLKIF_OP_RESERVED_1      4 /* was used for packets to a SCSI device */
#define BLKIF_OP_DISCARD         5 /* feature-discard */
#define BLKIF_OP_INDIRECT        6 /* feature-max-indirect-segments */

/* Flag of a discard: overwrite or erase too (node discard-secure). */
#define BLKIF_DISCARD_SECURE (1 << 0)

/* Status of a response. The values are the protocol's own and no errno. */
#define BLKIF_RSP_EOPNOTSUPP (-2)
#define BLKIF_RSP_ERROR      (-1)
#define BLKIF_RSP_OKAY       0

/* Segments in a request, and pages of segments an indirect request can name. */
#define BLKIF_MAX_SEGMENTS_PER_REQUEST       11
#define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8

/* Bits of the backend's `info` node. */
#define VDISK_CDROM     0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY  0x4

/* A run of 512-byte units in one granted page, both ends included; 0..7 in a 4 KiB page. */
struct blkif_request_segment {
	grant_ref_t gref;
	uint8_t first_sect, last_sect;
};

/* READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE. id is the frontend's and returns in the response. */
struct blkif_request {
	uint8_t operation;
	uint8_t nr_segments;
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

/* DISCARD. It occupies a whole slot as every request does. */
struct blkif_request_discard {
	uint8_t operation;
	uint8_t flag; /* 0 or BLKIF_DISCARD_SECURE */
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	uint64_t nr_sectors;
};

/*
 * INDIRECT. indirect_op is READ or WRITE; the pages behind indirect_grefs hold nr_segments
 * blkif_request_segment, 512 to a 4 KiB page. i386 alone ends with a pad which makes it 64 bytes.
 */
struct blkif_request_indirect {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	uint64_t id;
	blkif_sector_t sector_number;
	blkif_vdev_t handle;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
#if defined(__i386__)
	uint64_t pad;
#endif
};

struct blkif_response {
	uint64_t id;
	uint8_t operation;
	int16_t status; /* BLKIF_RSP_* */
};

/*
 * The same for a frontend of another width, laid out alike on every architecture. The two differ
 * because i386 aligns uint64_t to 4 bytes: a request is 108 bytes there and 112 on x86_64, a
 * response 12 and 16. aarch64 lays out as x86_64.
 */
#define PVR_X86_32 __attribute__((packed, aligned(4)))
#define PVR_X86_64 __attribute__((aligned(8)))

struct blkif_x86_32_request {
	uint8_t operation;
	uint8_t nr_segments;
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
} PVR_X86_32;

struct blkif_x86_32_request_discard {
	uint8_t operation;
	uint8_t flag;
	blkif_vdev_t handle;
	uint64_t id;
	blkif_sector_t sector_number;
	uint64_t nr_sectors;
} PVR_X86_32;

struct blkif_x86_32_request_indirect {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	uint64_t id;
	blkif_sector_t sector_number;
	blkif_vdev_t handle;
	uint16_t pad1;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	uint64_t pad;
} PVR_X86_32;

struct blkif_x86_32_response {
	uint64_t id;
	uint8_t operation;
	uint8_t pad;
	int16_t status;
} PVR_X86_32;

struct blkif_x86_64_request {
	uint8_t operation;
	uint8_t nr_segments;
	blkif_vdev_t handle;
	uint64_t id PVR_X86_64;
	blkif_sector_t sector_number PVR_X86_64;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct blkif_x86_64_request_discard {
	uint8_t operation;
	uint8_t flag;
	blkif_vdev_t handle;
	uint64_t id PVR_X86_64;
	blkif_sector_t sector_number PVR_X86_64;
	uint64_t nr_sectors PVR_X86_64;
};

struct blkif_x86_64_request_indirect {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	uint64_t id PVR_X86_64;
	blkif_sector_t sector_number PVR_X86_64;
	blkif_vdev_t handle;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

struct blkif_x86_64_response {
	uint64_t id PVR_X86_64;
	uint8_t operation;
	int16_t status;
};

#undef PVR_X86_32
#undef PVR_X86_64

#endif
