/* SPDX-License-Identifier: MIT */
/* What the frontends' own files share and no user of the library sees. */
#ifndef PVR_RINGS_INTERNAL_H
#define PVR_RINGS_INTERNAL_H

#include <pvring/port.h>

/* The facts of boot, as pvr_init got them; constant afterwards. */
extern struct pvr_boot pvr_boot_facts;

int pvr_grant_init(void);
int pvr_evtchn_init(void);
int pvr_store_init(void);

/*
 * A mutex that sleeps, for thread context; zeroed is unlocked. The port lock cannot serve where the
 * holder may sleep.
 */
struct pvr_mutex {
	_Atomic uint32_t state; /* 0 free, 1 held, 2 held and wanted by others */
};

void pvr_mutex_lock(struct pvr_mutex *mutex);

/* Nonzero when it was free and is now held; else its holder is told that it is wanted. */
int pvr_mutex_trylock(struct pvr_mutex *mutex);

/* Nonzero when others wanted the mutex while it was held. */
int pvr_mutex_unlock(struct pvr_mutex *mutex);

/* Wait for `ns` without a particular reason to wake up. Thread context. */
void pvr_pause(uint64_t ns);

#endif
