/* SPDX-License-Identifier: MIT */
/* How a worker sleeps when a turn has found nothing, and whether it spins before. All of this is its thread's own. */
#ifndef PVR_BACKEND_SLEEP_H
#define PVR_BACKEND_SLEEP_H

#include "ring.h"

struct pvr_back_sleep {
	int command_fd;             /* eventfd that ends a sleep, and is cleared */
	int may_spin;               /* the frontend may run beside us */
	struct pollfd *fds;         /* pvr_back_sleep_room; the owner frees it */
	uint64_t spin_ns, slept_ns; /* slept_ns: 0 once it has been judged */
	unsigned empty_wakes;
};

/* Room for the descriptors of so many rings: 0 or -ENOMEM. */
int pvr_back_sleep_room(struct pvr_back_sleep *s, unsigned rings);

/* After every turn, which found so much work: was the sleep before it worth a spin? */
void pvr_back_sleep_judge(struct pvr_back_sleep *s, unsigned work);

/* Spin for a moment where that has paid, arm every ring's event, and sleep, unless something turned up meanwhile. */
void pvr_back_sleep(struct pvr_back_sleep *s, struct pvr_back_turn *turn,
	struct pvr_back_ring *rings, unsigned ring_count);

#endif
