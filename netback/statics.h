/* SPDX-License-Identifier: MIT */
/*
 * Static grants of a queue: pages that its frontend asked to keep mapped, found by their reference.
 * The table holds what was mapped, and does not map. Under the queue's lock.
 */
#ifndef PVR_NETBACK_STATICS_H
#define PVR_NETBACK_STATICS_H

#include <pvring/host.h>

#define PVR_NETBACK_STATICS_MAX     512u
#define PVR_NETBACK_STATICS_BUCKETS 1024u

struct pvr_netback_static {
	struct pvr_host_map map;
	uint16_t next;  /* in its bucket or among the free ones: index + 1; 0: the last */
	uint16_t users; /* buffers waiting for a packet that are this page: it cannot go */
};

struct pvr_netback_statics {
	unsigned count;
	uint16_t free;
	uint16_t bucket[PVR_NETBACK_STATICS_BUCKETS];
	struct pvr_netback_static entry[PVR_NETBACK_STATICS_MAX];
};

void pvr_netback_statics_init(struct pvr_netback_statics *statics);
/* The page of `ref`, or NULL. */
struct pvr_netback_static *pvr_netback_statics_find(
	struct pvr_netback_statics *statics, grant_ref_t ref);
/* Keep a mapped page: 0, -EEXIST or -ENOSPC. */
int pvr_netback_statics_add(struct pvr_netback_statics *statics, const struct pvr_host_map *map);
/* Forget it; *map is for the caller to unmap. 0, -ENOENT, or -EBUSY. */
int pvr_netback_statics_remove(
	struct pvr_netback_statics *statics, grant_ref_t ref, struct pvr_host_map *map);

#endif
