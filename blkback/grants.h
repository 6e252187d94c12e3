/* SPDX-License-Identifier: MIT */
/*
 * Persistent grants: pages of a frontend that stay mapped from one request to the next. Each ring
 * has its own, at most PVR_BLKBACK_GRANTS_MAX; the rest is mapped and unmapped as ever. As Linux's
 * blkback does it, so that a frontend finds what it is used to.
 */
#ifndef PVR_BLKBACK_GRANTS_H
#define PVR_BLKBACK_GRANTS_H

#include <sys/queue.h>

#include <pvring/host.h>

#define PVR_BLKBACK_GRANTS_MAX      1056u
#define PVR_BLKBACK_GRANTS_PRUNE    52u            /* twentieth part: gone a turn when full */
#define PVR_BLKBACK_GRANTS_PRUNE_NS 100000000ull   /* between two looks */
#define PVR_BLKBACK_GRANTS_IDLE_NS  60000000000ull /* unused for this long: unmapped */
#define PVR_BLKBACK_GRANTS_BUCKETS  1024u

/* A page that stays mapped. A reader may use a writable one; the other way round it is two. */
struct pvr_blkback_grant {
	LIST_ENTRY(pvr_blkback_grant) bucket;
	TAILQ_ENTRY(pvr_blkback_grant) idle; /* while users is 0 */
	struct pvr_host_map map;
	unsigned users; /* pages of requests that are it */
	uint64_t used_ns;
};

struct pvr_blkback_grants {
	unsigned count;
	uint64_t pruned_ns;
	TAILQ_HEAD(, pvr_blkback_grant) idle; /* least recently used first */
	LIST_HEAD(, pvr_blkback_grant) buckets[PVR_BLKBACK_GRANTS_BUCKETS];
};

/* NULL: no memory. */
struct pvr_blkback_grants *pvr_blkback_grants_create(void);
/* Unmaps everything; nothing is in use. NULL is allowed. */
void pvr_blkback_grants_destroy(struct pvr_blkback_grants *grants, struct pvr_host *host);

/* One that is mapped already, in use from now on; or NULL. */
struct pvr_blkback_grant *pvr_blkback_grants_get(
	struct pvr_blkback_grants *grants, grant_ref_t ref, int readonly);
/* Keep a page that was just mapped, in use; NULL when it is not kept: there is one, or no room. */
struct pvr_blkback_grant *pvr_blkback_grants_keep(
	struct pvr_blkback_grants *grants, const struct pvr_host_map *map);
void pvr_blkback_grants_put(
	struct pvr_blkback_grants *grants, struct pvr_blkback_grant *grant, uint64_t now_ns);

/* Unmap everything that is not in use: how many. */
unsigned pvr_blkback_grants_drop(struct pvr_blkback_grants *grants, struct pvr_host *host);

/* Unmap what has long been unused, and some more when there is no room; does nothing when called
 * again too soon. */
void pvr_blkback_grants_prune(
	struct pvr_blkback_grants *grants, struct pvr_host *host, uint64_t now_ns);

#endif
