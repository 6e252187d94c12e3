/* SPDX-License-Identifier: MIT */
/*
 * Control and debug registers. Paging, protection and PAE stay on: the machine has no other mode,
 * so what would turn one off is #GP. DR7.GD reads as 0, and no breakpoint is ever armed: debug
 * registers hold what was written, no more. Source: volume 3, 2.5 and 17.2; volume 2, MOV to and
 * from control and debug registers.
 */
#include "emulate_op.h"

#define CR0_ET       0x10u
#define CR0_TS       0x8u
#define CR0_NW       0x20000000u
#define CR0_CD       0x40000000u
#define CR0_LMSW     0xfu
#define CR0_WRITABLE 0xe005002fu
/* VME to UMIP, FSGSBASE, OSXSAVE, SMEP and SMAP; not LA57, VMXE, SMXE, PCIDE and what is newer. */
#define CR4_WRITABLE 0x350fffu
/* An address of 52 bits, the most there is. Below it PWT and PCD, and what is ignored. */
#define CR3_64_ADDRESS  0x000ffffffffff000ull
#define CR3_64_RESERVED 0xfff0000000000000ull
#define CR3_PAE_ADDRESS 0xffffffe0u

#define DR6_ONES     0xffff0ff0u
#define DR6_WRITABLE 0x0000e00fu
#define DR7_ONES     0x00000400u
#define DR7_WRITABLE 0xffff03ffu

static int cr0_set(struct emu_op *op, uint64_t value)
{
	if (value >> 32 || !(value & EMU_CR0_PE) || !(value & EMU_CR0_PG) ||
		((value & CR0_NW) && !(value & CR0_CD)))
		return emu_raise_error(op, EMU_GP, 0);
	op->cpu->cr0 = (value & CR0_WRITABLE) | CR0_ET;
	return 0;
}

static int cr3_set(struct emu_op *op, uint64_t value)
{
	if (op->cpu->bits == 64 && (value & CR3_64_RESERVED))
		return emu_raise_error(op, EMU_GP, 0);
	op->effect.kind = EMU_CR3;
	op->effect.value = value & (op->cpu->bits == 64 ? CR3_64_ADDRESS : CR3_PAE_ADDRESS);
	return 0;
}

static int cr4_set(struct emu_op *op, uint64_t value)
{
	if ((value & ~(uint64_t)CR4_WRITABLE) || !(value & EMU_CR4_PAE))
		return emu_raise_error(op, EMU_GP, 0);
	op->cpu->cr4 = value;
	return 0;
}

static int cr8_set(struct emu_op *op, uint64_t value)
{
	if (value > 15)
		return emu_raise_error(op, EMU_GP, 0);
	op->cpu->cr8 = value;
	return 0;
}

static int control_write(struct emu_op *op, ZydisRegister reg, uint64_t value)
{
	switch (reg) {
	case ZYDIS_REGISTER_CR0:
		return cr0_set(op, value);
	case ZYDIS_REGISTER_CR2:
		op->cpu->cr2 = value;
		return 0;
	case ZYDIS_REGISTER_CR3:
		return cr3_set(op, value);
	case ZYDIS_REGISTER_CR4:
		return cr4_set(op, value);
	case ZYDIS_REGISTER_CR8:
		return cr8_set(op, value);
	default:
		return emu_raise(op, EMU_UD);
	}
}

static int control_read(struct emu_op *op, ZydisRegister reg, uint64_t *value)
{
	const struct emu_cpu *cpu = op->cpu;

	switch (reg) {
	case ZYDIS_REGISTER_CR0:
		*value = cpu->cr0;
		return 0;
	case ZYDIS_REGISTER_CR2:
		*value = cpu->cr2;
		return 0;
	case ZYDIS_REGISTER_CR3:
		*value = cpu->cr3;
		return 0;
	case ZYDIS_REGISTER_CR4:
		*value = cpu->cr4;
		return 0;
	case ZYDIS_REGISTER_CR8:
		*value = cpu->cr8;
		return 0;
	default:
		return emu_raise(op, EMU_UD);
	}
}

int emu_mov_control(struct emu_op *op)
{
	const ZydisDecodedOperand *to = &op->operand[0], *from = &op->operand[1];
	uint64_t value;

	if (ZydisRegisterGetClass(to->reg.value) == ZYDIS_REGCLASS_CONTROL) {
		if (emu_load(op, from, &value))
			return EMU_RAISED;
		return control_write(op, to->reg.value, value);
	}
	if (control_read(op, from->reg.value, &value))
		return EMU_RAISED;
	return emu_store(op, to, value);
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE forbids them. */
static int debug_number(struct emu_op *op, ZydisRegister reg, unsigned *number)
{
	*number = (unsigned)ZydisRegisterGetId(reg);
	if (*number > 7)
		return emu_raise(op, EMU_UD);
	if (*number == 4 || *number == 5) {
		if (op->cpu->cr4 & EMU_CR4_DE)
			return emu_raise(op, EMU_UD);
		*number += 2;
	}
	return 0;
}

static int debug_write(struct emu_op *op, unsigned number, uint64_t value)
{
	if (number >= 6 && value >> 32)
		return emu_raise_error(op, EMU_GP, 0);
	if (number == 6)
		value = (value & DR6_WRITABLE) | DR6_ONES;
	else if (number == 7)
		value = (value & DR7_WRITABLE) | DR7_ONES;
	op->cpu->dr[number] = value;
	return 0;
}

int emu_mov_debug(struct emu_op *op)
{
	const ZydisDecodedOperand *to = &op->operand[0], *from = &op->operand[1];
	int write = ZydisRegisterGetClass(to->reg.value) == ZYDIS_REGCLASS_DEBUG;
	unsigned number;
	uint64_t value;

	if (debug_number(op, write ? to->reg.value : from->reg.value, &number))
		return EMU_RAISED;
	if (!write)
		return emu_store(op, to, op->cpu->dr[number]);
	if (emu_load(op, from, &value))
		return EMU_RAISED;
	return debug_write(op, number, value);
}

int emu_clts(struct emu_op *op)
{
	op->cpu->cr0 &= ~(uint64_t)CR0_TS;
	return 0;
}

/* PE, MP, EM and TS; it can set PE but not clear it. */
int emu_lmsw(struct emu_op *op)
{
	uint64_t value;

	if (emu_load(op, &op->operand[0], &value))
		return EMU_RAISED;
	op->cpu->cr0 = (op->cpu->cr0 & ~(uint64_t)CR0_LMSW) | (value & CR0_LMSW) | EMU_CR0_PE;
	return 0;
}

int emu_smsw(struct emu_op *op)
{
	return emu_store(op, &op->operand[0], op->cpu->cr0);
}

int emu_invlpg(struct emu_op *op)
{
	op->effect.kind = EMU_FLUSH;
	op->effect.value = emu_address(op, &op->operand[0]);
	return 0;
}
