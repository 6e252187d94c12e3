/* SPDX-License-Identifier: MIT */
/* Port instructions: an element at a time, carried out by the caller. */
#include <errno.h>

#include "emulate_op.h"

#define REPEATED (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)

static uint16_t port_of(const struct emu_op *op, const ZydisDecodedOperand *operand)
{
	if (operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return (uint8_t)operand->imm.value.u;
	return (uint16_t)emu_gpr(op, EMU_RDX, 16);
}

int emu_in(struct emu_op *op)
{
	op->effect.kind = EMU_IN;
	op->effect.port = port_of(op, &op->operand[1]);
	op->effect.size = (uint8_t)(op->operand[0].size / 8);
	return 0;
}

int emu_out(struct emu_op *op)
{
	op->effect.kind = EMU_OUT;
	op->effect.port = port_of(op, &op->operand[0]);
	op->effect.size = (uint8_t)(op->operand[1].size / 8);
	op->effect.value = emu_gpr(op, EMU_RAX, op->operand[1].size);
	return 0;
}

/* With rep: nothing is left to do. */
static int finished(const struct emu_op *op)
{
	return (op->insn.attributes & REPEATED) && !emu_gpr(op, EMU_RCX, op->insn.address_width);
}

/* One element further; the instruction stays where it is while there are more. */
static void step(struct emu_op *op, unsigned index, unsigned size)
{
	unsigned width = op->insn.address_width;
	uint64_t at = op->regs.gpr[index];

	emu_gpr_set(&op->regs, index, width, op->regs.flags & EMU_FLAG_DF ? at - size : at + size);
	if (!(op->insn.attributes & REPEATED))
		return;
	emu_gpr_set(&op->regs, EMU_RCX, width, op->regs.gpr[EMU_RCX] - 1);
	if (emu_gpr(op, EMU_RCX, width))
		op->regs.ip = op->start;
}

/*
 * A port may be read once only, so its destination is tried before: what is there is written back.
 * Between the two, nothing of the guest's own runs.
 */
int emu_ins(struct emu_op *op)
{
	const ZydisDecodedOperand *to = &op->operand[0];
	uint64_t old;

	if (finished(op))
		return 0;
	if (emu_load(op, to, &old)) {
		if (op->effect.vector == EMU_PF)
			op->effect.error = EMU_PF_WRITE;
		return EMU_RAISED;
	}
	if (emu_store(op, to, old))
		return EMU_RAISED;
	op->effect.kind = EMU_IN;
	op->effect.port = port_of(op, &op->operand[1]);
	op->effect.size = (uint8_t)(to->size / 8);
	op->effect.to_memory = 1;
	op->effect.value = emu_address(op, to);
	step(op, EMU_RDI, op->effect.size);
	return 0;
}

int emu_outs(struct emu_op *op)
{
	const ZydisDecodedOperand *from = &op->operand[1];

	if (finished(op))
		return 0;
	if (emu_load(op, from, &op->effect.value))
		return EMU_RAISED;
	op->effect.kind = EMU_OUT;
	op->effect.port = port_of(op, &op->operand[0]);
	op->effect.size = (uint8_t)(from->size / 8);
	step(op, EMU_RSI, op->effect.size);
	return 0;
}

int emu_in_done(struct emu_regs *regs, const struct emu_memory *memory,
	const struct emu_effect *effect, uint64_t value)
{
	if (effect->to_memory)
		return memory->write(memory->arg, effect->value, &value, effect->size) ? -EFAULT
										       : 0;
	emu_gpr_set(regs, EMU_RAX, effect->size * 8u, value);
	return 0;
}
