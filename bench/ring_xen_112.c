/* SPDX-License-Identifier: MIT */
#include <stdint.h>

struct slot {
	uint64_t id;
	uint8_t data[104];
};
#define RING_SLOT struct slot
#include "ring_xen.h"
#include "ring_loop.h"

const struct ring_kind ring_xen_112 = {"public macros", 112, requester_run, responder_run};
