/* SPDX-License-Identifier: MIT */
#include <stdint.h>

struct slot {
	uint64_t id;
	uint8_t data[104];
};
#define RING_SLOT struct slot
#include "ring_pvring.h"
#include "ring_loop.h"

const struct ring_kind ring_pvring_112 = {"pvring", 112, requester_run, responder_run};
