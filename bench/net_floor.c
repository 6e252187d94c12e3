/* SPDX-License-Identifier: MIT */
/*
 * What moving packets between two processes costs at the least: a ring in shared memory, the sender copies a
 * packet into a slot, the receiver reads its first word. No grants, no validation, no protocol, nobody sleeps.
 */
#include "net_bench.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pvring/ring.h>

#include "bench.h"

#define SLOTS 256u /* as a ring of netif; a packet takes as many as it needs */
#define BATCH 64u
#define SLOT  4096u

struct floor_ring {
	struct bench_gate gate;
	_Atomic int stop;
	_Alignas(64) _Atomic uint32_t produced;
	_Alignas(64) _Atomic uint32_t consumed;
	_Alignas(64) uint8_t data[SLOTS][SLOT];
};

static void produce(struct floor_ring *ring, uint32_t bytes)
{
	static const uint8_t packet[SLOT];
	uint32_t put = 0, slots = (bytes + SLOT - 1) / SLOT;

	bench_pin(1);
	bench_gate_pass(&ring->gate, 2);
	while (!atomic_load_explicit(&ring->stop, memory_order_relaxed)) {
		uint32_t used = put - atomic_load_explicit(&ring->consumed, memory_order_acquire);

		for (uint32_t i = 0; i < BATCH && used + slots <= SLOTS; i++, used += slots)
			for (uint32_t left = bytes; left; put++) {
				uint32_t part = left < SLOT ? left : SLOT;

				memcpy(ring->data[put % SLOTS], packet, part);
				left -= part;
			}
		atomic_store_explicit(&ring->produced, put, memory_order_release);
	}
}

static uint64_t consume(struct floor_ring *ring, const struct net_job *job, uint64_t *seen)
{
	uint64_t end, packets = 0;
	uint32_t got = 0, slots = (job->bytes + SLOT - 1) / SLOT;

	bench_gate_pass(&ring->gate, 2);
	end = bench_now_ns() + job->ns;
	while (bench_now_ns() < end) {
		uint32_t put = atomic_load_explicit(&ring->produced, memory_order_acquire);

		for (uint32_t i = 0; i < BATCH && got != put; i++, got += slots, packets++) {
			uint64_t first;

			memcpy(&first, ring->data[got % SLOTS], sizeof(first));
			*seen += first;
		}
		atomic_store_explicit(&ring->consumed, got, memory_order_release);
	}
	return packets;
}

/* Both directions are alike here. */
void net_run_floor(const struct net_job *job, struct net_result *result)
{
	struct floor_ring *ring = bench_shared(sizeof(*ring));
	uint64_t begin, seen = 0;
	pid_t child = fork();

	if (child == 0) {
		produce(ring, job->bytes);
		_exit(0);
	}
	begin = bench_now_ns();
	*result = (struct net_result){.error = child < 0 ? -1 : 0};
	if (child > 0) {
		result->packets = consume(ring, job, &seen);
		atomic_store(&ring->stop, 1);
		waitpid(child, NULL, 0);
	}
	result->ns = bench_now_ns() - begin;
	munmap(ring, sizeof(*ring));
}
