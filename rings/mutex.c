/* SPDX-License-Identifier: MIT */
/* A sleeping mutex and a pause, on the port's wait and wake. */
#include "internal.h"

/*
 * Whoever finds the mutex held leaves 2 behind, so that the holder knows of a waiter. A waiter
 * takes the mutex as 2 as well: it cannot know whether others wait.
 *
 * LOCK (acquire, on taking) and UNLOCK (release, on giving back) pair: without them the next holder
 * could see the protected data as it was before the last holder's changes.
 */
int pvr_mutex_trylock(struct pvr_mutex *mutex)
{
	uint32_t free = 0;

	if (atomic_compare_exchange_strong_explicit(
		    &mutex->state, &free, 1, memory_order_acquire, memory_order_relaxed))
		return 1;
	return atomic_exchange_explicit(&mutex->state, 2, memory_order_acquire) == 0;
}

void pvr_mutex_lock(struct pvr_mutex *mutex)
{
	while (!pvr_mutex_trylock(mutex))
		pvr_port_wait(&mutex->state, 2, UINT64_MAX);
}

int pvr_mutex_unlock(struct pvr_mutex *mutex)
{
	if (atomic_exchange_explicit(&mutex->state, 0, memory_order_release) != 2)
		return 0;
	pvr_port_wake(&mutex->state);
	return 1;
}

void pvr_pause(uint64_t ns)
{
	_Atomic uint32_t nobody = 0;
	uint64_t until = pvr_port_now_ns() + ns;

	while (pvr_port_now_ns() < until)
		pvr_port_wait(&nobody, 0, until);
}
