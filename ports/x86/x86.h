/* SPDX-License-Identifier: MIT */
/*
 * The processor, as the guest kernel sees it: its native instructions, traps, and what of the port is not in
 * pvring/port.h. One text for i386 with PAE and for x86_64; addresses are below 4 GiB in both.
 *
 * pushf and popf are used nowhere: in ring 3 they do not fault, so that a deprivileged kernel would read and write an
 * IF that is not its own. Nothing here depends on what IF was.
 */
#ifndef X86_H
#define X86_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/port.h>

#include "asm.h"

/* As trap_save of traps.S pushes it. */
struct trap_frame {
#ifdef __x86_64__
	unsigned long r15, r14, r13, r12, r11, r10, r9, r8;
#endif
	unsigned long di, si, bp, bx, dx, cx, ax;
	unsigned long vector, error;
	unsigned long ip, cs, flags;
};

enum {
	TRAP_DIVIDE = 0,
	TRAP_BREAKPOINT = 3,
	TRAP_OPCODE = 6,
	TRAP_PROTECTION = 13,
	TRAP_PAGE = 14
};

/* What became of an instruction that was expected to trap. */
struct trap_seen {
	unsigned long vector, error, address; /* address: of a page fault */
	int taken;
};

/* cpu.c. Tables of the processor; interrupts are off and stay so. */
void cpu_init(void);
void cpu_vector_set(unsigned vector, void (*handler)(void));
/* Load the interrupt table at its second place (1) or its first: both say the same. */
void cpu_table_use(int second);
void trap_begin(void);
struct trap_seen trap_end(void);
extern volatile unsigned long trap_resume;

/*
 * Run one instruction of inline assembly that may trap: if it does, the kernel goes on behind it. Stands between
 * trap_begin and trap_end.
 */
#define TRAPPING(insn, ...)                                                                        \
	__asm__ volatile("mov%z0 $1f, %0\n\t" insn "\n1:" : "=m"(trap_resume)__VA_ARGS__)

/* entry.S, traps.S */
extern uint64_t gdt[], boot_root[];
extern char hypercall_page[], kernel_end[];
void cpu_segments(void);
void task_switch(unsigned long *save, unsigned long stack);

/* ---- instructions ---- */

static inline void cpu_cli(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void cpu_sti(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* sti holds interrupts off for one more instruction, so that none can come between the two. */
static inline void cpu_sti_hlt(void)
{
	__asm__ volatile("sti\n\thlt" ::: "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause");
}

static inline void cpu_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t cpu_rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t cpu_rdmsr(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

static inline void cpu_wrmsr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline void cpu_cpuid(uint32_t leaf, uint32_t words[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(words[0]), "=b"(words[1]), "=c"(words[2]), "=d"(words[3])
			 : "a"(leaf), "c"(0));
}

/* Control and debug registers: CPU_READ(cr0), CPU_WRITE(dr7, value). */
#define CPU_READ(name)                                                                             \
	({                                                                                         \
		unsigned long value_;                                                              \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value_));                            \
		value_;                                                                            \
	})
#define CPU_WRITE(name, value)                                                                     \
	__asm__ volatile("mov %0, %%" #name ::"r"((unsigned long)(value)) : "memory")

/* Linear addresses go through the tables below `root` from now on; in 64-bit mode they do since the entry. */
static inline void cpu_paging_on(const uint64_t *root)
{
	CPU_WRITE(cr4, CPU_READ(cr4) | CR4_PAE);
	CPU_WRITE(cr3, root);
	CPU_WRITE(cr0, CPU_READ(cr0) | CR0_PG | CR0_WP);
}

static inline int cpu_has_paging(void)
{
	return (CPU_READ(cr0) & CR0_PG) != 0;
}

static inline void cpu_invlpg(unsigned long address)
{
	__asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline long cpu_hypercall(
	unsigned op, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
	unsigned long entry = (unsigned long)hypercall_page + op * 32;
	long result;

#ifdef __x86_64__
	register unsigned long r10 __asm__("r10") = a4;

	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
			 : [entry] "0"(entry)
			 : "memory", "cc", "rcx", "r8", "r9", "r11");
#else
	__asm__ volatile("call *%[entry]"
			 : "=a"(result), "+b"(a1), "+c"(a2), "+d"(a3), "+S"(a4)
			 : [entry] "0"(entry)
			 : "memory", "cc");
#endif
	return result;
}

/* An address and the entry for it: on i386 two words, the low one first. */
#ifdef __x86_64__
#define CPU_HYPERCALL_ENTRY(op, address, entry, flags) cpu_hypercall(op, address, entry, flags, 0)
#else
#define CPU_HYPERCALL_ENTRY(op, address, entry, flags)                                             \
	cpu_hypercall(op, address, (uint32_t)(entry), (uint32_t)((entry) >> 32), flags)
#endif

/* ---- the port beyond pvring/port.h ---- */

/* pages.c. Memory from `first` to `end` is the pool, but for what is reserved afterwards. */
void pages_init(unsigned long first, unsigned long end);
void pages_reserve(unsigned long first, unsigned long end);
unsigned pages_free_count(void);

/* clock.c. `time` is Xen's clock page, or one that says what was measured. */
void clock_init(const volatile struct vcpu_time_info *time);
void clock_measured(struct vcpu_time_info *time, uint64_t ticks, uint32_t ns);
uint64_t clock_ns_of(uint64_t ticks);
/* number / by, without the help of libgcc; by is not 0. */
uint64_t divide(uint64_t number, uint64_t by);

/* port.c. The event interrupt; and a count that goes up with each wake, timer or event, for who wants to idle. */
void port_upcall(void);
void port_woken(void);
extern _Atomic uint32_t port_wakes;

#endif
