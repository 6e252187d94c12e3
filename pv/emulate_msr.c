/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers: the architectural ones a kernel looks at. What they hold has no effect
 * but for FS_BASE, GS_BASE and KERNEL_GS_BASE. An unknown number is #GP, and so are bits that the
 * manual reserves. Source: volume 4, and volume 3, 11.11 (MTRRs) and 11.12 (PAT).
 *
 * The time-stamp counter is the processor's, since rdtsc runs natively and cannot be moved: a write
 * has no effect.
 */
#include <x86intrin.h>

#include "emulate_op.h"

enum msr_kind {
	MSR_BITS,      /* any of `may` */
	MSR_CANONICAL, /* a linear address */
	MSR_CONSTANT,  /* cannot be written */
	MSR_VARIABLE,  /* an MTRR's base at even numbers, its mask at odd ones */
	MSR_FIXED,     /* eight types of memory */
	MSR_PAT,       /* and one more type */
	MSR_DEFAULT,   /* MTRRdefType */
	MSR_EXTENDED,  /* EFER */
};

#define PHYSICAL   0x000ffffffffff000ull
#define EFER_LME   0x100u
#define EFER_LMA   0x400u
#define EFER_MAY   0xd01u /* SCE, LME, LMA, NXE */
#define MTRR_VALID 0x800u
#define MTRR_CAP   0x508u /* 8 variable ranges, fixed ranges, write combining */
#define TYPES_MTRR 0x73u  /* bit n: type n exists: UC WC WT WP WB */
#define TYPES_PAT  0xf3u  /* and UC- */

static const struct msr_rule {
	uint32_t first, last;
	enum msr_kind kind;
	uint64_t may, reset;
} rules[] = {
	{EMU_MSR_TSC, EMU_MSR_TSC, MSR_BITS, ~0ull, 0},
	{0x1b, 0x1b, MSR_BITS, PHYSICAL | 0x900, 0xfee00900}, /* APIC_BASE: BSP, EN */
	{0xfe, 0xfe, MSR_CONSTANT, 0, MTRR_CAP},
	{0x174, 0x174, MSR_BITS, ~0ull, 0},  /* SYSENTER_CS */
	{0x175, 0x176, MSR_CANONICAL, 0, 0}, /* SYSENTER_ESP, _EIP */
	{0x200, 0x20f, MSR_VARIABLE, 0, 0},
	{0x250, 0x250, MSR_FIXED, 0, 0},
	{0x258, 0x259, MSR_FIXED, 0, 0},
	{0x268, 0x26f, MSR_FIXED, 0, 0},
	{0x277, 0x277, MSR_PAT, 0, 0x0007040600070406},
	{0x2ff, 0x2ff, MSR_DEFAULT, 0xcff, 0},
	{EMU_MSR_EFER, EMU_MSR_EFER, MSR_EXTENDED, EFER_MAY, 0},
	{0xc0000081, 0xc0000081, MSR_BITS, ~0ull, 0},      /* STAR */
	{0xc0000082, 0xc0000083, MSR_CANONICAL, 0, 0},     /* LSTAR, CSTAR */
	{0xc0000084, 0xc0000084, MSR_BITS, UINT32_MAX, 0}, /* SFMASK */
	{EMU_MSR_FS_BASE, EMU_MSR_KERNEL_GS_BASE, MSR_CANONICAL, 0, 0},
	{EMU_MSR_TSC_AUX, EMU_MSR_TSC_AUX, MSR_BITS, UINT32_MAX, 0},
};

static const struct msr_rule *rule_of(uint32_t number)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (number >= rules[i].first && number <= rules[i].last)
			return &rules[i];
	return NULL;
}

/* Where the value of a known one is kept. */
static uint64_t *slot_of(struct emu_cpu *cpu, uint32_t number)
{
	if (number == EMU_MSR_FS_BASE)
		return &cpu->fs_base;
	if (number == EMU_MSR_GS_BASE)
		return &cpu->gs_base;
	for (unsigned i = 0; i < cpu->msrs && i < EMU_MSRS_MAX; i++)
		if (cpu->msr[i].number == number)
			return &cpu->msr[i].value;
	return NULL;
}

void emu_msr_init(struct emu_cpu *cpu)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (uint32_t n = rules[i].first; n <= rules[i].last && cpu->msrs < EMU_MSRS_MAX;
			n++) {
			if (slot_of(cpu, n))
				continue;
			cpu->msr[cpu->msrs].number = n;
			cpu->msr[cpu->msrs].value = rules[i].reset;
			cpu->msrs++;
		}
	if (cpu->bits == 64)
		*slot_of(cpu, EMU_MSR_EFER) = EFER_LME | EFER_LMA;
}

static int types_exist(uint64_t value, unsigned types, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++, value >>= 8)
		if ((value & 0xff) > 7 || !(types >> (value & 7) & 1))
			return 0;
	return 1;
}

static int acceptable(const struct msr_rule *rule, uint32_t number, uint64_t old, uint64_t value)
{
	switch (rule->kind) {
	case MSR_BITS:
		return !(value & ~rule->may);
	case MSR_CANONICAL:
		return emu_canonical(value);
	case MSR_CONSTANT:
		return 0;
	case MSR_VARIABLE:
		if (number & 1)
			return !(value & ~(PHYSICAL | MTRR_VALID));
		return !(value & ~(PHYSICAL | 0xff)) && types_exist(value, TYPES_MTRR, 1);
	case MSR_FIXED:
		return types_exist(value, TYPES_MTRR, 8);
	case MSR_PAT:
		return types_exist(value, TYPES_PAT, 8);
	case MSR_DEFAULT:
		return !(value & ~rule->may) && types_exist(value, TYPES_MTRR, 1);
	case MSR_EXTENDED: /* LME cannot change while paging is on, and it is always on */
		return !(value & ~rule->may) && !((value ^ old) & EFER_LME);
	}
	return 0;
}

int emu_rdmsr(struct emu_op *op)
{
	uint32_t number = (uint32_t)emu_gpr(op, EMU_RCX, 32);
	const uint64_t *slot = rule_of(number) ? slot_of(op->cpu, number) : NULL;
	uint64_t value;

	if (!slot)
		return emu_raise_error(op, EMU_GP, 0);
	value = number == EMU_MSR_TSC ? __rdtsc() : *slot;
	emu_gpr_set(&op->regs, EMU_RAX, 32, value);
	emu_gpr_set(&op->regs, EMU_RDX, 32, value >> 32);
	return 0;
}

int emu_wrmsr(struct emu_op *op)
{
	uint32_t number = (uint32_t)emu_gpr(op, EMU_RCX, 32);
	uint64_t value = emu_gpr(op, EMU_RDX, 32) << 32 | emu_gpr(op, EMU_RAX, 32);
	const struct msr_rule *rule = rule_of(number);
	uint64_t *slot = rule ? slot_of(op->cpu, number) : NULL;

	if (!slot || !acceptable(rule, number, *slot, value))
		return emu_raise_error(op, EMU_GP, 0);
	if (rule->kind == MSR_EXTENDED) /* LMA is the processor's to set */
		value = (value & ~(uint64_t)EFER_LMA) | (*slot & EFER_LMA);
	*slot = value;
	return 0;
}

int emu_swapgs(struct emu_op *op)
{
	uint64_t *kernel = slot_of(op->cpu, EMU_MSR_KERNEL_GS_BASE);
	uint64_t base = op->cpu->gs_base;

	if (op->cpu->bits != 64 || !kernel)
		return emu_raise(op, EMU_UD);
	op->cpu->gs_base = *kernel;
	*kernel = base;
	return 0;
}

int emu_rdtsc(struct emu_op *op)
{
	uint64_t now = __rdtsc();

	emu_gpr_set(&op->regs, EMU_RAX, 32, now);
	emu_gpr_set(&op->regs, EMU_RDX, 32, now >> 32);
	return 0;
}

int emu_rdtscp(struct emu_op *op)
{
	const uint64_t *aux = slot_of(op->cpu, EMU_MSR_TSC_AUX);

	emu_gpr_set(&op->regs, EMU_RCX, 32, aux ? *aux : 0);
	return emu_rdtsc(op);
}
