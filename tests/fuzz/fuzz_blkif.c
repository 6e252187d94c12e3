/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the block request parser with both layouts and several kinds of disk, and the list of an
 * indirect request. What it lets through must lie within the disk and within its pages, whatever
 * slot and list say.
 */
#include <assert.h>
#include <string.h>

#include "../../blkback/request.h"

static void check(const struct pvr_blkback_request *request,
	const struct pvr_blkback_segment *segment, const struct pvr_blkback_facts *facts)
{
	int discard = request->op >= PVR_BLKBACK_DISCARD;
	uint64_t bytes = 0;

	assert(request->op <= PVR_BLKBACK_DISCARD_SECURE);
	assert(!discard || (facts->discard && request->segments == 0 && request->bytes > 0));
	assert(discard || request->op == PVR_BLKBACK_FLUSH || request->segments > 0);
	assert(!request->barrier || request->op == PVR_BLKBACK_FLUSH);
	assert(!facts->readonly || request->op == PVR_BLKBACK_READ || request->bytes == 0);
	for (unsigned i = 0; i < request->segments; i++) {
		assert(segment[i].length > 0 && segment[i].offset + segment[i].length <= 4096);
		assert(segment[i].offset % facts->sector_size == 0);
		assert(segment[i].length % facts->sector_size == 0);
		bytes += segment[i].length;
	}
	assert(discard || request->bytes == bytes);
	assert(request->bytes % facts->sector_size == 0);
	assert(request->offset % facts->sector_size == 0);
	assert(request->offset <= facts->sectors * 512);
	assert(request->bytes <= facts->sectors * 512 - request->offset);
}

static void parse(const union pvr_blkback_slot *slot, enum pvr_blkback_abi abi,
	const struct pvr_blkback_facts *facts, const struct blkif_request_segment *list)
{
	struct pvr_blkback_segment segment[PVR_BLKBACK_SEGMENTS_MAX];
	struct pvr_blkback_request request;

	if (pvr_blkback_request_parse(slot, abi, facts, &request) != PVR_BLKBACK_GOOD)
		return;
	assert(request.segments <=
		(request.indirect ? PVR_BLKBACK_SEGMENTS_MAX : BLKIF_MAX_SEGMENTS_PER_REQUEST));
	if (!request.indirect)
		check(&request, request.segment, facts);
	else if (pvr_blkback_request_segments(list, facts, &request, segment) == PVR_BLKBACK_GOOD)
		check(&request, segment, facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct pvr_blkback_facts facts = {.sectors = 1u << 20, .sector_size = 512};
	struct blkif_request_segment list[PVR_BLKBACK_SEGMENTS_MAX];
	union pvr_blkback_slot slot;
	size_t length;

	if (size < 1)
		return 0;
	facts.sector_size = bytes[0] & 2 ? 4096 : 512;
	facts.readonly = (bytes[0] & 4) != 0;
	if (bytes[0] & 8)
		facts.sectors = INT64_MAX / 512;
	facts.discard = (bytes[0] & 16) != 0;
	facts.discard_secure = (bytes[0] & 32) != 0;
	memset(&slot, 0, sizeof(slot));
	length = size - 1 < sizeof(slot) ? size - 1 : sizeof(slot);
	memcpy(&slot, bytes + 1, length);
	/* What is left over is the list, again and again. */
	bytes += 1 + length;
	size -= 1 + length;
	for (size_t i = 0; i < sizeof(list); i++)
		((uint8_t *)list)[i] = size ? bytes[i % size] : 0;
	parse(&slot, PVR_BLKBACK_ABI_X86_64, &facts, list);
	parse(&slot, PVR_BLKBACK_ABI_X86_32, &facts, list);
	return 0;
}
