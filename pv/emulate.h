/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a deprivileged guest: decode one that faulted, and do on the virtual
 * CPU's state what the processor would have done on its own. The guest's kernel holds only native
 * code for these; what they cost is a fault each, so they are the ones that are not on a hot path.
 *
 * Pure: the instruction is given as bytes, the guest's memory by two functions, and what goes
 * beyond the CPU (a port, page tables, sleep) is handed back as an effect for the caller to carry
 * out. Decoding is Zydis'. 32-bit and 64-bit code are one table. Source: Intel 64 and IA-32
 * Architectures Software Developer's Manual, volume 2, and volume 3 for the faults.
 */
#ifndef PV_EMULATE_H
#define PV_EMULATE_H

#include <stddef.h>
#include <stdint.h>

#define EMU_INSN_MAX 15u
#define EMU_MSRS_MAX 64u

/* clang-format off */
enum emu_gpr {
	EMU_RAX, EMU_RCX, EMU_RDX, EMU_RBX, EMU_RSP, EMU_RBP, EMU_RSI, EMU_RDI,
	EMU_R8, EMU_R9, EMU_R10, EMU_R11, EMU_R12, EMU_R13, EMU_R14, EMU_R15, EMU_GPRS,
};
/* clang-format on */

/* What the guest's instructions work on for real. Flags without IF, which is virtual. */
struct emu_regs {
	uint64_t gpr[EMU_GPRS];
	uint64_t ip, flags;
};

struct emu_table { /* GDTR, IDTR */
	uint64_t base;
	uint16_t limit;
};

/*
 * What a guest believes of the rest of its CPU. Selectors are what it loaded: never in a real
 * segment register. fs_base and gs_base are the caller's to make real after each instruction, in
 * 64-bit code.
 */
struct emu_cpu {
	unsigned bits;  /* 32 or 64: mode of its code */
	int interrupts; /* the virtual IF */
	uint64_t cr0, cr2, cr3, cr4, cr8;
	uint64_t dr[8];
	struct emu_table gdt, idt, tss; /* tss: what ltr found, for the stacks that gates name */
	uint16_t ldt, task, cs, ss, ds, es, fs, gs;
	uint64_t fs_base, gs_base;
	struct {
		uint32_t number;
		uint64_t value;
	} msr[EMU_MSRS_MAX];
	unsigned msrs;
};

/*
 * Guest memory at a linear address, 1 to 48 bytes, va + size does not overflow; 0, or -EFAULT with
 * nothing done.
 */
struct emu_memory {
	int (*read)(void *arg, uint64_t va, void *to, size_t size);
	int (*write)(void *arg, uint64_t va, const void *from, size_t size);
	void *arg;
};

enum emu_kind {
	EMU_DONE,      /* all of it happened in regs and cpu */
	EMU_EXCEPTION, /* inject `vector` with `error`; nothing has changed but cr2, for #PF */
	EMU_UNKNOWN,   /* none of these: inject what the processor raised; nothing has changed */
	EMU_HALT,      /* hlt: sleep until an interrupt */
	EMU_CR3,   /* value: the new root's address; cpu->cr3 is set once the caller accepts it */
	EMU_FLUSH, /* invlpg value */
	EMU_IN,    /* size bytes from port; give them to emu_in_done, first of all */
	EMU_OUT,   /* size bytes of value to port */
	EMU_CPUID, /* leaf in eax, subleaf in ecx; give the four words to emu_cpuid_done */
	EMU_INTERRUPT, /* int n: deliver vector, without an error code */
};

struct emu_effect {
	enum emu_kind kind;
	uint8_t vector;
	int has_error;
	uint32_t error;
	uint16_t port;
	uint8_t size;
	int to_memory;  /* EMU_IN of ins: to linear address `value` */
	uint64_t value; /* EMU_EXCEPTION of #PF: the address, which is in cr2 too */
};

/*
 * As after reset, with the MTRRs, PAT and EFER that a guest may look at; but with paging,
 * protection and PAE on, which stay on, as Xen's domain builder leaves a domain. No GDT and no IDT:
 * before the first lgdt every selector is refused.
 */
void emu_cpu_init(struct emu_cpu *cpu, unsigned bits);

/*
 * The instruction at regs->ip faulted with #GP or #UD: emulate it. `code` are `size` (1 to 15)
 * bytes from there: fewer than 15 only where the rest cannot be fetched. What the CPU refuses is
 * EMU_EXCEPTION with the vector it would raise (#GP, #UD, #PF, #NP, #SS). ip has moved behind the
 * instruction, or to where it jumps, for all kinds but that and EMU_UNKNOWN. Known:
 *
 *  - cli, hlt; sti, and "sti; hlt" as one EMU_HALT, since an interrupt between them would be slept
 *    over;
 *  - iret, retf, far jumps and calls, and moves, pops and lss to segment registers, within ring 0's
 *    flat segments: another RPL or DPL, a gate, an LDT, a base or a limit (but of fs and gs) or
 *    code of the other width is #GP;
 *  - mov to and from control and debug registers, clts, lmsw, smsw: PE, PG and PAE cannot be
 *    cleared (#GP), DR7.GD reads 0;
 *  - lgdt lidt lldt ltr sgdt sidt sldt str (a descriptor's accessed bit is not set, a TSS's busy
 *    bit is);
 *  - rdmsr wrmsr (emulate_msr.c lists them), swapgs, rdtsc, rdtscp; rdpmc has no counters (#GP);
 *  - in out ins outs: with rep one element an effect, ip not moved until rcx is 0;
 *  - invlpg, cpuid, int n; wbinvd, invd, monitor and mwait, which do nothing.
 */
struct emu_effect emulate(struct emu_cpu *cpu, struct emu_regs *regs,
	const struct emu_memory *memory, const uint8_t *code, size_t size);

/*
 * The rest of EMU_IN and EMU_CPUID. emu_in_done: 0, or -EFAULT where ins' page was there before and
 * is not any more.
 */
int emu_in_done(struct emu_regs *regs, const struct emu_memory *memory,
	const struct emu_effect *effect, uint64_t value);
void emu_cpuid_done(struct emu_regs *regs, const uint32_t words[4]);

/*
 * Deliver an exception or interrupt by the guest's IDT, as the CPU does without a change of ring:
 * the frame onto its stack (flags with the virtual IF in them), IF off for an interrupt gate, ip at
 * the handler. In 64-bit code the stack is aligned to 16 first, or is the gate's IST, and ss:rsp
 * are pushed always. 0; or -EFAULT when the table or the stack cannot be reached or the gate is not
 * present, which on a real CPU is a double fault: the caller ends the guest.
 */
int emu_deliver(struct emu_cpu *cpu, struct emu_regs *regs, const struct emu_memory *memory,
	uint8_t vector, int has_error, uint32_t error);

#endif
