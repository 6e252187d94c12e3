/* SPDX-License-Identifier: MIT */
#include <stdint.h>

struct slot {
	uint64_t id;
	uint8_t data[8];
};
#define RING_SLOT struct slot
#include "ring_pvring.h"
#include "ring_loop.h"

const struct ring_kind ring_pvring_16 = {"pvring", 16, requester_run, responder_run};
