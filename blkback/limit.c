/* SPDX-License-Identifier: MIT */
/* Requests and bytes a second. See limit.h. */
#include "limit.h"

static uint64_t rate_wait(const struct pvr_blkback_rate *rate, uint64_t now)
{
	uint64_t due;

	if (!rate->per_second)
		return 0;
	due = atomic_load_explicit(&rate->due_ns, memory_order_relaxed);
	return due > now + PVR_BLKBACK_BURST_NS ? due - now - PVR_BLKBACK_BURST_NS : 0;
}

/* What was not used by now is lost: no burst is saved up. */
static void rate_charge(struct pvr_blkback_rate *rate, uint64_t now, uint64_t amount)
{
	uint64_t old, from;

	if (!rate->per_second || !amount)
		return;
	old = atomic_load_explicit(&rate->due_ns, memory_order_relaxed);
	do {
		from = old > now ? old : now;
	} while (!atomic_compare_exchange_weak_explicit(&rate->due_ns, &old,
		from + amount * 1000000000u / rate->per_second, memory_order_relaxed,
		memory_order_relaxed));
}

uint64_t pvr_blkback_limits_wait(const struct pvr_blkback_limits *limits, uint64_t now_ns)
{
	uint64_t requests = rate_wait(&limits->requests, now_ns);
	uint64_t bytes = rate_wait(&limits->bytes, now_ns);

	return requests > bytes ? requests : bytes;
}

void pvr_blkback_limits_charge(
	struct pvr_blkback_limits *limits, uint64_t now_ns, unsigned requests, uint64_t bytes)
{
	rate_charge(&limits->requests, now_ns, requests);
	rate_charge(&limits->bytes, now_ns, bytes);
}
