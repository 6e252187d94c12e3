/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the page-table validator: eight bytes are an operation, and after each one the validator's
 * own check, the model and the tables must agree. The first byte chooses the number of levels.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/mmu_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct mmu_geometry geometry;
	struct mmu_rig *rig;
	uint64_t bits;

	if (size < 1)
		return 0;
	geometry = mmu_rig_tiny(3 + (*bytes & 1));
	rig = mmu_rig_new(&geometry, 32);
	if (!rig)
		return 0;
	for (bytes++, size--; size >= sizeof(bits); size -= sizeof(bits), bytes += sizeof(bits)) {
		const char *wrong;

		memcpy(&bits, bytes, sizeof(bits));
		mmu_rig_do(rig, mmu_rig_decode(rig, bits));
		wrong = mmu_rig_check(rig);
		if (wrong) {
			fprintf(stderr, "mmu: %s\n", wrong);
			abort();
		}
	}
	mmu_rig_free(rig);
	return 0;
}
