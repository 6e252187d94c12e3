/* SPDX-License-Identifier: MIT */
/* The emulator: control and debug registers, model-specific registers. */
#include "emulate_rig.h"

#include <x86intrin.h>

#define CR0_ON 0x80000011ull /* PG ET PE */

static void cr0(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		DONE("\x0f\x20\xc0"); /* mov eax, cr0 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x80050033);
		rig.regs.gpr[EMU_RBX] = CR0_ON | 0x2aull; /* MP TS NE */
		DONE("\x0f\x22\xc3");                     /* mov cr0, ebx */
		CU_ASSERT_EQUAL(rig.cpu.cr0, CR0_ON | 0x2a);
		DONE("\x0f\x06"); /* clts */
		CU_ASSERT_EQUAL(rig.cpu.cr0, CR0_ON | 0x22);
		rig.regs.gpr[EMU_RBX] =
			0x80000001 | 1u << 28; /* reserved is ignored, ET is there */
		DONE("\x0f\x22\xc3");
		CU_ASSERT_EQUAL(rig.cpu.cr0, CR0_ON);
		rig.regs.gpr[EMU_RBX] = CR0_ON & ~1ull; /* without PE */
		RAISES("\x0f\x22\xc3", 13, 0);
		rig.regs.gpr[EMU_RBX] = CR0_ON & 0x7fffffff; /* without PG */
		RAISES("\x0f\x22\xc3", 13, 0);
		rig.regs.gpr[EMU_RBX] = CR0_ON | 1u << 29; /* NW without CD */
		RAISES("\x0f\x22\xc3", 13, 0);
	}
	rig_begin(64);
	rig.regs.gpr[EMU_RBX] = CR0_ON | 1ull << 32;
	RAISES("\x0f\x22\xc3", 13, 0);
	DONE("\x41\x0f\x20\xc0"); /* mov r8, cr0 */
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_R8], 0x80050033);
}

static void machine_status_word(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.cpu.cr0 = CR0_ON;
		rig.regs.gpr[EMU_RAX] = 0xfff6; /* without PE */
		DONE("\x0f\x01\xf0");           /* lmsw ax */
		CU_ASSERT_EQUAL(rig.cpu.cr0, CR0_ON | 0x6);
		rig_put(RIG_DATA, "\x08\x00", 2);
		DONE("\x0f\x01\x33"); /* lmsw [ebx] */
		CU_ASSERT_EQUAL(rig.cpu.cr0, CR0_ON | 0x8);
		rig.regs.gpr[EMU_RAX] = 0x77777777;
		DONE("\x66\x0f\x01\xe0"); /* smsw ax */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x77770019);
		DONE("\x0f\x01\xe0"); /* smsw eax */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], CR0_ON | 0x8);
		rig_put_word(RIG_DATA, ~0ull, 64);
		DONE("\x0f\x01\x23"); /* smsw [ebx]: 16 bits */
		CU_ASSERT_EQUAL(rig_word(RIG_DATA, 64), 0xffffffffffff0019);
		rig.regs.gpr[EMU_RBX] = 0x1000;
		RAISES("\x0f\x01\x23", 14, 2);
		RAISES("\x0f\x01\x33", 14, 0);
	}
}

static void cr2_and_cr3(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.regs.gpr[EMU_RAX] = bits == 64 ? 0xffffffff80001234 : 0x80001234;
		DONE("\x0f\x22\xd0"); /* mov cr2, eax */
		DONE("\x0f\x20\xd1"); /* mov ecx, cr2 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], rig.regs.gpr[EMU_RAX]);
		rig.cpu.cr3 = 0x7000;
		rig.regs.gpr[EMU_RAX] = 0x123038; /* PWT and PCD are no part of the address */
		RUN("\x0f\x22\xd8");              /* mov cr3, eax */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_CR3);
		CU_ASSERT_EQUAL(rig.effect.value, bits == 64 ? 0x123000 : 0x123020);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 3);
		CU_ASSERT_EQUAL(rig.cpu.cr3, 0x7000); /* until the caller accepts it */
		DONE("\x0f\x20\xd9");                 /* mov ecx, cr3 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0x7000);
	}
	rig_begin(64);
	rig.regs.gpr[EMU_RAX] = 1ull << 63 | 0x1000;
	RAISES("\x0f\x22\xd8", 13, 0);
}

static void cr4_and_cr8(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		DONE("\x0f\x20\xe0"); /* mov eax, cr4 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x20);
		rig.regs.gpr[EMU_RAX] = 0x6a8; /* DE PAE PGE OSFXSR OSXMMEXCPT */
		DONE("\x0f\x22\xe0");          /* mov cr4, eax */
		CU_ASSERT_EQUAL(rig.cpu.cr4, 0x6a8);
		rig.regs.gpr[EMU_RAX] = 0x680; /* without PAE */
		RAISES("\x0f\x22\xe0", 13, 0);
		for (unsigned bit = 12; bit < bits; bit++) {
			rig.regs.gpr[EMU_RAX] = 0x20 | 1ull << bit;
			if (bit == 16 || bit == 18 || bit == 20 || bit == 21)
				DONE("\x0f\x22\xe0");
			else
				RAISES("\x0f\x22\xe0", 13, 0);
		}
	}
	rig_begin(64);
	rig.regs.gpr[EMU_RAX] = 15;
	DONE("\x44\x0f\x22\xc0"); /* mov cr8, rax */
	DONE("\x44\x0f\x20\xc1"); /* mov rcx, cr8 */
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 15);
	rig.regs.gpr[EMU_RAX] = 16;
	RAISES("\x44\x0f\x22\xc0", 13, 0);
}

static void debug_registers(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		DONE("\x0f\x21\xf8"); /* mov eax, dr7 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x400);
		DONE("\x0f\x21\xf0"); /* mov eax, dr6 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0xffff0ff0);
		rig.regs.gpr[EMU_RAX] = 0xffffffff;
		DONE("\x0f\x23\xf8"); /* mov dr7, eax: GD does not stay */
		CU_ASSERT_EQUAL(rig.cpu.dr[7], 0xffff07ff);
		rig.regs.gpr[EMU_RAX] = 0;
		DONE("\x0f\x23\xf0"); /* mov dr6, eax */
		CU_ASSERT_EQUAL(rig.cpu.dr[6], 0xffff0ff0);
		rig.regs.gpr[EMU_RAX] = 0x1234567;
		DONE("\x0f\x23\xd8"); /* mov dr3, eax */
		DONE("\x0f\x21\xd9"); /* mov ecx, dr3 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0x1234567);
		rig.regs.gpr[EMU_RAX] = 0x401;
		DONE("\x0f\x23\xe8"); /* mov dr5, eax: it is dr7 */
		CU_ASSERT_EQUAL(rig.cpu.dr[7], 0x401);
		DONE("\x0f\x21\xe1"); /* mov ecx, dr4: it is dr6 */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0xffff0ff0);
		rig.cpu.cr4 |= 8; /* DE */
		RAISES("\x0f\x23\xe8", 6, NO_ERROR);
		RAISES("\x0f\x21\xe1", 6, NO_ERROR);
	}
	rig_begin(64);
	rig.regs.gpr[EMU_RAX] = 1ull << 32;
	RAISES("\x0f\x23\xf8", 13, 0);
	RAISES("\x0f\x23\xf0", 13, 0);
	DONE("\x0f\x23\xc0"); /* mov dr0, rax */
	CU_ASSERT_EQUAL(rig.cpu.dr[0], 1ull << 32);
}

static void msr_value(uint32_t number, uint64_t value)
{
	rig.regs.gpr[EMU_RCX] = number;
	rig.regs.gpr[EMU_RAX] = (uint32_t)value;
	rig.regs.gpr[EMU_RDX] = value >> 32;
}

static void writes(uint32_t number, uint64_t value)
{
	msr_value(number, value);
	DONE("\x0f\x30"); /* wrmsr */
}

static void refuses(uint32_t number, uint64_t value)
{
	msr_value(number, value);
	RAISES("\x0f\x30", 13, 0);
}

/* The upper halves are noise beforehand and zero afterwards. */
static uint64_t reads(uint32_t number)
{
	uint64_t noise = rig.cpu.bits == 64 ? 0xabcdull << 32 : 0;

	rig.regs.gpr[EMU_RCX] = number | noise;
	rig.regs.gpr[EMU_RAX] = rig.regs.gpr[EMU_RDX] = noise;
	DONE("\x0f\x32"); /* rdmsr */
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX] >> 32 | rig.regs.gpr[EMU_RDX] >> 32, 0);
	return rig.regs.gpr[EMU_RDX] << 32 | rig.regs.gpr[EMU_RAX];
}

static void unknown_msrs(void)
{
	static const uint32_t unknown[] = {
		0, 0x11, 0x1a, 0x210, 0x251, 0x2fe, 0x40000000, 0xc000007f, 0xc0000104, 0xffffffff};

	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
			refuses(unknown[i], 0);
			msr_value(unknown[i], 0);
			RAISES("\x0f\x32", 13, 0);
		}
	}
}

static void memory_types(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		CU_ASSERT_EQUAL(reads(0xfe), 0x508); /* MTRRcap */
		refuses(0xfe, 0x508);
		writes(0x200, 0x80000006);      /* MTRRphysBase0: 2 GiB, WB */
		writes(0x201, 0xfffff80000800); /* MTRRphysMask0 */
		CU_ASSERT_EQUAL(reads(0x200), 0x80000006);
		CU_ASSERT_EQUAL(reads(0x201), 0xfffff80000800);
		writes(0x20f, 0x800);
		refuses(0x200, 0x80000002); /* no such type */
		refuses(0x200, 0x80000106); /* reserved */
		refuses(0x200, 1ull << 52);
		refuses(0x201, 0x801);
		CU_ASSERT_EQUAL(reads(0x200), 0x80000006);
		writes(0x250, 0x0606060606060606); /* MTRRfix64K */
		writes(0x26f, 0x0504010006050401);
		refuses(0x268, 0x0606060606070606); /* UC- is not for MTRRs */
		writes(0x2ff, 0xc06);               /* MTRRdefType */
		refuses(0x2ff, 0x1c06);
		refuses(0x2ff, 0xc03);
		CU_ASSERT_EQUAL(reads(0x2ff), 0xc06);
		CU_ASSERT_EQUAL(reads(0x277), 0x0007040600070406); /* PAT */
		writes(0x277, 0x0007010600070106);
		refuses(0x277, 0x0007010600070206);
		refuses(0x277, 0x0807010600070106);
		CU_ASSERT_EQUAL(reads(0x277), 0x0007010600070106);
	}
}

static void other_msrs(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		uint64_t on = bits == 64 ? 0x500 : 0; /* LME, LMA */

		rig_begin(bits);
		CU_ASSERT_EQUAL(reads(0xc0000080), on); /* EFER */
		writes(0xc0000080, on | 0x801);         /* NXE, SCE */
		CU_ASSERT_EQUAL(reads(0xc0000080), on | 0x801);
		writes(0xc0000080, (on & 0x100) | 0x801); /* LMA is not the guest's */
		CU_ASSERT_EQUAL(reads(0xc0000080), on | 0x801);
		refuses(0xc0000080, on ^ 0x100);
		refuses(0xc0000080, on | 0x1000);
		CU_ASSERT_EQUAL(reads(0x1b), 0xfee00900); /* APIC_BASE */
		writes(0x1b, 0xfee00100);
		refuses(0x1b, 0xfee00d00); /* x2APIC */
		refuses(0x1b, 0xfee00901);
		writes(0x174, 0x8);
		writes(0x176, 0xffffffff81000000);
		refuses(0x175, 1ull << 47);
		writes(0xc0000081, ~0ull);
		writes(0xc0000082, 0xffff800000000000);
		refuses(0xc0000083, 0xffff000000000000);
		writes(0xc0000084, 0x47700);
		refuses(0xc0000084, 1ull << 32);
		writes(0xc0000103, 7); /* TSC_AUX */
		CU_ASSERT_EQUAL(reads(0x176), 0xffffffff81000000);
		CU_ASSERT_EQUAL(reads(0xc0000081), ~0ull);
	}
}

static void segment_bases(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		writes(0xc0000100, 0x1000);
		writes(0xc0000101, 0x7fffffffffff);
		writes(0xc0000102, 0xffff800000000000);
		refuses(0xc0000101, 0x800000000000);
		CU_ASSERT_EQUAL(rig.cpu.fs_base, 0x1000);
		CU_ASSERT_EQUAL(rig.cpu.gs_base, 0x7fffffffffff);
		CU_ASSERT_EQUAL(reads(0xc0000101), 0x7fffffffffff);
	}
	DONE("\x0f\x01\xf8"); /* swapgs */
	CU_ASSERT_EQUAL(rig.cpu.gs_base, 0xffff800000000000);
	CU_ASSERT_EQUAL(reads(0xc0000102), 0x7fffffffffff);
	DONE("\x0f\x01\xf8");
	CU_ASSERT_EQUAL(reads(0xc0000101), 0x7fffffffffff);
}

static void time_stamps(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		uint64_t before, now;

		rig_begin(bits);
		writes(0xc0000103, 5);
		writes(0x10, 0); /* which cannot move it */
		before = __rdtsc();
		now = reads(0x10);
		CU_ASSERT(now >= before && now <= __rdtsc());
		DONE("\x0f\x31"); /* rdtsc */
		CU_ASSERT(now <= (rig.regs.gpr[EMU_RDX] << 32 | rig.regs.gpr[EMU_RAX]));
		DONE("\x0f\x01\xf9"); /* rdtscp */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 5);
		RAISES("\x0f\x33", 13, 0); /* rdpmc */
	}
}

PVR_SUITE(emulate_control, CASE(cr0), CASE(machine_status_word), CASE(cr2_and_cr3),
	CASE(cr4_and_cr8), CASE(debug_registers), CASE(unknown_msrs), CASE(memory_types),
	CASE(other_msrs), CASE(segment_bases), CASE(time_stamps))
