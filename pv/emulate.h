/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a deprivileged guest: decode one that faulted, and do on the virtual CPU's state what the
 * processor would have done on its own. The guest's kernel holds only native code for these; what they cost is
 * a fault each, so they are the ones that are not on a hot path.
 *
 * Pure: the instruction is given as bytes, the guest's memory by two functions, and what goes beyond the CPU (a port,
 * page tables, sleep) is handed back as an effect for the caller to carry out. Decoding is Zydis'. 32-bit and 64-bit
 * code are one table. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, and volume 3
 * for the faults.
 */
#ifndef PV_EMULATE_H
#define PV_EMULATE_H

#include <stddef.h>
#include <stdint.h>

#define EMU_INSN_MAX 15u
#define EMU_MSRS_MAX 64u

enum emu_gpr {
	EMU_RAX, EMU_RCX, EMU_RDX, EMU_RBX, EMU_RSP, EMU_RBP, EMU_RSI, EMU_RDI,
	EMU_R8, EMU_R9, EMU_R10, EMU_R11, EMU_R12, EMU_R13, EMU_R14, EMU_R15, EMU_GPRS,
};

/* What the guest's instructions work on for real. Flags without IF, which is virtual. */
struct emu_regs {
	uint64_t gpr[EMU_GPRS];
	uint64_t ip, flags;
};

struct emu_table { /* GDTR, IDTR */
	uint64_t base;
	uint16_t limit;
};

/* What a guest believes of the rest of its CPU. Selectors are what it loaded: never in a real segment register. */
struct emu_cpu {
	unsigned bits; /* 32 or 64: mode of its code */
	int interrupts; /* the virtual IF */
	uint64_t cr0, cr2, cr3, cr4, cr8;
	uint64_t dr[8];
	struct emu_table gdt, idt;
	uint16_t ldt, task, cs, ss, ds, es, fs, gs;
	uint64_t fs_base, gs_base;
	struct {
		uint32_t number;
		uint64_t value;
	} msr[EMU_MSRS_MAX];
	unsigned msrs;
};

/* Guest memory at a linear address; 0, or -EFAULT with nothing done. */
struct emu_memory {
	int (*read)(void *arg, uint64_t va, void *to, size_t size);
	int (*write)(void *arg, uint64_t va, const void *from, size_t size);
	void *arg;
};

enum emu_kind {
	EMU_DONE,      /* all of it happened in regs and cpu */
	EMU_EXCEPTION, /* inject `vector` with `error`; regs are as before the instruction */
	EMU_HALT,      /* hlt: sleep until an interrupt */
	EMU_CR3,       /* value: the new root's address; cpu->cr3 is set once the caller accepts it */
	EMU_FLUSH,     /* invlpg value */
	EMU_IN,        /* size bytes from port; give them to emu_in_done */
	EMU_OUT,       /* size bytes of value to port */
	EMU_CPUID,     /* leaf in eax, subleaf in ecx; give the four words to emu_cpuid_done */
	EMU_INTERRUPT, /* int n: vector */
};

struct emu_effect {
	enum emu_kind kind;
	uint8_t vector;
	int has_error;
	uint32_t error;
	uint16_t port;
	uint8_t size;
	uint64_t value;
};

/* As after reset, with the MTRRs, PAT and EFER that a guest may look at. */
void emu_cpu_init(struct emu_cpu *cpu, unsigned bits);

/*
 * The instruction at regs->ip faulted with #GP or #UD: emulate it. `code` are `size` (1 to 15) bytes from there. What this
 * does not know, or what the CPU refuses, is EMU_EXCEPTION with the vector the CPU would raise (#GP, #UD, #PF, #NP, ...). ip has
 * moved behind the instruction for all other kinds. Known: cli sti hlt iret retf and far jumps within ring 0's flat
 * segments, moves to segment registers, mov to and from control and debug registers, clts lmsw smsw, lgdt lidt lldt ltr
 * sgdt sidt sldt str, rdmsr wrmsr rdpmc rdtsc, in out ins outs (without rep one element, with rep one element an
 * effect, ip not moved until rcx is 0), invlpg invd wbinvd, cpuid, swapgs, pushf and popf where they fault, int n, monitor mwait.
 */
struct emu_effect emulate(struct emu_cpu *cpu, struct emu_regs *regs, const struct emu_memory *memory,
	const uint8_t *code, size_t size);

/* The rest of EMU_IN and EMU_CPUID. */
void emu_in_done(struct emu_regs *regs, const struct emu_effect *effect, uint64_t value);
void emu_cpuid_done(struct emu_regs *regs, const uint32_t words[4]);

/*
 * Deliver an exception or interrupt by the guest's IDT, as the CPU does without a change of ring: the frame onto its stack (flags with the
 * virtual IF in them), IF off for an interrupt gate, ip at the handler. 0; or -EFAULT when the table or the stack cannot be
 * reached or the gate is not present, which on a real CPU is a double fault: the caller ends the guest.
 */
int emu_deliver(struct emu_cpu *cpu, struct emu_regs *regs, const struct emu_memory *memory,
	uint8_t vector, int has_error, uint32_t error);

#endif
