/* SPDX-License-Identifier: MIT */
/* The nodes of a connected disk. Source of names and meanings: io/blkif.h. */
#include "features.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

struct list {
	struct pvr_blkback_node *nodes;
	unsigned count;
};

static void add(struct list *list, const char *name, uint64_t value)
{
	struct pvr_blkback_node *node = &list->nodes[list->count++];

	assert(list->count <= PVR_BLKBACK_FEATURES);
	node->name = name;
	snprintf(node->value, sizeof(node->value), "%" PRIu64, value);
}

unsigned pvr_blkback_features(
	const struct pvr_blkback_disk *disk, struct pvr_blkback_node nodes[PVR_BLKBACK_FEATURES])
{
	const struct pvr_blkback_facts *facts = &disk->facts;
	struct list list = {nodes, 0};

	add(&list, "sectors", facts->sectors);
	add(&list, "sector-size", facts->sector_size);
	add(&list, "physical-sector-size", disk->physical_size);
	add(&list, "info", facts->readonly ? VDISK_READONLY : 0);
	add(&list, "feature-flush-cache", 1);
	add(&list, "feature-barrier", facts->barrier ? 1 : 0);
	add(&list, "feature-persistent", 1);
	add(&list, "feature-max-indirect-segments", PVR_BLKBACK_SEGMENTS_MAX);
	if (!facts->discard || facts->readonly)
		return list.count;
	add(&list, "feature-discard", 1);
	add(&list, "discard-granularity",
		facts->discard_granularity ? facts->discard_granularity : facts->sector_size);
	add(&list, "discard-alignment", facts->discard_alignment);
	if (facts->discard_secure)
		add(&list, "discard-secure", 1);
	return list.count;
}
