/* SPDX-License-Identifier: MIT */
/*
 * `traps`: exceptions arrive where they should and say what they should, and privileged instructions have the results they
 * have on a CPU, be it that one or an emulation.
 */
#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define MSR_MTRR_CAP   0xfe
#define MSR_MTRR_BASE0 0x200
#define MSR_MTRR_MASK0 0x201
#define MSR_PAT        0x277
#define MSR_MTRR_TYPE  0x2ff
#define MTRR_COUNT     0xff
#define NOWHERE        (PAGING_AREA + 0x123)
#define ERROR_WRITE    2
#define PORT_POST      0x80

/* ---- exceptions ---- */

static struct trap_seen breakpoint(void)
{
	trap_begin();
	TRAPPING("int3");
	return trap_end();
}

static struct trap_seen opcode(void)
{
	trap_begin();
	TRAPPING("ud2");
	return trap_end();
}

static struct trap_seen division(void)
{
	uint32_t low = 1, high = 0;

	trap_begin();
	TRAPPING("divl %3", , "+a"(low), "+d"(high) : "r"(0) : "cc");
	return trap_end();
}

static struct trap_seen selector(void)
{
	trap_begin();
	TRAPPING("mov %w1, %%es", : "r"(0xfff8));
	return trap_end();
}

static struct trap_seen fault_read(void)
{
	unsigned long value;

	trap_begin();
	TRAPPING("mov %2, %1", , "=r"(value) : "m"(*(const unsigned long *)NOWHERE));
	return trap_end();
}

static struct trap_seen fault_write(void)
{
	trap_begin();
	TRAPPING("mov %2, %1", , "=m"(*(unsigned long *)NOWHERE) : "r"(1ul));
	return trap_end();
}

static const struct {
	const char *name;
	struct trap_seen (*take)(void);
	struct trap_seen expected;
} exceptions[] = {
	{"int3", breakpoint, {TRAP_BREAKPOINT, 0, 0, 1}},
	{"a division by zero", division, {TRAP_DIVIDE, 0, 0, 1}},
	{"ud2", opcode, {TRAP_OPCODE, 0, 0, 1}},
	{"a selector beyond the table", selector, {TRAP_PROTECTION, 0xfff8, 0, 1}},
	{"a read of nothing", fault_read, {TRAP_PAGE, 0, NOWHERE, 1}},
	{"a write to nothing", fault_write, {TRAP_PAGE, ERROR_WRITE, NOWHERE, 1}},
};

static int exceptions_take(void)
{
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		struct trap_seen s = exceptions[i].take(), e = exceptions[i].expected;

		if (!s.taken)
			return failed("%s does not trap", exceptions[i].name);
		if (s.vector != e.vector || s.error != e.error || s.address != e.address)
			return failed("%s: trap %lu, error %lx, address %lx", exceptions[i].name,
				s.vector, s.error, s.address);
	}
	return 0;
}

/* ---- privileged instructions ---- */

static int debug_registers(void)
{
	CPU_WRITE(dr0, 0x1234);
	CPU_WRITE(dr3, 0x5678);
	if (CPU_READ(dr0) != 0x1234 || CPU_READ(dr3) != 0x5678)
		return failed("debug registers do not keep what is written");
	CPU_WRITE(dr7, 0x400);
	CPU_WRITE(dr0, 0);
	CPU_WRITE(dr3, 0);
	if (CPU_READ(dr7) != 0x400)
		return failed("dr7 is %lx", CPU_READ(dr7));
	return 0;
}

/* Written back as it was, which changes nothing, and where there is a range that is not in use, something else. */
static int msr_keeps(uint32_t number, uint64_t value)
{
	uint64_t before = cpu_rdmsr(number), now;

	cpu_wrmsr(number, value);
	now = cpu_rdmsr(number);
	cpu_wrmsr(number, before);
	if (now != value || cpu_rdmsr(number) != before)
		return failed("MSR %x does not keep what is written", number);
	return 0;
}

static int model_registers(void)
{
	uint64_t ranges = cpu_rdmsr(MSR_MTRR_CAP) & MTRR_COUNT;

	if (msr_keeps(MSR_MTRR_TYPE, cpu_rdmsr(MSR_MTRR_TYPE)) ||
		msr_keeps(MSR_PAT, cpu_rdmsr(MSR_PAT)))
		return -1;
	return ranges ? msr_keeps(MSR_MTRR_BASE0, 0x10000006) || msr_keeps(MSR_MTRR_MASK0, 0) : 0;
}

static int control_registers(void)
{
	unsigned long cr0 = CPU_READ(cr0), cr4 = CPU_READ(cr4), cr3 = CPU_READ(cr3);

	if (!(cr0 & CR0_PE) || !(cr0 & CR0_PG) || !(cr4 & CR4_PAE))
		return failed("cr0 is %lx, cr4 %lx", cr0, cr4);
	CPU_WRITE(cr0, cr0 | CR0_TS);
	if (!(CPU_READ(cr0) & CR0_TS))
		return failed("TS cannot be set");
	__asm__ volatile("clts");
	if (CPU_READ(cr0) & CR0_TS)
		return failed("clts leaves TS");
	CPU_WRITE(cr4, cr4);
	CPU_WRITE(cr3, cr3);
	if (CPU_READ(cr4) != cr4 || CPU_READ(cr3) != cr3)
		return failed("cr3 or cr4 has changed by being written");
	return 0;
}

/* sidt would show the real table to a deprivileged kernel, without a fault; a trap shows which one is in use. */
static int interrupt_table(void)
{
	struct trap_seen s;

	cpu_table_use(1);
	s = breakpoint();
	cpu_table_use(0);
	return s.taken && s.vector == TRAP_BREAKPOINT ? 0 : failed("no trap by a second table");
}

static int ports(void)
{
	struct trap_seen s;

	trap_begin();
	TRAPPING("outb %b1, %2", : "a"(0x42), "Nd"((uint16_t)PORT_POST));
	s = trap_end();
	cpu_in8(PORT_POST);
	return s.taken ? failed("a port traps") : 0;
}

/* invlpg of a page that is mapped: it still is. */
static int invalidate(void)
{
	static volatile uint32_t word;

	word = 42;
	cpu_invlpg((unsigned long)&word);
	return word == 42 ? 0 : failed("invlpg loses a page");
}

static int halt(void)
{
	uint64_t before = pvr_port_now_ns();
	uint32_t wakes;

	cpu_cli();
	wakes = atomic_load(&port_wakes);
	hot.timer(before + 2 * MS);
	while (atomic_load(&port_wakes) == wakes) {
		cpu_sti_hlt();
		cpu_cli();
	}
	cpu_sti();
	return pvr_port_now_ns() > before ? 0 : failed("no time passes in hlt");
}

int traps_scenario(const char *args)
{
	uint32_t words[4];
	char vendor[13] = "";

	(void)args;
	if (exceptions_take() || debug_registers() || model_registers() || control_registers() ||
		interrupt_table() || ports() || invalidate() || halt())
		return -1;
	cpu_cpuid(0, words);
	for (unsigned i = 0; i < 12; i++)
		vendor[i] = (char)(words[i < 4 ? 1 : i < 8 ? 3 : 2] >> 8 * (i % 4));
	say("traps: exceptions, debug, control, MTRR and PAT registers, tables, ports, invlpg, "
	    "hlt; cpuid "
	    "says %s",
		vendor);
	return 0;
}
