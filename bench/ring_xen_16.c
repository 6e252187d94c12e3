/* SPDX-License-Identifier: MIT */
#include <stdint.h>

struct slot {
	uint64_t id;
	uint8_t data[8];
};
#define RING_SLOT struct slot
#include "ring_xen.h"
#include "ring_loop.h"

const struct ring_kind ring_xen_16 = {"public macros", 16, requester_run, responder_run};
