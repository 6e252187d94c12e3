/* SPDX-License-Identifier: MIT */
/* Rings go to the workers and come back. See lent.h. */
#include "lent.h"

int pvr_back_lent_any(const struct pvr_back_device *device)
{
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++)
		if (device->lent[i].ring)
			return 1;
	return 0;
}

int pvr_back_lent_live(const struct pvr_back_device *device)
{
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++)
		if (device->lent[i].ring &&
			pvr_back_ring_state(device->lent[i].ring) != PVR_BACK_LIVE)
			return 0;
	return 1;
}

int pvr_back_lent_returned(struct pvr_back_device *device)
{
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++) {
		struct pvr_back_ring *ring = device->lent[i].ring;

		if (ring && !atomic_load_explicit(&ring->leave, memory_order_relaxed))
			pvr_back_worker_remove(device->lent[i].worker, ring);
	}
	return !pvr_back_lent_any(device);
}

const char *pvr_back_lent_settle(struct pvr_back_device *device, unsigned i)
{
	struct pvr_back_ring *ring = device->lent[i].ring;
	int state = ring ? pvr_back_ring_state(ring) : PVR_BACK_LIVE;
	const char *error = NULL;

	if (state == PVR_BACK_FAILED || state == PVR_BACK_BROKEN)
		error = ring->error;
	if (state == PVR_BACK_FAILED || state == PVR_BACK_GONE) {
		ring->ops->destroy(ring);
		device->lent[i].ring = NULL;
	}
	return error;
}

unsigned pvr_back_lent_rewound(const struct pvr_back_device *device)
{
	unsigned count = 0;

	for (unsigned i = 0; i < PVR_BACK_RINGS; i++)
		count += device->lent[i].ring ? device->lent[i].ring->rewound : 0;
	return count;
}

void pvr_back_lent_destroy(struct pvr_back_device *device)
{
	for (unsigned i = 0; i < PVR_BACK_RINGS; i++)
		if (device->lent[i].ring)
			device->lent[i].ring->ops->destroy(device->lent[i].ring);
}

/* The rings of a device go to the workers in turn, so that they are spread over all. */
void pvr_back_device_lend(
	struct pvr_back_device *device, unsigned i, struct pvr_back_ring *ring, unsigned with)
{
	struct pvr_back_home *home = device->home;
	struct pvr_back_worker *worker = device->lent[with].worker;

	if (with == i)
		worker = home->workers[home->next_worker++ % home->worker_count];
	device->lent[i].ring = ring;
	device->lent[i].worker = worker;
	pvr_back_worker_add(worker, ring);
}
