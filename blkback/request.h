/* SPDX-License-Identifier: MIT */
/*
 * From an untrusted slot to a checked request. Pure: no I/O, no allocation, nothing shared.
 *
 * The caller has copied the slot out of the ring once, and the segments of an indirect request out
 * of the guest's page once; what comes out of here is the only thing the rest of the backend looks
 * at.
 */
#ifndef PVR_BLKBACK_REQUEST_H
#define PVR_BLKBACK_REQUEST_H

#include <stdint.h>

#include <pvring/xen/blkif.h>

#define PVR_BLKBACK_SECTOR 512u /* the unit of everything on the ring, whatever sector-size says */

/*
 * Segments of an indirect request, feature-max-indirect-segments. One page lists 512, so the first
 * of the pages a request can name is all of it.
 */
#define PVR_BLKBACK_SEGMENTS_MAX 256u

#define PVR_BLKBACK_DISCARD_MAX (1u << 30) /* bytes an engine is asked to discard at once */

/* Whose layout the frontend writes: node `protocol`. aarch64 lays out as x86_64 does. */
enum pvr_blkback_abi { PVR_BLKBACK_ABI_X86_64, PVR_BLKBACK_ABI_X86_32 };

/*
 * 0 and the layout, or -EINVAL for a name that is none. NULL: our own architecture's (io/blkif.h).
 */
int pvr_blkback_abi_by_name(const char *name, enum pvr_blkback_abi *abi);

/* The private copy of one slot. Every layout has the operation first. */
union pvr_blkback_slot {
	uint8_t operation;
	struct blkif_x86_64_request x86_64;
	struct blkif_x86_64_request_indirect x86_64_indirect;
	struct blkif_x86_64_request_discard x86_64_discard;
	struct blkif_x86_32_request x86_32;
	struct blkif_x86_32_request_indirect x86_32_indirect;
	struct blkif_x86_32_request_discard x86_32_discard;
};

/* What a request is checked against. */
struct pvr_blkback_facts {
	uint64_t sectors;     /* of 512 bytes */
	uint32_t sector_size; /* bytes, a power of two from 512 to 4096 */
	int readonly;
	int barrier; /* whether a write can be durable with its answer; the engine's word */
	int discard, discard_secure; /* whether it can; the engine's word, too */
	uint32_t discard_granularity, discard_alignment; /* bytes; 0: sector_size, and none */
};

/* What an engine is asked to do. */
enum pvr_blkback_op {
	PVR_BLKBACK_READ,
	PVR_BLKBACK_WRITE,
	PVR_BLKBACK_FLUSH,
	PVR_BLKBACK_DISCARD,
	PVR_BLKBACK_DISCARD_SECURE,
};

/* A run of bytes in one granted page. */
struct pvr_blkback_segment {
	grant_ref_t ref;
	uint16_t offset, length; /* bytes; offset + length is at most a page */
};

/*
 * A FLUSH with segments is two steps: make durable what was answered, then write them (qdisk's
 * reading). A barrier is a FLUSH that waits for all before it, keeps back all behind it, and is
 * durable itself.
 */
struct pvr_blkback_request {
	uint64_t id;       /* the frontend's, for the response */
	uint8_t operation; /* for the response: as in the slot; of an indirect one what it does */
	uint8_t op;        /* enum pvr_blkback_op */
	uint8_t barrier;
	uint8_t indirect; /* the segments stand in page `list`: pvr_blkback_request_segments */
	uint16_t segments;
	grant_ref_t list;
	uint64_t sector; /* as in the slot */
	uint64_t bytes;
	uint64_t offset; /* bytes from the start of the disk */
	struct pvr_blkback_segment segment[BLKIF_MAX_SEGMENTS_PER_REQUEST]; /* unless indirect */
};

enum pvr_blkback_verdict {
	PVR_BLKBACK_GOOD,
	PVR_BLKBACK_UNKNOWN_OP, /* or one that this disk cannot do */
	PVR_BLKBACK_READ_ONLY,
	PVR_BLKBACK_BAD_COUNT,    /* no segments, or more than there may be; no sectors */
	PVR_BLKBACK_BAD_INDIRECT, /* an indirect request of something that is no READ or WRITE */
	PVR_BLKBACK_BAD_SEGMENT,  /* first_sect > last_sect, or last_sect beyond the page */
	PVR_BLKBACK_UNALIGNED,    /* not a multiple of sector-size */
	PVR_BLKBACK_OUT_OF_DISK,
};

/*
 * Check one slot. id and operation of the request are always filled in, because a refused request
 * is answered too; the rest only when it is PVR_BLKBACK_GOOD. One that is indirect then lacks
 * bytes, offset and its segments.
 */
enum pvr_blkback_verdict pvr_blkback_request_parse(const union pvr_blkback_slot *slot,
	enum pvr_blkback_abi abi, const struct pvr_blkback_facts *facts,
	struct pvr_blkback_request *request);

/*
 * The rest of an indirect request: request->segments of `list`, the private copy of what the guest
 * wrote, into as many of `segment`.
 */
enum pvr_blkback_verdict pvr_blkback_request_segments(const struct blkif_request_segment *list,
	const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request,
	struct pvr_blkback_segment *segment);

/* BLKIF_RSP_* that answers a verdict. */
int16_t pvr_blkback_verdict_status(enum pvr_blkback_verdict verdict);

#endif
