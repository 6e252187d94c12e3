/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds out of the time stamp counter, by Xen's clock page (pvring/xen/xen.h): no call, no trap. Without Xen the
 * same page is filled in by whoever measured the counter.
 */
#include "x86.h"

static const volatile struct vcpu_time_info *clock_page;

void clock_init(const volatile struct vcpu_time_info *time)
{
	clock_page = time;
	if (!time->tsc_to_system_mul)
		pvr_port_panic("clock: the hypervisor's clock page is empty");
}

static uint64_t scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (ticks >> 32) * mul + (((ticks & UINT32_MAX) * mul) >> 32);
}

uint64_t clock_ns_of(uint64_t ticks)
{
	return scale(ticks, clock_page->tsc_to_system_mul, clock_page->tsc_shift);
}

/* CLOCK, partner: the hypervisor, which makes the version odd before it writes and even after. */
uint64_t pvr_port_now_ns(void)
{
	const volatile struct vcpu_time_info *t = clock_page;
	uint32_t version;
	uint64_t now;

	do {
		version = t->version & ~1u;
		atomic_thread_fence(memory_order_acquire);
		now = t->system_time + clock_ns_of(cpu_rdtsc() - t->tsc_timestamp);
		atomic_thread_fence(memory_order_acquire);
	} while (version != t->version);
	return now;
}

/* `ticks` took `ns`. The multiplier has 32 bits, so a counter below 1 GHz is shifted up first. */
void clock_measured(struct vcpu_time_info *time, uint64_t ticks, uint32_t ns)
{
	time->tsc_shift = 0;
	for (; ticks <= ns; ticks *= 2)
		time->tsc_shift++;
	time->tsc_to_system_mul = (uint32_t)divide((uint64_t)ns << 32, ticks);
	time->tsc_timestamp = cpu_rdtsc();
	time->system_time = 1;
}

uint64_t divide(uint64_t number, uint64_t by)
{
	uint64_t quotient = 0;
	unsigned shift = 0;

	while (by <= number >> 1) {
		by <<= 1;
		shift++;
	}
	for (;; by >>= 1) {
		quotient <<= 1;
		if (number >= by) {
			number -= by;
			quotient |= 1;
		}
		if (!shift--)
			return quotient;
	}
}
