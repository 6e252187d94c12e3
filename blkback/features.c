/* SPDX-License-Identifier: MIT */
/* The nodes of a connected disk. Source of names and meanings: io/blkif.h. */
#include "features.h"

#include <inttypes.h>

static void add(struct pvr_back_nodes *nodes, const char *name, uint64_t value)
{
	pvr_back_nodes_add(nodes, name, "%" PRIu64, value);
}

void pvr_blkback_features(const struct pvr_blkback_disk *disk, struct pvr_back_nodes *nodes)
{
	const struct pvr_blkback_facts *facts = &disk->facts;

	add(nodes, "sectors", facts->sectors);
	add(nodes, "sector-size", facts->sector_size);
	add(nodes, "physical-sector-size", disk->physical_size);
	add(nodes, "info", facts->readonly ? VDISK_READONLY : 0);
	add(nodes, "feature-flush-cache", 1);
	add(nodes, "feature-barrier", facts->barrier ? 1 : 0);
	add(nodes, "feature-persistent", 1);
	add(nodes, "feature-max-indirect-segments", PVR_BLKBACK_SEGMENTS_MAX);
	if (!facts->discard || facts->readonly)
		return;
	add(nodes, "feature-discard", 1);
	add(nodes, "discard-granularity",
		facts->discard_granularity ? facts->discard_granularity : facts->sector_size);
	add(nodes, "discard-alignment", facts->discard_alignment);
	if (facts->discard_secure)
		add(nodes, "discard-secure", 1);
}
