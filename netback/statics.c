/* SPDX-License-Identifier: MIT */
/* The table of static grants. See statics.h. */
#include "statics.h"

#include <errno.h>
#include <string.h>

/* References are small and come in rows: their low bits spread them well. */
static uint16_t *bucket_of(struct pvr_netback_statics *statics, grant_ref_t ref)
{
	return &statics->bucket[ref % PVR_NETBACK_STATICS_BUCKETS];
}

void pvr_netback_statics_init(struct pvr_netback_statics *statics)
{
	memset(statics, 0, sizeof(*statics));
	for (unsigned i = 0; i + 1 < PVR_NETBACK_STATICS_MAX; i++)
		statics->entry[i].next = (uint16_t)(i + 2);
	statics->free = 1;
}

struct pvr_netback_static *pvr_netback_statics_find(
	struct pvr_netback_statics *statics, grant_ref_t ref)
{
	uint16_t at = *bucket_of(statics, ref);

	while (at && statics->entry[at - 1].map.ref != ref)
		at = statics->entry[at - 1].next;
	return at ? &statics->entry[at - 1] : NULL;
}

int pvr_netback_statics_add(struct pvr_netback_statics *statics, const struct pvr_host_map *map)
{
	uint16_t *bucket = bucket_of(statics, map->ref), at = statics->free;
	struct pvr_netback_static *entry;

	if (pvr_netback_statics_find(statics, map->ref))
		return -EEXIST;
	if (!at)
		return -ENOSPC;
	entry = &statics->entry[at - 1];
	statics->free = entry->next;
	*entry = (struct pvr_netback_static){.map = *map, .next = *bucket};
	*bucket = at;
	statics->count++;
	return 0;
}

int pvr_netback_statics_remove(
	struct pvr_netback_statics *statics, grant_ref_t ref, struct pvr_host_map *map)
{
	struct pvr_netback_static *entry = pvr_netback_statics_find(statics, ref);
	uint16_t *link = bucket_of(statics, ref), at;

	if (!entry)
		return -ENOENT;
	if (entry->users)
		return -EBUSY;
	at = (uint16_t)(entry - statics->entry + 1);
	while (*link != at)
		link = &statics->entry[*link - 1].next;
	*link = entry->next;
	*map = entry->map;
	entry->next = statics->free;
	statics->free = at;
	statics->count--;
	return 0;
}
