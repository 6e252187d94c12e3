/* SPDX-License-Identifier: MIT */
/*
 * Operands of an instruction under emulation: registers, effective addresses, memory and the stack.
 */
#include <string.h>

#include "emulate_op.h"

uint64_t emu_low(uint64_t value, unsigned width)
{
	return width >= 64 ? value : value & ((1ull << width) - 1);
}

int emu_canonical(uint64_t va)
{
	return va < 1ull << 47 || va >= ~0ull << 47;
}

uint64_t emu_gpr(const struct emu_op *op, unsigned number, unsigned width)
{
	return emu_low(op->regs.gpr[number % EMU_GPRS], width);
}

/*
 * A result of 32 bits clears the upper half, a smaller one leaves what is above it (volume 1,
 * 3.4.1.1).
 */
void emu_gpr_set(struct emu_regs *regs, unsigned number, unsigned width, uint64_t value)
{
	uint64_t *gpr = &regs->gpr[number % EMU_GPRS];

	if (width >= 32)
		*gpr = emu_low(value, width);
	else
		*gpr = (*gpr & ~emu_low(~0ull, width)) | emu_low(value, width);
}

/*
 * Not round the end of the address space, not even up to it: who is asked for memory may add the
 * two.
 */
static int reachable(const struct emu_op *op, uint64_t va, size_t size)
{
	uint64_t end = va + size;

	if (op->cpu->bits == 32)
		return va < end && end <= 1ull << 32;
	return va < end && emu_canonical(va) && emu_canonical(end - 1);
}

/*
 * The address in CR2 is that of the page at fault: for an access to two pages the second, unless
 * the first byte cannot be read either. A write to a read-only first page is thereby told as the
 * second, when that is missing too.
 */
static int page_fault(struct emu_op *op, uint64_t va, size_t size, uint32_t error)
{
	uint64_t second = (va + size - 1) & ~0xfffull;
	uint8_t byte;

	if (second > va && op->memory->read(op->memory->arg, second, &byte, 1) &&
		!op->memory->read(op->memory->arg, va, &byte, 1))
		va = second;
	op->effect.value = va;
	return emu_raise_error(op, EMU_PF, error);
}

int emu_read(struct emu_op *op, uint64_t va, void *to, size_t size)
{
	if (!reachable(op, va, size))
		return emu_raise_error(op, EMU_GP, 0);
	if (op->memory->read(op->memory->arg, va, to, size))
		return page_fault(op, va, size, 0);
	return 0;
}

int emu_write(struct emu_op *op, uint64_t va, const void *from, size_t size)
{
	uint32_t error = EMU_PF_WRITE;
	uint8_t byte;

	if (!reachable(op, va, size))
		return emu_raise_error(op, EMU_GP, 0);
	if (!op->memory->write(op->memory->arg, va, from, size))
		return 0;
	/* What can be read but not written is present. */
	if (!op->memory->read(op->memory->arg, va, &byte, 1) &&
		!op->memory->read(op->memory->arg, va + size - 1, &byte, 1))
		error |= EMU_PF_PRESENT;
	return page_fault(op, va, size, error);
}

static uint64_t register_value(const struct emu_op *op, ZydisRegister reg)
{
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_IP:
		return op->regs.ip;
	case ZYDIS_REGCLASS_GPR16:
		return emu_gpr(op, (unsigned)ZydisRegisterGetId(reg), 16);
	case ZYDIS_REGCLASS_GPR32:
		return emu_gpr(op, (unsigned)ZydisRegisterGetId(reg), 32);
	case ZYDIS_REGCLASS_GPR64:
		return emu_gpr(op, (unsigned)ZydisRegisterGetId(reg), 64);
	default: /* none, and the zero index */
		return 0;
	}
}

/* Segments are flat but for FS and GS. */
uint64_t emu_address(const struct emu_op *op, const ZydisDecodedOperand *operand)
{
	const ZydisDecodedOperandMem *mem = &operand->mem;
	uint64_t at = register_value(op, mem->base) + register_value(op, mem->index) * mem->scale;

	if (mem->disp.has_displacement)
		at += (uint64_t)mem->disp.value;
	at = emu_low(at, op->insn.address_width);
	if (mem->segment == ZYDIS_REGISTER_FS)
		at += op->cpu->fs_base;
	else if (mem->segment == ZYDIS_REGISTER_GS)
		at += op->cpu->gs_base;
	return emu_low(at, op->cpu->bits);
}

int emu_load(struct emu_op *op, const ZydisDecodedOperand *operand, uint64_t *value)
{
	*value = 0;
	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		*value = register_value(op, operand->reg.value);
		return 0;
	}
	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->size > 64)
		return emu_unknown(op);
	return emu_read(op, emu_address(op, operand), value, operand->size / 8);
}

int emu_store(struct emu_op *op, const ZydisDecodedOperand *operand, uint64_t value)
{
	if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		emu_gpr_set(&op->regs, (unsigned)ZydisRegisterGetId(operand->reg.value),
			operand->size, value);
		return 0;
	}
	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->size > 64)
		return emu_unknown(op);
	return emu_write(op, emu_address(op, operand), &value, operand->size / 8);
}

int emu_peek(struct emu_op *op, uint64_t *words, unsigned count, unsigned width)
{
	uint8_t bytes[5 * sizeof(uint64_t)];
	size_t each = width / 8;

	if (emu_read(op, emu_gpr(op, EMU_RSP, op->cpu->bits), bytes, count * each))
		return EMU_RAISED;
	for (unsigned i = 0; i < count; i++) {
		words[i] = 0;
		memcpy(&words[i], bytes + i * each, each);
	}
	return 0;
}

/* The first word lies lowest. One write, so that a frame is there whole or not at all. */
int emu_push(struct emu_op *op, const uint64_t *words, unsigned count, unsigned width)
{
	uint8_t bytes[6 * sizeof(uint64_t)];
	size_t each = width / 8;
	uint64_t top;

	for (unsigned i = 0; i < count; i++)
		memcpy(bytes + i * each, &words[i], each);
	top = emu_low(op->regs.gpr[EMU_RSP] - count * each, op->cpu->bits);
	if (emu_write(op, top, bytes, count * each))
		return EMU_RAISED;
	op->regs.gpr[EMU_RSP] = top;
	return 0;
}

void emu_stack_move(struct emu_op *op, int64_t by)
{
	op->regs.gpr[EMU_RSP] = emu_low(op->regs.gpr[EMU_RSP] + (uint64_t)by, op->cpu->bits);
}
