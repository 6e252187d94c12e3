/* SPDX-License-Identifier: MIT */
/*
 * From an untrusted slot to a checked request. Pure: no I/O, no allocation, nothing shared.
 *
 * The caller has copied the slot out of the ring once; what comes out of here is the only thing the
 * rest of the backend looks at.
 */
#ifndef PVR_BLKBACK_REQUEST_H
#define PVR_BLKBACK_REQUEST_H

#include <stdint.h>

#include <pvring/xen/blkif.h>

#define PVR_BLKBACK_SECTOR 512u /* the unit of everything on the ring, whatever sector-size says   \
				 */

/* Whose layout the frontend writes: node `protocol`. aarch64 lays out as x86_64 does. */
enum pvr_blkback_abi { PVR_BLKBACK_ABI_X86_64, PVR_BLKBACK_ABI_X86_32 };

/*
 * 0 and the layout, or -EINVAL for a name that is none. NULL: our own architecture's (io/blkif.h).
 */
int pvr_blkback_abi_by_name(const char *name, enum pvr_blkback_abi *abi);

/* The private copy of one slot. */
union pvr_blkback_slot {
	struct blkif_x86_64_request x86_64;
	struct blkif_x86_32_request x86_32;
};

/* What a request is checked against. */
struct pvr_blkback_facts {
	uint64_t sectors;     /* of 512 bytes */
	uint32_t sector_size; /* bytes, a power of two from 512 to 4096 */
	int readonly;
	int discard, discard_secure; /* whether it can; the engine's word */
	uint32_t discard_granularity, discard_alignment; /* bytes; 0: sector_size, and none */
};

enum pvr_blkback_op {
	PVR_BLKBACK_READ,
	PVR_BLKBACK_WRITE,
	PVR_BLKBACK_FLUSH,
	PVR_BLKBACK_DISCARD,
	PVR_BLKBACK_DISCARD_SECURE,
};

#define PVR_BLKBACK_SEGMENTS_MAX 256u        /* of a request, by indirect pages */
#define PVR_BLKBACK_DISCARD_MAX  (1u << 30) /* bytes an engine is asked to discard at once */

/* A run of bytes in one granted page. */
struct pvr_blkback_segment {
	grant_ref_t ref;
	uint16_t offset, length; /* bytes; offset + length is at most a page */
};

/* A FLUSH with segments is two steps: make durable what was answered, then write them (qdisk's
 * reading). */
struct pvr_blkback_request {
	uint64_t id;       /* the frontend's, for the response */
	uint8_t operation; /* as it stood in the slot, for the response */
	uint8_t op;        /* enum pvr_blkback_op */
	uint16_t segments;
	uint32_t bytes;
	uint64_t offset; /* bytes from the start of the disk */
	struct pvr_blkback_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

enum pvr_blkback_verdict {
	PVR_BLKBACK_GOOD,
	PVR_BLKBACK_UNKNOWN_OP,
	PVR_BLKBACK_READ_ONLY,
	PVR_BLKBACK_BAD_COUNT,   /* no segments, or more than a slot holds */
	PVR_BLKBACK_BAD_SEGMENT, /* first_sect > last_sect, or last_sect beyond the page */
	PVR_BLKBACK_UNALIGNED,   /* not a multiple of sector-size */
	PVR_BLKBACK_OUT_OF_DISK,
};

/*
 * Check one slot. id and operation of the request are always filled in, because a refused request
 * is answered too; the rest only when it is PVR_BLKBACK_GOOD.
 */
enum pvr_blkback_verdict pvr_blkback_request_parse(const union pvr_blkback_slot *slot,
	enum pvr_blkback_abi abi, const struct pvr_blkback_facts *facts,
	struct pvr_blkback_request *request);

/* BLKIF_RSP_* that answers a verdict. */
int16_t pvr_blkback_verdict_status(enum pvr_blkback_verdict verdict);

#endif
