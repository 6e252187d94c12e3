/* SPDX-License-Identifier: MIT */
/* What the files of dom0's port share: a handle and the domains it has opened. */
#ifndef PVR_DOM0_INTERNAL_H
#define PVR_DOM0_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/gnttab.h>
#include <pvring/hypervisor.h>

#include "../host/internal.h"

#define PAGE_SIZE 4096u
#define PORTS     ((uint32_t)EVTCHN_2L_NR_CHANNELS)

/*
 * One generation of a domain: its memory and its grant table's books, mapped. It stays while a page
 * of it is mapped through this handle or, for the newest generation, an event channel is bound.
 */
struct foreign {
	struct foreign *next;
	struct pvr_gnttab table;
	uint64_t generation;
	char *memory;
	size_t bytes;
	size_t books_bytes;
	int memory_fd; /* for areas */
	int stale;     /* the domain has a newer generation or none */
	uint32_t mapped;
	uint32_t ports;
};

struct dom0_port {
	struct foreign *foreign;
	int rx, tx;
};

struct dom0 {
	struct pvr_host base;
	int control;
	uint32_t client;
	struct pvr_maptrack *tracks;
	uint32_t tracks_count;
	uint32_t free_count;
	uint32_t *free;          /* handles not in use, a stack */
	struct foreign **owner;  /* of each handle in use */
	struct foreign *foreign; /* opened, the last used first */
	struct dom0_port *ports;
	int epoll;
};

/* foreign.c: the current generation as this handle knows it, opened if it is not known; NULL: no
 * such domain. */
struct foreign *foreign_get(struct dom0 *host, domid_t domid);
/* Ask the hypervisor for the current generation. 0 or a negative errno; *foreign is then set. */
int foreign_refresh(struct dom0 *host, domid_t domid, struct foreign **foreign);
/* Forget it if nothing holds it any more. */
void foreign_put(struct dom0 *host, struct foreign *foreign);
void foreign_close_all(struct dom0 *host);

static inline struct dom0 *dom0_of(struct pvr_host *base)
{
	return (struct dom0 *)base;
}

/* evtchn.c, grant.c: this part of opening and closing a handle. */
int evtchn_open(struct dom0 *host);
void evtchn_close(struct dom0 *host);
int grant_open(struct dom0 *host, int maptrack_fd, uint32_t entries);
void grant_close(struct dom0 *host);

/* grant.c, evtchn.c */
extern const struct host_grant_ops dom0_grants;
extern const struct host_evtchn_ops dom0_evtchns;

#endif
