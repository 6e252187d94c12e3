/* SPDX-License-Identifier: MIT */
/* Checks one block request that a frontend wrote. See request.h. */
#include "request.h"

#include <errno.h>
#include <string.h>

#define SECTORS_PER_PAGE (4096u / PVR_BLKBACK_SECTOR)

_Static_assert(PVR_BLKBACK_SEGMENTS_MAX * sizeof(struct blkif_request_segment) <= 4096,
	"an indirect request is listed by one page");

int pvr_blkback_abi_by_name(const char *name, enum pvr_blkback_abi *abi)
{
	if (!name)
		name = XEN_IO_PROTO_ABI_NATIVE;
	if (!strcmp(name, XEN_IO_PROTO_ABI_X86_32)) {
		*abi = PVR_BLKBACK_ABI_X86_32;
		return 0;
	}
	if (!strcmp(name, XEN_IO_PROTO_ABI_X86_64) || !strcmp(name, XEN_IO_PROTO_ABI_ARM)) {
		*abi = PVR_BLKBACK_ABI_X86_64;
		return 0;
	}
	return -EINVAL;
}

/* Copies the fields of one layout, wherever it has them. */
#define RW_FIELDS(slot, view)                                                                      \
	do {                                                                                       \
		(view)->count = (slot)->nr_segments;                                               \
		(view)->id = (slot)->id;                                                           \
		(view)->sector = (slot)->sector_number;                                            \
		(view)->segment = (slot)->seg;                                                     \
	} while (0)
#define INDIRECT_FIELDS(slot, view)                                                                \
	do {                                                                                       \
		(view)->inner = (slot)->indirect_op;                                               \
		(view)->count = (slot)->nr_segments;                                               \
		(view)->id = (slot)->id;                                                           \
		(view)->sector = (slot)->sector_number;                                            \
		(view)->list = (slot)->indirect_grefs[0];                                          \
	} while (0)
#define DISCARD_FIELDS(slot, view)                                                                 \
	do {                                                                                       \
		(view)->inner = (slot)->flag;                                                      \
		(view)->id = (slot)->id;                                                           \
		(view)->sector = (slot)->sector_number;                                            \
		(view)->sectors = (slot)->nr_sectors;                                              \
	} while (0)

/* The fields of a slot whatever its layout. */
struct view {
	uint8_t operation, inner; /* inner: indirect_op or flag */
	uint16_t count;           /* segments */
	grant_ref_t list;
	uint64_t id, sector, sectors;
	const struct blkif_request_segment *segment;
};

static void view_slot(
	const union pvr_blkback_slot *slot, enum pvr_blkback_abi abi, struct view *view)
{
	int narrow = abi == PVR_BLKBACK_ABI_X86_32;

	memset(view, 0, sizeof(*view));
	view->operation = slot->operation;
	if (slot->operation == BLKIF_OP_INDIRECT && narrow)
		INDIRECT_FIELDS(&slot->x86_32_indirect, view);
	else if (slot->operation == BLKIF_OP_INDIRECT)
		INDIRECT_FIELDS(&slot->x86_64_indirect, view);
	else if (slot->operation == BLKIF_OP_DISCARD && narrow)
		DISCARD_FIELDS(&slot->x86_32_discard, view);
	else if (slot->operation == BLKIF_OP_DISCARD)
		DISCARD_FIELDS(&slot->x86_64_discard, view);
	else if (narrow)
		RW_FIELDS(&slot->x86_32, view);
	else
		RW_FIELDS(&slot->x86_64, view);
}

/* Where the request lies: `sectors` from its first one on must be on the disk, and aligned. */
static enum pvr_blkback_verdict place(
	uint64_t sectors, const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request)
{
	uint32_t align = facts->sector_size / PVR_BLKBACK_SECTOR;

	if (request->sector % align || sectors % align)
		return PVR_BLKBACK_UNALIGNED;
	if (request->sector >= facts->sectors || sectors > facts->sectors - request->sector)
		return PVR_BLKBACK_OUT_OF_DISK;
	request->bytes = sectors * PVR_BLKBACK_SECTOR;
	request->offset = request->sector * PVR_BLKBACK_SECTOR;
	return PVR_BLKBACK_GOOD;
}

enum pvr_blkback_verdict pvr_blkback_request_segments(const struct blkif_request_segment *list,
	const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request,
	struct pvr_blkback_segment *segment)
{
	uint32_t align = facts->sector_size / PVR_BLKBACK_SECTOR;
	uint32_t sectors = 0; /* at most 256 * 8: nothing can overflow */

	for (unsigned i = 0; i < request->segments; i++) {
		uint32_t first = list[i].first_sect, last = list[i].last_sect;
		uint32_t count = last - first + 1;

		if (first > last || last >= SECTORS_PER_PAGE)
			return PVR_BLKBACK_BAD_SEGMENT;
		if (first % align || count % align)
			return PVR_BLKBACK_UNALIGNED;
		segment[i] = (struct pvr_blkback_segment){
			.ref = list[i].gref,
			.offset = (uint16_t)(first * PVR_BLKBACK_SECTOR),
			.length = (uint16_t)(count * PVR_BLKBACK_SECTOR),
		};
		sectors += count;
	}
	return place(sectors, facts, request);
}

static enum pvr_blkback_verdict parse_discard(const struct view *view,
	const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request)
{
	int secure = view->inner & BLKIF_DISCARD_SECURE;

	if (!facts->discard || (secure && !facts->discard_secure))
		return PVR_BLKBACK_UNKNOWN_OP;
	if (facts->readonly)
		return PVR_BLKBACK_READ_ONLY;
	if (view->sectors == 0)
		return PVR_BLKBACK_BAD_COUNT;
	request->op = secure ? PVR_BLKBACK_DISCARD_SECURE : PVR_BLKBACK_DISCARD;
	return place(view->sectors, facts, request);
}

/* READ and WRITE, with the segments in the slot or, for an indirect request, elsewhere. */
static enum pvr_blkback_verdict parse_rw(const struct view *view, uint8_t operation,
	const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request)
{
	unsigned max = view->segment ? BLKIF_MAX_SEGMENTS_PER_REQUEST : PVR_BLKBACK_SEGMENTS_MAX;

	request->op = operation == BLKIF_OP_READ ? PVR_BLKBACK_READ : PVR_BLKBACK_WRITE;
	if (view->count == 0 || view->count > max)
		return PVR_BLKBACK_BAD_COUNT;
	if (facts->readonly && request->op == PVR_BLKBACK_WRITE)
		return PVR_BLKBACK_READ_ONLY;
	request->segments = view->count;
	if (view->segment)
		return pvr_blkback_request_segments(
			view->segment, facts, request, request->segment);
	request->indirect = 1;
	request->list = view->list;
	return PVR_BLKBACK_GOOD;
}

/* FLUSH_DISKCACHE and WRITE_BARRIER. A bare one's sector number means nothing. */
static enum pvr_blkback_verdict parse_flush(const struct view *view,
	const struct pvr_blkback_facts *facts, struct pvr_blkback_request *request)
{
	request->op = PVR_BLKBACK_FLUSH;
	request->barrier = view->operation == BLKIF_OP_WRITE_BARRIER;
	if (view->count > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return PVR_BLKBACK_BAD_COUNT;
	if (view->count == 0)
		return PVR_BLKBACK_GOOD;
	if (facts->readonly)
		return PVR_BLKBACK_READ_ONLY;
	request->segments = view->count;
	return pvr_blkback_request_segments(view->segment, facts, request, request->segment);
}

enum pvr_blkback_verdict pvr_blkback_request_parse(const union pvr_blkback_slot *slot,
	enum pvr_blkback_abi abi, const struct pvr_blkback_facts *facts,
	struct pvr_blkback_request *request)
{
	struct view view;

	view_slot(slot, abi, &view);
	request->id = view.id;
	request->operation = view.operation;
	request->sector = view.sector;
	request->barrier = request->indirect = 0;
	request->segments = 0;
	request->bytes = request->offset = 0;
	switch (view.operation) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return parse_rw(&view, view.operation, facts, request);
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		return parse_flush(&view, facts, request);
	case BLKIF_OP_DISCARD:
		return parse_discard(&view, facts, request);
	case BLKIF_OP_INDIRECT:
		/* Linux's blkfront looks for what was done in the answer, not how it was asked. */
		request->operation = view.inner;
		if (view.inner != BLKIF_OP_READ && view.inner != BLKIF_OP_WRITE)
			return PVR_BLKBACK_BAD_INDIRECT;
		return parse_rw(&view, view.inner, facts, request);
	default:
		return PVR_BLKBACK_UNKNOWN_OP;
	}
}

int16_t pvr_blkback_verdict_status(enum pvr_blkback_verdict verdict)
{
	if (verdict == PVR_BLKBACK_GOOD)
		return BLKIF_RSP_OKAY;
	return verdict == PVR_BLKBACK_UNKNOWN_OP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}
