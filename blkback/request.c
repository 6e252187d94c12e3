/* SPDX-License-Identifier: MIT */
/* Checks one block request that a frontend wrote. See request.h. */
#include "request.h"

#include <errno.h>
#include <string.h>

#define SECTORS_PER_PAGE (4096u / PVR_BLKBACK_SECTOR)

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

/* The fields of a slot whatever its layout. */
struct view {
	uint8_t operation, segments;
	uint64_t id, sector;
	const struct blkif_request_segment *segment;
};

static struct view view_slot(const union pvr_blkback_slot *slot, enum pvr_blkback_abi abi)
{
	const struct blkif_x86_32_request *x32 = &slot->x86_32;
	const struct blkif_x86_64_request *x64 = &slot->x86_64;

	if (abi == PVR_BLKBACK_ABI_X86_32)
		return (struct view){
			x32->operation, x32->nr_segments, x32->id, x32->sector_number, x32->seg};
	return (struct view){
		x64->operation, x64->nr_segments, x64->id, x64->sector_number, x64->seg};
}

static enum pvr_blkback_verdict parse_op(
	const struct view *view, const struct pvr_blkback_facts *facts, uint8_t *op)
{
	switch (view->operation) {
	case BLKIF_OP_READ:
		*op = PVR_BLKBACK_READ;
		break;
	case BLKIF_OP_WRITE:
		*op = PVR_BLKBACK_WRITE;
		break;
	case BLKIF_OP_FLUSH_DISKCACHE:
		*op = PVR_BLKBACK_FLUSH;
		break;
	default:
		return PVR_BLKBACK_UNKNOWN_OP;
	}
	if (view->segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return PVR_BLKBACK_BAD_COUNT;
	if (view->segments == 0 && *op != PVR_BLKBACK_FLUSH)
		return PVR_BLKBACK_BAD_COUNT;
	if (facts->readonly && *op != PVR_BLKBACK_READ && view->segments > 0)
		return PVR_BLKBACK_READ_ONLY;
	return PVR_BLKBACK_GOOD;
}

/* Checks the segments and adds up their sectors: at most 11 * 8, so nothing can overflow. */
static enum pvr_blkback_verdict parse_segments(const struct view *view, uint32_t align,
	struct pvr_blkback_segment *segment, uint32_t *sectors)
{
	*sectors = 0;
	for (unsigned i = 0; i < view->segments; i++) {
		uint32_t first = view->segment[i].first_sect, last = view->segment[i].last_sect;
		uint32_t count = last - first + 1;

		if (first > last || last >= SECTORS_PER_PAGE)
			return PVR_BLKBACK_BAD_SEGMENT;
		if (first % align || count % align)
			return PVR_BLKBACK_UNALIGNED;
		segment[i] = (struct pvr_blkback_segment){
			.ref = view->segment[i].gref,
			.offset = (uint16_t)(first * PVR_BLKBACK_SECTOR),
			.length = (uint16_t)(count * PVR_BLKBACK_SECTOR),
		};
		*sectors += count;
	}
	return PVR_BLKBACK_GOOD;
}

enum pvr_blkback_verdict pvr_blkback_request_parse(const union pvr_blkback_slot *slot,
	enum pvr_blkback_abi abi, const struct pvr_blkback_facts *facts,
	struct pvr_blkback_request *request)
{
	struct view view = view_slot(slot, abi);
	uint32_t align = facts->sector_size / PVR_BLKBACK_SECTOR, sectors;
	enum pvr_blkback_verdict verdict;

	request->id = view.id;
	request->operation = view.operation;
	verdict = parse_op(&view, facts, &request->op);
	if (verdict != PVR_BLKBACK_GOOD)
		return verdict;
	verdict = parse_segments(&view, align, request->segment, &sectors);
	if (verdict != PVR_BLKBACK_GOOD)
		return verdict;
	request->segments = view.segments;
	request->bytes = sectors * PVR_BLKBACK_SECTOR;
	request->offset = 0;
	if (sectors == 0) /* a bare flush: its sector number means nothing */
		return PVR_BLKBACK_GOOD;
	if (view.sector % align)
		return PVR_BLKBACK_UNALIGNED;
	if (view.sector >= facts->sectors || sectors > facts->sectors - view.sector)
		return PVR_BLKBACK_OUT_OF_DISK;
	request->offset = view.sector * PVR_BLKBACK_SECTOR;
	return PVR_BLKBACK_GOOD;
}

int16_t pvr_blkback_verdict_status(enum pvr_blkback_verdict verdict)
{
	if (verdict == PVR_BLKBACK_GOOD)
		return BLKIF_RSP_OKAY;
	return verdict == PVR_BLKBACK_UNKNOWN_OP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}
