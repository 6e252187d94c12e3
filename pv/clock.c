/* SPDX-License-Identifier: MIT */
/*
 * The guest's clock: CLOCK_MONOTONIC since the machine's start, which the guest reads from the clock page in its vcpu_info and
 * the TSC without a call. The TSC's rate is not known beforehand and nothing waits to measure it: the start of the machine and its
 * first instruction are some milliseconds apart, which is right to some millionths, and the page is written anew whenever the
 * guest is with the monitor and it is time, at first soon and at last once a second. A page that was too fast is
 * followed by one that is a little slow: the guest's time never goes back.
 */
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "internal.h"

#define NS        1000000000ull
#define TRIES     4
#define FIRST_NS  1000000ull
#define REBASE_NS (16 * NS)
#define SLOWER    14 /* a page is slower by 2^-14 until the clock has caught up */

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* Both clocks at one instant: the closest of some tries. */
static void sample(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), now = monotonic(), took = __rdtsc() - before;

		if (took < best) {
			best = took;
			*tsc = before + took / 2;
			*ns = now;
		}
	}
}

/* The clock page's rule. Source: Xen's xen.h. */
static uint64_t scale(uint64_t ticks, uint32_t mul, int shift)
{
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return (uint64_t)((unsigned __int128)ticks * mul >> 32);
}

static void rate_set(struct pv_clock *c, uint64_t ticks, uint64_t ns)
{
	unsigned __int128 mul = ((unsigned __int128)ns << 32) / (ticks ? ticks : 1);

	c->shift = 0;
	for (; mul > UINT32_MAX; mul >>= 1)
		c->shift++;
	for (; mul && mul <= UINT32_MAX / 2; mul <<= 1)
		c->shift--;
	c->mul = (uint32_t)mul;
}

void pv_clock_start(struct pv_clock *c)
{
	*c = (struct pv_clock){0};
	sample(&c->base_tsc, &c->base_ns);
	c->zero = c->base_ns;
}

uint64_t pv_now(struct vm *vm)
{
	return monotonic() - vm->pv->clock.zero;
}

/* Who reads sees the version odd, or changed; it is the same thread, interrupted or not. */
static void page_write(struct vcpu *v, const struct pv_clock *c)
{
	struct vcpu_time_info *page = (void *)(v->info + offsetof(struct vcpu_info, time));
	const uint32_t version = page->version;

	/* An exchange: no later store comes before it. ThreadSanitizer knows no fences. */
	(void)__atomic_exchange_n(&page->version, version | 1, __ATOMIC_SEQ_CST);
	page->tsc_timestamp = c->tsc;
	page->system_time = c->ns - c->zero;
	page->tsc_to_system_mul = c->mul;
	page->tsc_shift = c->shift;
	page->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
	__atomic_store_n(&page->version, (version | 1) + 1, __ATOMIC_RELEASE);
}

void pv_clock_update(struct vcpu *v)
{
	struct pv_clock *c = &v->vm->pv->clock;
	uint64_t tsc, ns, said, pause;

	if (__rdtsc() < c->next)
		return;
	sample(&tsc, &ns);
	said = c->mul ? c->ns + scale(tsc - c->tsc, c->mul, c->shift) : 0;
	rate_set(c, tsc - c->base_tsc, ns - c->base_ns);
	if (ns - c->base_ns > REBASE_NS) {
		c->base_tsc = tsc;
		c->base_ns = ns;
	}
	/* As long again as the machine is old, a second at the most. */
	pause = ns - c->zero < FIRST_NS ? FIRST_NS : ns - c->zero < NS ? ns - c->zero : NS;
	/* In integers: the guest may have left floating-point exceptions unmasked. */
	c->next = tsc + (uint64_t)((unsigned __int128)pause * (tsc - c->base_tsc + 1) /
				   (ns - c->base_ns + 1));
	c->tsc = tsc;
	c->ns = ns;
	if (said > ns) {
		c->ns = said;
		c->mul -= c->mul >> SLOWER;
	}
	page_write(v, c);
}
