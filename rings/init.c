/* SPDX-License-Identifier: MIT */
/* The library's start: check the facts of boot, then hand them to each part. */
#include "internal.h"

#include <errno.h>

#define GRANT_FRAMES_MAX 64u

struct pvr_boot pvr_boot_facts;

static int possible(const struct pvr_boot *boot)
{
	return boot->shared_info && boot->store_ring && boot->grant_table && boot->vcpus >= 1 &&
	       boot->grant_frames >= 1 && boot->grant_frames <= GRANT_FRAMES_MAX &&
	       boot->store_port > 0 && boot->store_port < EVTCHN_2L_NR_CHANNELS;
}

int pvr_init(const struct pvr_boot *boot)
{
	int r;

	if (!possible(boot))
		return -EINVAL;
	pvr_boot_facts = *boot;
	r = pvr_grant_init();
	if (!r)
		r = pvr_evtchn_init();
	if (!r)
		r = pvr_store_init();
	return r;
}
