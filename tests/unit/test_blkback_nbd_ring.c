/* SPDX-License-Identifier: MIT */
/* What only a disk of an NBD server does to a ring: an I/O may be over as soon as it is submitted. */
#include "blkback_rig.h"
#include "nbd_rig.h"

#include <poll.h>

/*
 * A barrier with data is a flush and then a write, which a server without FUA cannot do: it is over
 * when it is submitted, when nothing is left to wake the worker.
 */
static void barrier_without_fua(void)
{
	pid_t server;

	nbd_prepare(1 << 20);
	server = nbd_serve((const char *const[]){"--filter=fua", "memory", DISK_BYTES, NULL});
	CU_ASSERT_FATAL(server > 0);
	set_up_on((struct pvr_blkback_spec){.type = "nbd", .params = uri});
	front_put(&front, front_request(&front, BLKIF_OP_WRITE_BARRIER, 1, 0, 0, 1));
	pvr_ring_publish(&front.ring);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 1);
	pvr_blkback_ring_barrier(ring, turn);
	while (!pvr_blkback_turn_finish(turn)) {
		struct pollfd sleeper = {.fd = pvr_blkback_engine_fd(turn->engine[PVR_BLKBACK_NBD]),
			.events = POLLIN};

		CU_ASSERT_EQUAL_FATAL(poll(&sleeper, 1, 5000), 1);
	}
	pvr_blkback_ring_publish(ring, turn->base.host);
	CU_ASSERT_EQUAL(pvr_ring_pending(&front.ring), 1);
	CU_ASSERT_PTR_NULL(ring->barrier);
	serve();
	tear_down();
	nbd_stop(server);
	nbd_remove();
}

PVR_SUITE(blkback_nbd_ring, CASE(barrier_without_fua))
