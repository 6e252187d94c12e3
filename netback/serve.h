/* SPDX-License-Identifier: MIT */
/* A queue as its worker sees it. */
#ifndef PVR_NETBACK_SERVE_H
#define PVR_NETBACK_SERVE_H

#include "../backend/ring.h"
#include "queue.h"

/*
 * Wrap a queue for a worker. It is not destroyed with its ring: the others of its interface may
 * know it until all are back. NULL: no memory.
 */
struct pvr_back_ring *pvr_netback_ring_create(struct pvr_netback_queue *queue);

extern const struct pvr_back_turn_ops pvr_netback_turn_ops;

#endif
