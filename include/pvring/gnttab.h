/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's half of the grant table: who has which page mapped how often, and the bits in the
 * guest's entry that say so. Pure code over shared memory, run by whoever maps: a dom0 process does a map
 * here as a function call, the daemon cleans up after a process that died in the middle.
 *
 * Three tables:
 *   shared    struct grant_entry_v1[], in the guest's memory; hostile
 *   books     struct pvr_grant_book[], one an entry, memory of the daemon and of dom0 only; a guest never sees it
 *   maptrack  struct pvr_maptrack[], one table a dom0 connection: what that connection has mapped
 *
 * A book entry is locked by a word that names its owner, so that the daemon can break the lock of a
 * process that died. It then counts the pins anew from the maptracks, which is why a maptrack entry
 * changes only under the lock of the book entry it points to.
 */
#ifndef PVR_GNTTAB_H
#define PVR_GNTTAB_H

#include <stdatomic.h>
#include <stdint.h>

#include <pvring/xen/grant_table.h>
#include <pvring/xen/xen.h>

#define PVR_GRANTS_PER_FRAME (4096u / sizeof(struct grant_entry_v1))

struct pvr_grant_book {
	_Atomic uint32_t lock; /* 0, or the number of the client that holds it */
	uint32_t readers;      /* mappings for reading only */
	uint32_t writers;      /* mappings for writing too */
	uint32_t frame;        /* while any: the frame that was checked, whatever the guest's entry says by now */
};

enum pvr_maptrack_state {
	PVR_MAPTRACK_FREE = 0,
	PVR_MAPTRACK_READ = 1,
	PVR_MAPTRACK_WRITE = 2,
};

struct pvr_maptrack {
	_Atomic uint32_t state; /* enum pvr_maptrack_state */
	uint32_t ref;
	uint32_t domid;
	uint32_t generation; /* low bits of the domain's */
};

/* One domain's table as seen from one client. */
struct pvr_gnttab {
	struct grant_entry_v1 *shared;
	struct pvr_grant_book *books;
	uint32_t entries;
	uint32_t first_frame; /* frames below, and from last_frame on, are not the guest's to grant */
	uint32_t last_frame;
	uint32_t domid;
	uint32_t generation;
	uint32_t client; /* who we are in lock words; not 0 */
};

/*
 * Map `ref` for domain `who` (0: dom0). On GNTST_okay the entry carries GTF_reading (and GTF_writing unless
 * readonly) and *frame is the frame that was checked. `track` is a free entry of the caller's maptrack
 * and is filled in. Otherwise a negative GNTST_*: bad_gntref (beyond the table, or no grant of access there),
 * permission_denied (not granted to `who`, or read-only asked for writing), bad_page (a frame that is not
 * the guest's), no_space (counter full), eagain (the entry is locked or changes under us: bounded, the guest
 * cannot make us loop).
 */
int16_t pvr_gnttab_map(struct pvr_gnttab *table, domid_t who, grant_ref_t ref, int readonly,
	struct pvr_maptrack *track, uint32_t *frame);

/*
 * Give one mapping back; clears GTF_writing with the last writer and GTF_reading with the last of all. bad_handle:
 * `track` is free or is not of this table. eagain: the entry stays locked by another client, which is
 * stopped or dead; the mapping stays and goes with the connection.
 */
int16_t pvr_gnttab_unmap(struct pvr_gnttab *table, struct pvr_maptrack *track);

/*
 * The daemon, when client `dead` is gone: for every track of `tracks[]` that names this table's domain and
 * generation, give the mapping back; break locks it held and recount those entries from all live maptracks
 * (tables[] of tables_count, `entries` each; `tracks` itself may be among them and is left out). Returns how many
 * mappings remain because yet another client holds the lock: that one is dying too, or stopped. Call again
 * once it is recovered, and keep `tracks` in tables[] till then.
 */
unsigned pvr_gnttab_recover(struct pvr_gnttab *table, uint32_t dead, struct pvr_maptrack *tracks,
	struct pvr_maptrack *const *tables, unsigned tables_count, uint32_t entries);

/* Pages mapped at the moment: entries with a reader or a writer. For statistics; not a snapshot. */
uint32_t pvr_gnttab_mapped(const struct pvr_gnttab *table);

#endif
