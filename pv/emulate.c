/* SPDX-License-Identifier: MIT */
/* The table of instructions, the simple ones among them, and the virtual CPU's beginning. */
#include <string.h>

#include "emulate_op.h"

#define CR0_START  0x80050033u /* PG AM WP NE ET MP PE */
#define OPCODE_HLT 0xf4u

int emu_raise(struct emu_op *op, enum emu_vector vector)
{
	op->effect.kind = EMU_EXCEPTION;
	op->effect.vector = (uint8_t)vector;
	return EMU_RAISED;
}

int emu_raise_error(struct emu_op *op, enum emu_vector vector, uint32_t error)
{
	op->effect.has_error = 1;
	op->effect.error = error;
	return emu_raise(op, vector);
}

int emu_unknown(struct emu_op *op)
{
	op->effect.kind = EMU_UNKNOWN;
	return EMU_RAISED;
}

static int nothing(struct emu_op *op)
{
	(void)op;
	return 0;
}

static int cli(struct emu_op *op)
{
	op->cpu->interrupts = 0;
	return 0;
}

static int hlt(struct emu_op *op)
{
	op->effect.kind = EMU_HALT;
	return 0;
}

/*
 * Interrupts stay off for one instruction more, so that none is taken between sti and hlt and then
 * slept over. A caller that got the two apart would deliver one just there.
 */
static int sti(struct emu_op *op)
{
	op->cpu->interrupts = 1;
	if (!op->next_size || op->next[0] != OPCODE_HLT)
		return 0;
	op->regs.ip = emu_low(op->regs.ip + 1, op->cpu->bits);
	return hlt(op);
}

static int rdpmc(struct emu_op *op)
{
	return emu_raise_error(op, EMU_GP, 0); /* there is no counter of any number */
}

static int cpuid(struct emu_op *op)
{
	op->effect.kind = EMU_CPUID;
	return 0;
}

static int register_class(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER
		       ? (int)ZydisRegisterGetClass(operand->reg.value)
		       : (int)ZYDIS_REGCLASS_INVALID;
}

static int mov(struct emu_op *op)
{
	int to = register_class(&op->operand[0]), from = register_class(&op->operand[1]);

	if (to == ZYDIS_REGCLASS_SEGMENT)
		return emu_mov_segment(op);
	if (to == ZYDIS_REGCLASS_CONTROL || from == ZYDIS_REGCLASS_CONTROL)
		return emu_mov_control(op);
	if (to == ZYDIS_REGCLASS_DEBUG || from == ZYDIS_REGCLASS_DEBUG)
		return emu_mov_debug(op);
	return emu_unknown(op);
}

/* clang-format off */
static emu_function *const table[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
	[ZYDIS_MNEMONIC_CALL]    = emu_call_far,
	[ZYDIS_MNEMONIC_CLI]     = cli,
	[ZYDIS_MNEMONIC_CLTS]    = emu_clts,
	[ZYDIS_MNEMONIC_CPUID]   = cpuid,
	[ZYDIS_MNEMONIC_HLT]     = hlt,
	[ZYDIS_MNEMONIC_IN]      = emu_in,
	[ZYDIS_MNEMONIC_INSB]    = emu_ins,
	[ZYDIS_MNEMONIC_INSD]    = emu_ins,
	[ZYDIS_MNEMONIC_INSW]    = emu_ins,
	[ZYDIS_MNEMONIC_INT]     = emu_int,
	[ZYDIS_MNEMONIC_INVD]    = nothing,
	[ZYDIS_MNEMONIC_INVLPG]  = emu_invlpg,
	[ZYDIS_MNEMONIC_IRET]    = emu_iret,
	[ZYDIS_MNEMONIC_IRETD]   = emu_iret,
	[ZYDIS_MNEMONIC_IRETQ]   = emu_iret,
	[ZYDIS_MNEMONIC_JMP]     = emu_jmp_far,
	[ZYDIS_MNEMONIC_LDS]     = emu_far_pointer,
	[ZYDIS_MNEMONIC_LES]     = emu_far_pointer,
	[ZYDIS_MNEMONIC_LFS]     = emu_far_pointer,
	[ZYDIS_MNEMONIC_LGDT]    = emu_lgdt,
	[ZYDIS_MNEMONIC_LGS]     = emu_far_pointer,
	[ZYDIS_MNEMONIC_LIDT]    = emu_lidt,
	[ZYDIS_MNEMONIC_LLDT]    = emu_lldt,
	[ZYDIS_MNEMONIC_LMSW]    = emu_lmsw,
	[ZYDIS_MNEMONIC_LSS]     = emu_far_pointer,
	[ZYDIS_MNEMONIC_LTR]     = emu_ltr,
	[ZYDIS_MNEMONIC_MONITOR] = nothing,
	[ZYDIS_MNEMONIC_MOV]     = mov,
	[ZYDIS_MNEMONIC_MWAIT]   = nothing, /* which may wake at any time */
	[ZYDIS_MNEMONIC_OUT]     = emu_out,
	[ZYDIS_MNEMONIC_OUTSB]   = emu_outs,
	[ZYDIS_MNEMONIC_OUTSD]   = emu_outs,
	[ZYDIS_MNEMONIC_OUTSW]   = emu_outs,
	[ZYDIS_MNEMONIC_POP]     = emu_pop,
	[ZYDIS_MNEMONIC_RDMSR]   = emu_rdmsr,
	[ZYDIS_MNEMONIC_RDPMC]   = rdpmc,
	[ZYDIS_MNEMONIC_RDTSC]   = emu_rdtsc,
	[ZYDIS_MNEMONIC_RDTSCP]  = emu_rdtscp,
	[ZYDIS_MNEMONIC_RET]     = emu_ret_far,
	[ZYDIS_MNEMONIC_SGDT]    = emu_sgdt,
	[ZYDIS_MNEMONIC_SIDT]    = emu_sidt,
	[ZYDIS_MNEMONIC_SLDT]    = emu_sldt,
	[ZYDIS_MNEMONIC_SMSW]    = emu_smsw,
	[ZYDIS_MNEMONIC_STI]     = sti,
	[ZYDIS_MNEMONIC_STR]     = emu_str,
	[ZYDIS_MNEMONIC_SWAPGS]  = emu_swapgs,
	[ZYDIS_MNEMONIC_WBINVD]  = nothing,
	[ZYDIS_MNEMONIC_WRMSR]   = emu_wrmsr,
};
/* clang-format on */

static int decode(struct emu_op *op, const uint8_t *code, size_t size)
{
	ZydisDecoder decoder;
	ZyanStatus status;

	if (op->cpu->bits == 64)
		status = ZydisDecoderInit(
			&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else
		status = ZydisDecoderInit(
			&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	if (ZYAN_SUCCESS(status))
		status = ZydisDecoderDecodeFull(&decoder, code, size, &op->insn, op->operand);
	if (ZYAN_SUCCESS(status))
		return 0;
	if (status == ZYDIS_STATUS_NO_MORE_DATA && size < EMU_INSN_MAX) {
		op->effect.value = emu_low(op->start + size, op->cpu->bits);
		return emu_raise_error(op, EMU_PF, 0); /* the rest could not be fetched */
	}
	if (status == ZYDIS_STATUS_NO_MORE_DATA || status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
		return emu_raise_error(op, EMU_GP, 0);
	return emu_raise(op, EMU_UD);
}

struct emu_effect emulate(struct emu_cpu *cpu, struct emu_regs *regs,
	const struct emu_memory *memory, const uint8_t *code, size_t size)
{
	struct emu_op op;

	op.cpu = cpu;
	op.regs = *regs;
	op.start = regs->ip;
	op.memory = memory;
	memset(&op.effect, 0, sizeof(op.effect));
	if (size > EMU_INSN_MAX)
		size = EMU_INSN_MAX;
	if (!decode(&op, code, size)) {
		emu_function *function = table[op.insn.mnemonic];

		op.regs.ip = emu_low(op.start + op.insn.length, cpu->bits);
		op.next = code + op.insn.length;
		op.next_size = size - op.insn.length;
		if (!(function ? function(&op) : emu_unknown(&op)))
			*regs = op.regs;
	}
	if (op.effect.kind == EMU_EXCEPTION && op.effect.vector == EMU_PF)
		cpu->cr2 = op.effect.value;
	return op.effect;
}

void emu_cpuid_done(struct emu_regs *regs, const uint32_t words[4])
{
	regs->gpr[EMU_RAX] = words[0];
	regs->gpr[EMU_RBX] = words[1];
	regs->gpr[EMU_RCX] = words[2];
	regs->gpr[EMU_RDX] = words[3];
}

void emu_cpu_init(struct emu_cpu *cpu, unsigned bits)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->bits = bits;
	cpu->cr0 = CR0_START;
	cpu->cr4 = EMU_CR4_PAE;
	cpu->dr[6] = 0xffff0ff0;
	cpu->dr[7] = 0x400;
	emu_msr_init(cpu);
}
