/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables and segment registers, all virtual: a selector is checked against the guest's
 * own GDT and remembered, and no real segment register is touched. So code, stack and data must be
 * flat, which a real processor does not ask for; only FS and GS have a base. The LDT is empty.
 * Source: volume 3, chapters 3 and 6.
 */
#include <string.h>

#include "emulate_op.h"

#define TYPE_CODE       0x8u
#define TYPE_CONFORMING 0x4u /* of code */
#define TYPE_DOWN       0x4u /* of data */
#define TYPE_ALLOWED    0x2u /* code may be read, data written */
#define TYPE_LDT        0x2u /* of a system segment */
#define TYPE_TSS        0x9u
#define TYPE_TSS_BUSY   0x2u

#define RPL(selector)   ((selector)&3u)
#define NULL_(selector) (!((selector) & ~3u))
#define SELECTOR_LDT    4u

struct descriptor {
	uint64_t base;
	uint64_t limit;
	unsigned type, dpl;
	int segment, present, wide, big; /* S, P, L and D/B */
};

/* Error codes name a selector without its RPL. */
static int refuse(struct emu_op *op, enum emu_vector vector, uint16_t selector)
{
	return emu_raise_error(op, vector, selector & ~3u);
}

static uint64_t descriptor_at(const struct emu_op *op, uint16_t selector)
{
	return op->cpu->gdt.base + (selector & ~7u);
}

/* `size`: 16 for a system segment of 64-bit mode, else 8. */
static int descriptor_get(struct emu_op *op, uint16_t selector, unsigned size, struct descriptor *d)
{
	uint64_t raw[2] = {0};

	if ((selector & SELECTOR_LDT) || (selector & ~7u) + size - 1 > op->cpu->gdt.limit)
		return refuse(op, EMU_GP, selector);
	if (emu_read(op, descriptor_at(op, selector), raw, size))
		return EMU_RAISED;
	d->base = (raw[0] >> 16 & 0xffffff) | (raw[0] >> 56 & 0xff) << 24 | raw[1] << 32;
	d->limit = (raw[0] & 0xffff) | (raw[0] >> 32 & 0xf0000);
	d->type = raw[0] >> 40 & 0xf;
	d->segment = raw[0] >> 44 & 1;
	d->dpl = raw[0] >> 45 & 3;
	d->present = raw[0] >> 47 & 1;
	d->wide = raw[0] >> 53 & 1;
	d->big = raw[0] >> 54 & 1;
	if (raw[0] >> 55 & 1)
		d->limit = d->limit << 12 | 0xfff;
	return 0;
}

/* 64-bit mode takes no base and limit from these. Expand-down data lies above its limit. */
static int flat(const struct emu_op *op, const struct descriptor *d)
{
	if (op->cpu->bits == 64)
		return 1;
	return !d->base && d->limit == UINT32_MAX &&
	       (d->type & (TYPE_CODE | TYPE_DOWN)) != TYPE_DOWN;
}

int emu_code_check(struct emu_op *op, uint16_t selector)
{
	struct descriptor d;

	if (NULL_(selector))
		return emu_raise_error(op, EMU_GP, 0);
	if (descriptor_get(op, selector, 8, &d))
		return EMU_RAISED;
	if (!d.segment || !(d.type & TYPE_CODE) || RPL(selector) || d.dpl)
		return refuse(op, EMU_GP, selector);
	if (!d.present)
		return refuse(op, EMU_NP, selector);
	/* Code of the other width would be the other machine's. */
	if (op->cpu->bits == 64 ? !d.wide || d.big : !d.big || !flat(op, &d))
		return refuse(op, EMU_GP, selector);
	return 0;
}

int emu_stack_check(struct emu_op *op, uint16_t selector)
{
	struct descriptor d;

	if (NULL_(selector)) /* 64-bit mode allows it in rings 0 to 2 */
		return op->cpu->bits == 64 && !RPL(selector) ? 0 : emu_raise_error(op, EMU_GP, 0);
	if (descriptor_get(op, selector, 8, &d))
		return EMU_RAISED;
	if (!d.segment || (d.type & TYPE_CODE) || !(d.type & TYPE_ALLOWED) || RPL(selector) ||
		d.dpl)
		return refuse(op, EMU_GP, selector);
	if (!d.present)
		return refuse(op, EMU_SS, selector);
	if (!flat(op, &d) || (op->cpu->bits == 32 && !d.big))
		return refuse(op, EMU_GP, selector);
	return 0;
}

/* DS, ES, FS and GS. */
static int data_check(struct emu_op *op, uint16_t selector, int based, uint64_t *base)
{
	struct descriptor d;

	*base = 0;
	if (NULL_(selector))
		return 0;
	if (descriptor_get(op, selector, 8, &d))
		return EMU_RAISED;
	if (!d.segment || (d.type & (TYPE_CODE | TYPE_ALLOWED)) == TYPE_CODE)
		return refuse(op, EMU_GP, selector);
	if ((d.type & (TYPE_CODE | TYPE_CONFORMING)) != (TYPE_CODE | TYPE_CONFORMING) &&
		RPL(selector) > d.dpl)
		return refuse(op, EMU_GP, selector);
	if (!d.present)
		return refuse(op, EMU_NP, selector);
	if (!based && !flat(op, &d))
		return refuse(op, EMU_GP, selector);
	*base = d.base;
	return 0;
}

/* What the instruction does besides must have happened before: this is the last that can fail. */
static int segment_load(struct emu_op *op, ZydisRegister reg, uint16_t selector)
{
	struct emu_cpu *cpu = op->cpu;
	uint64_t base;

	if (reg == ZYDIS_REGISTER_SS) {
		if (emu_stack_check(op, selector))
			return EMU_RAISED;
		cpu->ss = selector;
		return 0;
	}
	if (data_check(op, selector, reg == ZYDIS_REGISTER_FS || reg == ZYDIS_REGISTER_GS, &base))
		return EMU_RAISED;
	switch (reg) {
	case ZYDIS_REGISTER_DS:
		cpu->ds = selector;
		return 0;
	case ZYDIS_REGISTER_ES:
		cpu->es = selector;
		return 0;
	case ZYDIS_REGISTER_FS:
		cpu->fs = selector;
		cpu->fs_base = base;
		return 0;
	case ZYDIS_REGISTER_GS:
		cpu->gs = selector;
		cpu->gs_base = base;
		return 0;
	default:
		return emu_raise(op, EMU_UD);
	}
}

int emu_mov_segment(struct emu_op *op)
{
	uint64_t selector;

	if (emu_load(op, &op->operand[1], &selector))
		return EMU_RAISED;
	return segment_load(op, op->operand[0].reg.value, (uint16_t)selector);
}

int emu_pop(struct emu_op *op)
{
	const ZydisDecodedOperand *to = &op->operand[0];
	uint64_t word;

	if (to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		ZydisRegisterGetClass(to->reg.value) != ZYDIS_REGCLASS_SEGMENT)
		return emu_unknown(op);
	if (emu_peek(op, &word, 1, op->insn.operand_width))
		return EMU_RAISED;
	emu_stack_move(op, op->insn.operand_width / 8);
	return segment_load(op, to->reg.value, (uint16_t)word);
}

/*
 * lds les lfs lgs lss: the offset lies before the selector; Zydis names the segment register third.
 */
int emu_far_pointer(struct emu_op *op)
{
	const ZydisDecodedOperand *to = &op->operand[0];
	uint8_t bytes[10];
	size_t width = to->size / 8;
	uint64_t offset = 0;
	uint16_t selector;

	if (emu_read(op, emu_address(op, &op->operand[1]), bytes, width + 2))
		return EMU_RAISED;
	memcpy(&offset, bytes, width);
	memcpy(&selector, bytes + width, 2);
	emu_gpr_set(&op->regs, (unsigned)ZydisRegisterGetId(to->reg.value), to->size, offset);
	return segment_load(op, op->operand[2].reg.value, selector);
}

static int table_load(struct emu_op *op, struct emu_table *table)
{
	uint8_t bytes[10];
	size_t size = op->cpu->bits == 64 ? 10 : 6;
	uint64_t base = 0;

	if (emu_read(op, emu_address(op, &op->operand[0]), bytes, size))
		return EMU_RAISED;
	memcpy(&base, bytes + 2, size - 2);
	if (op->cpu->bits == 64 && !emu_canonical(base))
		return emu_raise_error(op, EMU_GP, 0);
	if (op->insn.operand_width == 16 && op->cpu->bits == 32)
		base &= 0xffffff;
	memcpy(&table->limit, bytes, 2);
	table->base = base;
	return 0;
}

static int table_store(struct emu_op *op, const struct emu_table *table)
{
	uint8_t bytes[10];
	size_t size = op->cpu->bits == 64 ? 10 : 6;

	memcpy(bytes, &table->limit, 2);
	memcpy(bytes + 2, &table->base, size - 2);
	return emu_write(op, emu_address(op, &op->operand[0]), bytes, size);
}

int emu_lgdt(struct emu_op *op)
{
	return table_load(op, &op->cpu->gdt);
}

int emu_lidt(struct emu_op *op)
{
	return table_load(op, &op->cpu->idt);
}

int emu_sgdt(struct emu_op *op)
{
	return table_store(op, &op->cpu->gdt);
}

int emu_sidt(struct emu_op *op)
{
	return table_store(op, &op->cpu->idt);
}

static int system_get(struct emu_op *op, uint16_t selector, unsigned type, struct descriptor *d)
{
	if (descriptor_get(op, selector, op->cpu->bits == 64 ? 16 : 8, d))
		return EMU_RAISED;
	if (d->segment || d->type != type)
		return refuse(op, EMU_GP, selector);
	if (!d->present)
		return refuse(op, EMU_NP, selector);
	return 0;
}

int emu_lldt(struct emu_op *op)
{
	struct descriptor d;
	uint64_t selector;

	if (emu_load(op, &op->operand[0], &selector))
		return EMU_RAISED;
	if (!NULL_(selector) && system_get(op, (uint16_t)selector, TYPE_LDT, &d))
		return EMU_RAISED;
	op->cpu->ldt = (uint16_t)selector;
	return 0;
}

/* The descriptor becomes busy in memory, as on the processor: loading it twice is #GP. */
int emu_ltr(struct emu_op *op)
{
	struct descriptor d;
	uint64_t selector;
	uint8_t access;

	if (emu_load(op, &op->operand[0], &selector))
		return EMU_RAISED;
	if (NULL_(selector))
		return emu_raise_error(op, EMU_GP, 0);
	if (system_get(op, (uint16_t)selector, TYPE_TSS, &d))
		return EMU_RAISED;
	access = (uint8_t)(0x80 | d.dpl << 5 | TYPE_TSS | TYPE_TSS_BUSY);
	if (emu_write(op, descriptor_at(op, (uint16_t)selector) + 5, &access, 1))
		return EMU_RAISED;
	op->cpu->task = (uint16_t)selector;
	op->cpu->tss.base = d.base;
	op->cpu->tss.limit = d.limit > UINT16_MAX ? UINT16_MAX : (uint16_t)d.limit;
	return 0;
}

/* A register takes the selector with zeroes above it, memory its 16 bits. */
int emu_sldt(struct emu_op *op)
{
	return emu_store(op, &op->operand[0], op->cpu->ldt);
}

int emu_str(struct emu_op *op)
{
	return emu_store(op, &op->operand[0], op->cpu->task);
}
