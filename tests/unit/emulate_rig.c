/* SPDX-License-Identifier: MIT */
/* The emulator's test rig. */
#include "emulate_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rig rig;

static int reach(uint64_t va, size_t size, uint8_t access)
{
	if (va < RIG_BASE || va + size > RIG_BASE + sizeof(rig.ram))
		return -EFAULT;
	for (uint64_t at = va & ~0xfffull; at < va + size; at += 4096)
		if (rig.access[(at - RIG_BASE) / 4096] < access)
			return -EFAULT;
	return 0;
}

static int ram_read(void *arg, uint64_t va, void *to, size_t size)
{
	(void)arg;
	if (reach(va, size, 1))
		return -EFAULT;
	memcpy(to, rig.ram + (va - RIG_BASE), size);
	return 0;
}

static int ram_write(void *arg, uint64_t va, const void *from, size_t size)
{
	(void)arg;
	if (reach(va, size, 2))
		return -EFAULT;
	memcpy(rig.ram + (va - RIG_BASE), from, size);
	return 0;
}

void rig_put(uint64_t va, const void *from, size_t size)
{
	CU_ASSERT_FATAL(va >= RIG_BASE && va + size <= RIG_BASE + sizeof(rig.ram));
	memcpy(rig.ram + (va - RIG_BASE), from, size);
}

void rig_put_word(uint64_t va, uint64_t value, unsigned bits)
{
	rig_put(va, &value, bits / 8);
}

uint64_t rig_word(uint64_t va, unsigned bits)
{
	uint64_t value = 0;

	CU_ASSERT_FATAL(va >= RIG_BASE && va + bits / 8 <= RIG_BASE + sizeof(rig.ram));
	memcpy(&value, rig.ram + (va - RIG_BASE), bits / 8);
	return value;
}

void rig_begin(unsigned bits)
{
	const uint64_t code32 = 0x00cf9b000000ffff, code64 = 0x00af9b000000ffff;
	const uint64_t gdt[RIG_GDT_LIMIT / 8 + 1] = {
		[SEL_CODE / 8] = bits == 64 ? code64 : code32,
		[SEL_DATA / 8] = 0x00cf93000000ffff,
		[SEL_CODE3 / 8] = (bits == 64 ? code64 : code32) | 0x600000000000,
		[SEL_DATA3 / 8] = 0x00cff3000000ffff,
		[SEL_CODE_GONE / 8] = (bits == 64 ? code64 : code32) & ~0x800000000000ull,
		[SEL_DATA_GONE / 8] = 0x00cf13000000ffff,
		[SEL_BASED / 8] = 0x01cf93234000ffff,
		[SEL_READ_ONLY / 8] = 0x00cf91000000ffff,
		[SEL_EXECUTE_ONLY / 8] = bits == 64 ? 0x00af99000000ffff : 0x00cf99000000ffff,
		[SEL_CODE_OTHER / 8] = bits == 64 ? code32 : code64,
		[SEL_TSS / 8] = 0x0000891060000067,
		[SEL_LDT / 8] = 0x0000821060000007,
		[SEL_CONFORMING / 8] = (bits == 64 ? code64 : code32) | 0x40000000000,
		[SEL_TSS_GONE / 8] = 0x0000091060000067,
	};

	memset(&rig, 0, sizeof(rig));
	memset(rig.access, 2, sizeof(rig.access));
	rig.memory = (struct emu_memory){.read = ram_read, .write = ram_write};
	rig_put(RIG_GDT, gdt, sizeof(gdt));
	emu_cpu_init(&rig.cpu, bits);
	rig.cpu.gdt = (struct emu_table){.base = RIG_GDT, .limit = RIG_GDT_LIMIT};
	rig.cpu.cs = SEL_CODE;
	rig.cpu.ss = rig.cpu.ds = rig.cpu.es = SEL_DATA;
	for (unsigned i = 0; i < EMU_GPRS; i++)
		rig.regs.gpr[i] = (bits == 64 ? 0x1111111100000000ull : 0) + i * 0x10101u;
	rig.regs.gpr[EMU_RSP] = RIG_STACK;
	rig.regs.gpr[EMU_RBX] = RIG_DATA;
	rig.regs.flags = 0x2;
}

/* The bytes are copied to their own allocation, so that a read beyond them shows. */
void rig_run(const char *code, size_t size)
{
	uint8_t *copy = malloc(size);

	CU_ASSERT_FATAL(copy && size <= EMU_INSN_MAX);
	memcpy(copy, code, size);
	rig.regs.ip = RIG_CODE;
	rig.effect = emulate(&rig.cpu, &rig.regs, &rig.memory, copy, size);
	free(copy);
}

void rig_done(const char *code, size_t size)
{
	rig_run(code, size);
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + size);
}

void rig_raises(const char *code, size_t size, uint8_t vector, int64_t error)
{
	static struct rig before;

	rig.regs.ip = RIG_CODE;
	before = rig;
	rig_run(code, size);
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_EXCEPTION);
	CU_ASSERT_EQUAL(rig.effect.vector, vector);
	CU_ASSERT_EQUAL(rig.effect.has_error, error >= 0);
	CU_ASSERT_EQUAL(rig.effect.error, error >= 0 ? (uint32_t)error : 0);
	if (vector == 14) {
		CU_ASSERT_EQUAL(rig.cpu.cr2, rig.effect.value);
		before.cpu.cr2 = rig.cpu.cr2;
	}
	CU_ASSERT_EQUAL(memcmp(&before.cpu, &rig.cpu, sizeof(rig.cpu)), 0);
	CU_ASSERT_EQUAL(memcmp(&before.regs, &rig.regs, sizeof(rig.regs)), 0);
	CU_ASSERT_EQUAL(memcmp(before.ram, rig.ram, sizeof(rig.ram)), 0);
}
