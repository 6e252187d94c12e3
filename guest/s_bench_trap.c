/* SPDX-License-Identifier: MIT */
/*
 * `bench=trap`: what one privileged instruction costs, be it emulated or not, and beside it what a hypercall does for the same
 * purpose, or for none.
 */
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/measure.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define TURNS     1000u
#define ELEMENTS  32u
#define PORT_POST 0x80
#define MSR_PAT   0x277

/* ---- instructions ---- */

static uint64_t pat;

static void nothing(void)
{
	__asm__ volatile("" ::: "memory");
}

static void rdmsr(void)
{
	cpu_rdmsr(MSR_PAT);
}

static void wrmsr(void)
{
	cpu_wrmsr(MSR_PAT, pat);
}

static void mov_from_dr(void)
{
	CPU_READ(dr0);
}

static void mov_to_dr(void)
{
	CPU_WRITE(dr0, 0);
}

static void mov_from_cr0(void)
{
	CPU_READ(cr0);
}

static void mov_to_cr3(void)
{
	CPU_WRITE(cr3, paging_root());
}

static void in(void)
{
	cpu_in8(PORT_POST);
}

static void out(void)
{
	cpu_out8(PORT_POST, 0);
}

static void cli_sti(void)
{
	cpu_cli();
	cpu_sti();
}

static void invlpg(void)
{
	cpu_invlpg((unsigned long)&pat);
}

/* The exception and the iret that ends it. */
static void int3_iret(void)
{
	trap_begin();
	TRAPPING("int3");
	trap_end();
}

/* ---- hypercalls ---- */

static void xen_version(void)
{
	pvr_port_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
}

static void yield(void)
{
	pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
}

static void multicall(void)
{
	static struct multicall_entry list[ELEMENTS];

	for (unsigned i = 0; i < ELEMENTS; i++)
		list[i] = (struct multicall_entry){
			.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
	pvr_port_hypercall(__HYPERVISOR_multicall, (unsigned long)list, ELEMENTS, 0);
}

/* What stands in the place of cli and sti: a byte that the hypervisor looks at. */
static void mask_unmask(void)
{
	struct vcpu_info *vcpu = &pvr_boot.shared_info->vcpu_info[0];

	__atomic_store_n(&vcpu->evtchn_upcall_mask, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&vcpu->evtchn_upcall_mask, 0, __ATOMIC_RELAXED);
	if (__atomic_load_n(&vcpu->evtchn_upcall_pending, __ATOMIC_RELAXED))
		port_upcall();
}

static void flush_one(void)
{
	hot.flush((unsigned long)&pat);
}

static void new_root(void)
{
	hot.root(paging_root());
}

/* What a line needs beside the processor. */
enum { BARE, XEN, TABLES };

static const struct {
	const char *name;
	void (*run)(void);
	unsigned each, needs;
} measured[] = {
	{"empty", nothing, 1, BARE},
	{"rdmsr", rdmsr, 1, BARE},
	{"wrmsr", wrmsr, 1, BARE},
	{"mov_from_dr", mov_from_dr, 1, BARE},
	{"mov_to_dr", mov_to_dr, 1, BARE},
	{"mov_from_cr0", mov_from_cr0, 1, BARE},
	{"mov_to_cr3", mov_to_cr3, 1, BARE},
	{"in", in, 1, BARE},
	{"out", out, 1, BARE},
	{"cli_sti", cli_sti, 1, BARE},
	{"invlpg", invlpg, 1, BARE},
	{"int3_iret", int3_iret, 1, BARE},
	{"xen_version", xen_version, 1, XEN},
	{"yield", yield, 1, XEN},
	{"multicall_element", multicall, ELEMENTS, XEN},
	{"mask_unmask", mask_unmask, 1, TABLES},
	{"mmuext_invlpg", flush_one, 1, TABLES},
	{"mmuext_new_baseptr", new_root, 1, TABLES},
};

int bench_trap(void)
{
	const unsigned have = hot.guards ? TABLES : machine.xen_version ? XEN : BARE;

	pat = cpu_rdmsr(MSR_PAT);
	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++) {
		uint64_t start = pvr_port_now_ns();

		if (measured[i].needs > have)
			continue;
		for (unsigned k = 0; k < TURNS; k++)
			measured[i].run();
		uint64_t ns = pvr_port_now_ns() - start;

		say("bench: trap %s_ps=%llu", measured[i].name,
			(unsigned long long)divide(ns * 1000, TURNS * measured[i].each));
	}
	return 0;
}
