/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the emulator with any code, registers, virtual state and memory: a few instructions in a
 * row, and what they raise or ask for is delivered by whatever IDT there is. Held: effects are of
 * the documented kinds and ranges, ip goes where they say, what was refused has no effect,
 * registers of 32-bit code stay 32 bits wide, and the state keeps its invariants.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../pv/emulate.h"

#define BASE  0x10000u
#define RAM   8192u
#define STEPS 8u

static uint8_t ram[RAM];
static unsigned readonly; /* the first so many bytes, in pages */

static int outside(uint64_t va, size_t size)
{
	assert(size >= 1 && size <= 48 && va + size > va);
	return va < BASE || va + size > BASE + RAM;
}

static int ram_read(void *arg, uint64_t va, void *to, size_t size)
{
	(void)arg;
	if (outside(va, size))
		return -EFAULT;
	memcpy(to, ram + (va - BASE), size);
	return 0;
}

static int ram_write(void *arg, uint64_t va, const void *from, size_t size)
{
	(void)arg;
	if (outside(va, size) || va < BASE + readonly * 4096)
		return -EFAULT;
	memcpy(ram + (va - BASE), from, size);
	return 0;
}

static const struct emu_memory memory = {.read = ram_read, .write = ram_write};

static void check_state(const struct emu_cpu *cpu, const struct emu_regs *regs)
{
	assert((cpu->cr0 & 0x80000001) == 0x80000001 && (cpu->cr4 & 0x20));
	assert(cpu->interrupts == 0 || cpu->interrupts == 1);
	assert(cpu->msrs <= EMU_MSRS_MAX && cpu->cr8 <= 15);
	assert(!(cpu->cs & 3) && !(cpu->ss & 3) && !(cpu->dr[7] & 0x2000));
	assert(!(regs->flags & 0x23200)); /* never IF, IOPL, VM */
	if (cpu->bits == 64)
		return;
	for (unsigned i = 0; i < EMU_GPRS; i++)
		assert(regs->gpr[i] <= UINT32_MAX);
	assert(regs->ip <= UINT32_MAX && cpu->gdt.base <= UINT32_MAX);
	assert(cpu->idt.base <= UINT32_MAX);
}

/* What each kind promises. */
static void check_effect(
	const struct emu_effect *effect, const struct emu_cpu *cpu, uint64_t ip, uint64_t old_ip)
{
	uint64_t moved = cpu->bits == 32 ? (uint32_t)(ip - old_ip) : ip - old_ip;

	switch (effect->kind) {
	case EMU_DONE: /* a jump goes anywhere */
		return;
	case EMU_EXCEPTION:
		assert(effect->vector == 6 || (effect->vector >= 11 && effect->vector <= 14));
		assert(effect->has_error == (effect->vector != 6) && effect->error <= 0xffff);
		assert(effect->vector != 14 || effect->value == cpu->cr2);
		assert(moved == 0);
		return;
	case EMU_UNKNOWN:
		assert(moved == 0);
		return;
	case EMU_IN:
	case EMU_OUT:
		assert(effect->size == 1 || effect->size == 2 || effect->size == 4);
		assert(moved <= EMU_INSN_MAX); /* 0 within a rep */
		assert(effect->kind == EMU_IN || effect->value >> 8 * effect->size == 0);
		return;
	case EMU_CR3:
		assert(!(effect->value & 0x1f) && effect->value < 1ull << 52);
		/* fall through */
	case EMU_HALT:
	case EMU_FLUSH:
	case EMU_CPUID:
	case EMU_INTERRUPT:
		assert(moved >= 1 && moved <= EMU_INSN_MAX);
		return;
	}
	assert(!"a kind that there is");
}

/* The code is allocated to the byte, so that reading beyond it shows. */
static struct emu_effect one(
	struct emu_cpu *cpu, struct emu_regs *regs, const uint8_t *bytes, size_t size)
{
	static uint8_t ram_before[RAM];
	struct emu_cpu cpu_before = *cpu;
	struct emu_regs before = *regs;
	uint8_t *code = malloc(size ? size : 1);
	struct emu_effect effect;

	assert(code);
	memcpy(code, bytes, size);
	memcpy(ram_before, ram, RAM);
	effect = emulate(cpu, regs, &memory, code, size);
	free(code);
	check_effect(&effect, cpu, regs->ip, before.ip);
	if (effect.kind == EMU_EXCEPTION || effect.kind == EMU_UNKNOWN) {
		if (effect.kind == EMU_EXCEPTION && effect.vector == 14)
			cpu_before.cr2 = cpu->cr2;
		assert(!memcmp(&before, regs, sizeof(before)));
		assert(!memcmp(&cpu_before, cpu, sizeof(cpu_before)));
		assert(!memcmp(ram_before, ram, RAM));
	}
	check_state(cpu, regs);
	return effect;
}

/* As the machine would: false where the guest ends. */
static int follow(struct emu_cpu *cpu, struct emu_regs *regs, const struct emu_effect *effect)
{
	static const uint32_t words[4] = {1, 2, 3, 4};
	struct emu_regs before = *regs;

	switch (effect->kind) {
	case EMU_IN:
		return emu_in_done(regs, &memory, effect, ~0ull) == 0;
	case EMU_CPUID:
		emu_cpuid_done(regs, words);
		return 1;
	case EMU_EXCEPTION:
	case EMU_INTERRUPT:
		if (!emu_deliver(
			    cpu, regs, &memory, effect->vector, effect->has_error, effect->error))
			return 1;
		assert(!memcmp(&before, regs, sizeof(before)));
		return 0;
	default:
		return 1;
	}
}

static void take(void *to, size_t want, const uint8_t **bytes, size_t *size)
{
	size_t have = want < *size ? want : *size;

	memset(to, 0, want);
	memcpy(to, *bytes, have);
	*bytes += have;
	*size -= have;
}

/* What random bytes would seldom be: the known opcodes. Prefixes and operands come from the input. */
/* clang-format off */
static const struct {
	uint8_t size, byte[3];
} opcodes[] = {
	{1, {0xfa}}, {1, {0xfb}}, {1, {0xf4}}, {2, {0x0f, 0x06}}, {1, {0xcf}}, {1, {0xcb}},
	{1, {0xca}}, {1, {0xea}}, {1, {0x9a}}, {1, {0xff}}, {1, {0x8e}}, {1, {0x1f}}, {1, {0x07}},
	{1, {0x17}}, {2, {0x0f, 0xa1}}, {2, {0x0f, 0xa9}}, {1, {0xc4}}, {1, {0xc5}},
	{2, {0x0f, 0xb2}}, {2, {0x0f, 0xb4}}, {2, {0x0f, 0xb5}}, {2, {0x0f, 0x20}},
	{2, {0x0f, 0x21}}, {2, {0x0f, 0x22}}, {2, {0x0f, 0x23}}, {2, {0x0f, 0x00}},
	{2, {0x0f, 0x01}}, {2, {0x0f, 0x30}}, {2, {0x0f, 0x31}}, {2, {0x0f, 0x32}},
	{2, {0x0f, 0x33}}, {2, {0x0f, 0xa2}}, {2, {0x0f, 0x08}}, {2, {0x0f, 0x09}}, {1, {0x6c}},
	{1, {0x6d}}, {1, {0x6e}}, {1, {0x6f}}, {1, {0xe4}}, {1, {0xe7}}, {1, {0xec}}, {1, {0xed}},
	{1, {0xee}}, {1, {0xef}}, {1, {0xcd}}, {3, {0x0f, 0x01, 0xf8}}, {3, {0x0f, 0x01, 0xf9}},
	{3, {0x0f, 0x01, 0xc8}},
};
/* clang-format on */
static const uint8_t prefixes[] = {
	0x66, 0x67, 0x48, 0x41, 0x44, 0x4c, 0x64, 0x65, 0xf2, 0xf3, 0xf0, 0x2e};
static const uint32_t msrs[] = {0x10, 0x1b, 0xfe, 0x174, 0x176, 0x200, 0x201, 0x20f, 0x250, 0x26f,
	0x277, 0x2ff, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101,
	0xc0000102, 0xc0000103};

struct step {
	uint8_t size, opcode, prefix, msr;
	uint8_t bytes[EMU_INSN_MAX];
};

/* The code of a step, at most EMU_INSN_MAX bytes of it. */
static size_t assemble(
	const struct step *step, struct emu_regs *regs, uint8_t code[EMU_INSN_MAX + 4])
{
	unsigned known = step->opcode % 64;
	size_t at = 0;

	if (step->prefix < sizeof(prefixes))
		code[at++] = prefixes[step->prefix];
	if (known < sizeof(opcodes) / sizeof(opcodes[0])) {
		memcpy(code + at, opcodes[known].byte, opcodes[known].size);
		at += opcodes[known].size;
	}
	memcpy(code + at, step->bytes, EMU_INSN_MAX);
	if (step->msr < sizeof(msrs) / sizeof(msrs[0]))
		regs->gpr[EMU_RCX] = msrs[step->msr];
	return step->size & 16 ? EMU_INSN_MAX : step->size & 15;
}

/* A GDT, an interrupt gate at every vector, and a frame on the stack that can be returned to. */
static void furnish(struct emu_cpu *cpu, struct emu_regs *regs)
{
	uint64_t gdt[] = {0, cpu->bits == 64 ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
		0x00cf93000000ffff, 0x0000891000000067, 0, 0x01cf93234000ffff};
	uint64_t frame[] = {0x12345, 8, regs->gpr[EMU_RAX], BASE + 0x1f00, 16};

	cpu->gdt = (struct emu_table){.base = BASE, .limit = sizeof(gdt) - 1};
	cpu->idt = (struct emu_table){.base = BASE + 0x100, .limit = 0xfff};
	cpu->ss = cpu->ds = cpu->es = 16;
	memcpy(ram, gdt, sizeof(gdt));
	for (unsigned i = 0; i < 32; i++)
		memcpy(ram + 0x100 + i * cpu->bits / 4, "\x45\x23\x08\x00\x00\x8f\x01\x00", 8);
	regs->gpr[EMU_RSP] = BASE + 0x1800;
	for (unsigned i = 0; i < 5; i++)
		memcpy(ram + 0x1800 + i * cpu->bits / 8, &frame[i], cpu->bits / 8);
}

/* From the fuzzer's bytes, only what a guest could have reached. */
static void begin(struct emu_cpu *cpu, struct emu_regs *regs, const uint8_t **bytes, size_t *size)
{
	uint8_t choice[4];
	uint16_t limits[2];

	take(choice, sizeof(choice), bytes, size);
	take(limits, sizeof(limits), bytes, size);
	take(regs, sizeof(*regs), bytes, size);
	emu_cpu_init(cpu, choice[0] & 1 ? 64 : 32);
	readonly = choice[0] >> 1 & 1;
	cpu->interrupts = choice[0] >> 2 & 1;
	cpu->gdt = (struct emu_table){.base = BASE + choice[1] * 16u, .limit = limits[0]};
	cpu->idt = (struct emu_table){.base = BASE + choice[2] * 16u, .limit = limits[1]};
	cpu->tss = (struct emu_table){.base = BASE + choice[3] * 16u, .limit = 0x67};
	cpu->cs = 8;
	regs->flags = (regs->flags & 0x254dd5) | 2;
	for (unsigned i = 0; i < EMU_GPRS; i++) {
		if (choice[0] & 8 && i % 3) /* into memory, most of them */
			regs->gpr[i] = BASE + regs->gpr[i] % (RAM + 64);
		if (cpu->bits == 32)
			regs->gpr[i] = (uint32_t)regs->gpr[i];
	}
	if (cpu->bits == 32)
		regs->ip = (uint32_t)regs->ip;
	if (choice[0] & 16)
		furnish(cpu, regs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct emu_cpu cpu;
	struct emu_regs regs;
	struct step step[STEPS];
	size_t memory_size;

	take(step, sizeof(step), &bytes, &size);
	memory_size = size > sizeof(regs) + 8 ? size - sizeof(regs) - 8 : 0;
	memset(ram, 0, sizeof(ram));
	memcpy(ram, bytes + size - memory_size, memory_size < RAM ? memory_size : RAM);
	begin(&cpu, &regs, &bytes, &size);
	for (unsigned i = 0; i < STEPS; i++) {
		uint8_t code[EMU_INSN_MAX + 4];
		size_t length = assemble(&step[i], &regs, code);
		struct emu_effect effect = one(&cpu, &regs, code, length);

		if (!follow(&cpu, &regs, &effect))
			break;
		check_state(&cpu, &regs);
	}
	return 0;
}
