/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the block request parser with both layouts and both kinds of disk. What it lets through
 * must lie within the disk and within its pages, whatever the slot says.
 */
#include <assert.h>
#include <string.h>

#include "../../blkback/request.h"

static void check(const struct pvr_blkback_request *request, const struct pvr_blkback_facts *facts)
{
	uint64_t bytes = 0;

	assert(request->segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
	assert(request->op <= PVR_BLKBACK_FLUSH);
	assert(request->op == PVR_BLKBACK_FLUSH || request->segments > 0);
	assert(!facts->readonly || request->op == PVR_BLKBACK_READ || request->segments == 0);
	for (unsigned i = 0; i < request->segments; i++) {
		const struct pvr_blkback_segment *segment = &request->segment[i];

		assert(segment->length > 0 && segment->offset + segment->length <= 4096);
		assert(segment->offset % facts->sector_size == 0);
		assert(segment->length % facts->sector_size == 0);
		bytes += segment->length;
	}
	assert(request->bytes == bytes);
	assert(request->offset % facts->sector_size == 0);
	assert(request->offset <= facts->sectors * 512);
	assert(bytes <= facts->sectors * 512 - request->offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct pvr_blkback_facts facts = {.sectors = 1u << 20, .sector_size = 512};
	struct pvr_blkback_request request;
	union pvr_blkback_slot slot;
	enum pvr_blkback_abi abi;

	if (size < 1)
		return 0;
	abi = bytes[0] & 1 ? PVR_BLKBACK_ABI_X86_32 : PVR_BLKBACK_ABI_X86_64;
	facts.sector_size = bytes[0] & 2 ? 4096 : 512;
	facts.readonly = (bytes[0] & 4) != 0;
	if (bytes[0] & 8)
		facts.sectors = INT64_MAX / 512;
	memset(&slot, 0, sizeof(slot));
	size = size - 1 < sizeof(slot) ? size - 1 : sizeof(slot);
	memcpy(&slot, bytes + 1, size);
	if (pvr_blkback_request_parse(&slot, abi, &facts, &request) == PVR_BLKBACK_GOOD)
		check(&request, &facts);
	return 0;
}
