/* SPDX-License-Identifier: MIT */
/* Persistent grants of a ring: a hash by reference, and those not in use in order of their last
 * use. See grants.h. */
#include "grants.h"

#include <assert.h>
#include <stdlib.h>

struct pvr_blkback_grants *pvr_blkback_grants_create(void)
{
	struct pvr_blkback_grants *grants = calloc(1, sizeof(*grants));

	if (grants)
		TAILQ_INIT(&grants->idle); /* an empty LIST is zero */
	return grants;
}

/* References of one frontend lie close together, so their low bits are a good hash. */
static unsigned bucket_of(grant_ref_t ref)
{
	return ref % PVR_BLKBACK_GRANTS_BUCKETS;
}

static struct pvr_blkback_grant *find(
	struct pvr_blkback_grants *grants, grant_ref_t ref, int readonly)
{
	struct pvr_blkback_grant *grant;

	LIST_FOREACH(grant, &grants->buckets[bucket_of(ref)], bucket)
	if (grant->map.ref == ref && grant->map.readonly == readonly)
		return grant;
	return NULL;
}

struct pvr_blkback_grant *pvr_blkback_grants_get(
	struct pvr_blkback_grants *grants, grant_ref_t ref, int readonly)
{
	struct pvr_blkback_grant *grant = find(grants, ref, 0);

	if (!grant && readonly)
		grant = find(grants, ref, 1);
	if (grant && grant->users++ == 0)
		TAILQ_REMOVE(&grants->idle, grant, idle);
	return grant;
}

struct pvr_blkback_grant *pvr_blkback_grants_keep(
	struct pvr_blkback_grants *grants, const struct pvr_host_map *map)
{
	struct pvr_blkback_grant *grant;

	if (grants->count == PVR_BLKBACK_GRANTS_MAX || find(grants, map->ref, map->readonly))
		return NULL;
	grant = malloc(sizeof(*grant));
	if (!grant)
		return NULL;
	grant->map = *map;
	grant->users = 1;
	LIST_INSERT_HEAD(&grants->buckets[bucket_of(map->ref)], grant, bucket);
	grants->count++;
	return grant;
}

void pvr_blkback_grants_put(
	struct pvr_blkback_grants *grants, struct pvr_blkback_grant *grant, uint64_t now_ns)
{
	assert(grant->users > 0);
	if (--grant->users)
		return;
	grant->used_ns = now_ns;
	TAILQ_INSERT_TAIL(&grants->idle, grant, idle);
}

/* Unmaps the least recently used of those not in use. */
static void drop_first(struct pvr_blkback_grants *grants, struct pvr_host *host)
{
	struct pvr_blkback_grant *grant = TAILQ_FIRST(&grants->idle);

	TAILQ_REMOVE(&grants->idle, grant, idle);
	LIST_REMOVE(grant, bucket);
	grants->count--;
	pvr_host_unmap(host, &grant->map, 1);
	free(grant);
}

unsigned pvr_blkback_grants_drop(struct pvr_blkback_grants *grants, struct pvr_host *host)
{
	unsigned before = grants->count;

	while (!TAILQ_EMPTY(&grants->idle))
		drop_first(grants, host);
	return before - grants->count;
}

void pvr_blkback_grants_prune(
	struct pvr_blkback_grants *grants, struct pvr_host *host, uint64_t now_ns)
{
	unsigned surplus = grants->count == PVR_BLKBACK_GRANTS_MAX ? PVR_BLKBACK_GRANTS_PRUNE : 0;
	struct pvr_blkback_grant *grant;

	if (now_ns - grants->pruned_ns < PVR_BLKBACK_GRANTS_PRUNE_NS)
		return;
	grants->pruned_ns = now_ns;
	while ((grant = TAILQ_FIRST(&grants->idle)) &&
		(surplus || now_ns - grant->used_ns >= PVR_BLKBACK_GRANTS_IDLE_NS)) {
		drop_first(grants, host);
		surplus -= surplus > 0;
	}
}

void pvr_blkback_grants_destroy(struct pvr_blkback_grants *grants, struct pvr_host *host)
{
	if (!grants)
		return;
	pvr_blkback_grants_drop(grants, host);
	assert(grants->count == 0);
	free(grants);
}
