/* SPDX-License-Identifier: MIT */
/*
 * One instruction under emulation, and what its functions share. A function checks everything
 * first, works on the copy of the general registers in here, and changes the virtual CPU and memory
 * last: what it refuses has no effect.
 */
#ifndef PV_EMULATE_OP_H
#define PV_EMULATE_OP_H

#include <Zydis/Zydis.h>

#include "emulate.h"

enum emu_vector { EMU_DB = 1, EMU_UD = 6, EMU_NP = 11, EMU_SS = 12, EMU_GP = 13, EMU_PF = 14 };

#define EMU_PF_PRESENT 0x1u
#define EMU_PF_WRITE   0x2u

#define EMU_FLAG_ONE 0x2u /* always set */
#define EMU_FLAG_TF  0x100u
#define EMU_FLAG_IF  0x200u
#define EMU_FLAG_DF  0x400u
#define EMU_FLAG_NT  0x4000u
#define EMU_FLAG_RF  0x10000u
#define EMU_FLAG_VM  0x20000u
/* What an iret may give the guest for real: the arithmetic ones, TF, DF, NT, RF, AC and ID. */
#define EMU_FLAGS_REAL 0x254dd5u

#define EMU_CR0_PE  0x1u
#define EMU_CR0_PG  0x80000000u
#define EMU_CR4_DE  0x8u
#define EMU_CR4_PAE 0x20u

#define EMU_MSR_TSC            0x10u
#define EMU_MSR_EFER           0xc0000080u
#define EMU_MSR_FS_BASE        0xc0000100u
#define EMU_MSR_GS_BASE        0xc0000101u
#define EMU_MSR_KERNEL_GS_BASE 0xc0000102u
#define EMU_MSR_TSC_AUX        0xc0000103u

struct emu_op {
	struct emu_cpu *cpu;
	struct emu_regs
		regs; /* a copy, ip behind the instruction; the guest's own once nothing can fail */
	uint64_t start; /* the instruction's address */
	const struct emu_memory *memory;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	const uint8_t *next; /* bytes behind the instruction, as far as they were given */
	size_t next_size;
	struct emu_effect effect;
};

/* One table of these. 0, or EMU_RAISED with the exception in op->effect. */
typedef int emu_function(struct emu_op *op);
#define EMU_RAISED (-1)

int emu_raise(struct emu_op *op, enum emu_vector vector);
int emu_raise_error(struct emu_op *op, enum emu_vector vector, uint32_t error);
int emu_unknown(struct emu_op *op);

/* emulate_operand.c: widths are bits. */
uint64_t emu_low(uint64_t value, unsigned width);
int emu_canonical(uint64_t va);
uint64_t emu_gpr(const struct emu_op *op, unsigned number, unsigned width);
void emu_gpr_set(struct emu_regs *regs, unsigned number, unsigned width, uint64_t value);
int emu_read(struct emu_op *op, uint64_t va, void *to, size_t size);
int emu_write(struct emu_op *op, uint64_t va, const void *from, size_t size);
uint64_t emu_address(const struct emu_op *op, const ZydisDecodedOperand *operand);
int emu_load(struct emu_op *op, const ZydisDecodedOperand *operand, uint64_t *value);
int emu_store(struct emu_op *op, const ZydisDecodedOperand *operand, uint64_t value);
/*
 * `count` words of `width` bits at the top of the stack; the stack pointer is moved by the caller,
 * or by push.
 */
int emu_peek(struct emu_op *op, uint64_t *words, unsigned count, unsigned width);
int emu_push(struct emu_op *op, const uint64_t *words, unsigned count, unsigned width);
void emu_stack_move(struct emu_op *op, int64_t by);

/* emulate_segment.c: what the guest's own GDT says of a selector. */
int emu_code_check(struct emu_op *op, uint16_t selector);
int emu_stack_check(struct emu_op *op, uint16_t selector);
emu_function emu_mov_segment, emu_pop, emu_far_pointer;
emu_function emu_lgdt, emu_lidt, emu_sgdt, emu_sidt, emu_lldt, emu_ltr, emu_sldt, emu_str;

/* emulate_control.c */
emu_function emu_mov_control, emu_mov_debug, emu_clts, emu_lmsw, emu_smsw, emu_invlpg;

/* emulate_msr.c */
void emu_msr_init(struct emu_cpu *cpu);
emu_function emu_rdmsr, emu_wrmsr, emu_swapgs, emu_rdtsc, emu_rdtscp;

/* emulate_transfer.c */
emu_function emu_iret, emu_ret_far, emu_jmp_far, emu_call_far, emu_int;

/* emulate_io.c */
emu_function emu_in, emu_out, emu_ins, emu_outs;

#endif
