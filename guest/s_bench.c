/* SPDX-License-Identifier: MIT */
/*
 * `bench=timer`, `bench=mmu`, `bench=trap`: a line `bench: WHAT name=number ...` each, for who runs the kernel to read.
 */
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/measure.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define SLEEPS    500u
#define UPDATES   4096u
#define TURNS     1000u
#define BATCH_MAX 512u
#define PORT_POST 0x80
#define MSR_PAT   0x277

static int bench_timer(void)
{
	struct wake_errors e;

	measure_wakes(SLEEPS, &e);
	say("bench: timer count=%u p50_ns=%u p99_ns=%u", e.count, e.p50, e.p99);
	return 0;
}

/* ---- page-table updates a second ---- */

/* All entries of the range in turn, from one frame on and then from another: how many a second. 0: refused. */
static uint64_t updates_a_second(const uint64_t from[2], unsigned batch)
{
	static uint64_t entries[BATCH_MAX];
	uint64_t start = pvr_port_now_ns();

	for (unsigned done = 0; done < UPDATES; done += batch) {
		const unsigned first = done % BATCH_MAX;
		const uint64_t entry = from[done / BATCH_MAX % 2] + first * PVR_PAGE_SIZE;
		const unsigned long address = PAGING_AREA + first * PVR_PAGE_SIZE;

		for (unsigned i = 0; i < batch; i++)
			entries[i] = entry + i * PVR_PAGE_SIZE;
		if (batch == 1 ? paging_set(address, entry)
			       : paging_set_many(address, entries, batch))
			return 0;
	}
	return divide((uint64_t)UPDATES * S, pvr_port_now_ns() - start);
}

static int bench_updates(const char *what, const uint64_t from[2])
{
	uint64_t single = updates_a_second(from, 1);
	uint64_t of_32 = updates_a_second(from, 32), of_512 = updates_a_second(from, 512);

	if (!single || !of_32 || !of_512)
		return failed("an update is refused");
	say("bench: %s single_per_s=%llu batch32_per_s=%llu batch512_per_s=%llu", what,
		(unsigned long long)single, (unsigned long long)of_32, (unsigned long long)of_512);
	return 0;
}

/* A range of adjacent frames, mapped anew a page further, and then made read-only and writable. */
static int bench_mmu(void)
{
	static const uint64_t nothing_there[BATCH_MAX];
	void *pages = pvr_port_pages_alloc(BATCH_MAX + 1);
	const uint64_t entry = (unsigned long)pages | _PAGE_PRESENT | _PAGE_RW;
	const uint64_t remap[2] = {entry, entry + PVR_PAGE_SIZE},
		       protect[2] = {entry, entry ^ _PAGE_RW};

	if (!pages)
		return failed("no pages");
	if (bench_updates("remap", remap) || bench_updates("protect", protect))
		return -1;
	if (paging_set_many(PAGING_AREA, nothing_there, BATCH_MAX))
		return failed("the range cannot be emptied");
	pvr_port_pages_free(pages, BATCH_MAX + 1);
	return 0;
}

/* ---- what one instruction costs that is emulated, and a hypercall beside it ---- */

static void nothing(void)
{
	__asm__ volatile("" ::: "memory");
}

static void read_msr(void)
{
	cpu_rdmsr(MSR_PAT);
}

static void write_debug(void)
{
	CPU_WRITE(dr0, 0);
}

static void switch_interrupts(void)
{
	cpu_cli();
	cpu_sti();
}

static void read_port(void)
{
	cpu_in8(PORT_POST);
}

static void version(void)
{
	pvr_port_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
}

static void yield(void)
{
	pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
}

static unsigned ns_each(void (*run)(void))
{
	uint64_t start = pvr_port_now_ns();

	for (unsigned i = 0; i < TURNS; i++)
		run();
	return (unsigned)divide(pvr_port_now_ns() - start, TURNS);
}

static int bench_trap(void)
{
	say("bench: trap empty_ns=%u rdmsr_ns=%u mov_dr_ns=%u cli_sti_ns=%u in_ns=%u",
		ns_each(nothing), ns_each(read_msr), ns_each(write_debug),
		ns_each(switch_interrupts), ns_each(read_port));
	if (machine.xen_version)
		say("bench: hypercall xen_version_ns=%u yield_ns=%u", ns_each(version),
			ns_each(yield));
	return 0;
}

int bench_scenario(const char *args)
{
	if (word_is(args, "timer"))
		return bench_timer();
	if (word_is(args, "mmu"))
		return bench_mmu();
	if (word_is(args, "trap"))
		return bench_trap();
	return failed("timer, mmu or trap");
}
