/* SPDX-License-Identifier: MIT */
/* What the rings of every kind have in common. See ring.h. */
#include "ring.h"

#include <errno.h>
#include <time.h>

uint64_t pvr_back_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int pvr_back_ring_break(struct pvr_back_ring *ring, const char *error)
{
	ring->error = error;
	atomic_store_explicit(&ring->state, PVR_BACK_BROKEN, memory_order_release);
	return -EPROTO;
}

int pvr_back_ring_bind(struct pvr_back_ring *ring, struct pvr_host *host, unsigned index,
	domid_t domid, evtchn_port_t port)
{
	int result = pvr_host_evtchn_bind(host, domid, port);

	if (result < 0)
		return result;
	ring->ports[index] = (evtchn_port_t)result;
	return 0;
}

void pvr_back_ring_unbind(struct pvr_back_ring *ring, struct pvr_host *host)
{
	for (unsigned i = 0; i < PVR_BACK_PORTS; i++) {
		if (ring->ports[i])
			pvr_host_evtchn_unbind(host, ring->ports[i]);
		ring->ports[i] = 0;
	}
}
