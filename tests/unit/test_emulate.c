/* SPDX-License-Identifier: MIT */
/* The emulator: decoding, addresses, flags, ports. */
#include "emulate_rig.h"

#include <string.h>

static void interrupt_flag(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		DONE("\xfb"); /* sti */
		CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
		DONE("\xfa"); /* cli */
		CU_ASSERT_EQUAL(rig.cpu.interrupts, 0);
		RUN("\xfb\x90"); /* sti; nop: only the first */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 1);
	}
}

static void sleeping(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		RUN("\xf4"); /* hlt */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_HALT);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 1);
		CU_ASSERT_EQUAL(rig.cpu.interrupts, 0);
		RUN("\xfb\xf4"); /* sti; hlt, which nothing comes between */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_HALT);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
	}
}

static void nothing_to_do(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct emu_regs before;

		rig_begin(bits);
		before = rig.regs;
		DONE("\x0f\x08");     /* invd */
		DONE("\x0f\x09");     /* wbinvd */
		DONE("\x0f\x01\xc8"); /* monitor */
		DONE("\x0f\x01\xc9"); /* mwait */
		CU_ASSERT_EQUAL(memcmp(before.gpr, rig.regs.gpr, sizeof(before.gpr)), 0);
	}
}

static void what_it_does_not_know(void)
{
	static const char *const code[] = {
		"\x90",         /* nop */
		"\x0f\x28\x03", /* movaps xmm0, [ebx]: #GP where it is not aligned */
		"\x89\xd8",     /* mov eax, ebx */
		"\xc3",         /* ret */
		"\xff\xe0",     /* jmp eax */
		"\xff\xd0",     /* call eax */
		"\x58",         /* pop eax */
		"\x8c\xd8",     /* mov eax, ds */
		"\x0f\x0b",     /* ud2 */
		"\x0f\x01\xc1", /* vmcall */
	};

	for (unsigned bits = 32; bits <= 64; bits += 32) {
		for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
			struct rig before;

			rig_begin(bits);
			rig.regs.ip = RIG_CODE;
			before = rig;
			rig_run(code[i], strlen(code[i]));
			CU_ASSERT_EQUAL(rig.effect.kind, EMU_UNKNOWN);
			CU_ASSERT_EQUAL(memcmp(&before.cpu, &rig.cpu, sizeof(rig.cpu)), 0);
			CU_ASSERT_EQUAL(memcmp(&before.regs, &rig.regs, sizeof(rig.regs)), 0);
		}
	}
}

static void what_is_no_instruction(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		RAISES("\xf0\xfa", 6, NO_ERROR);     /* lock cli */
		RAISES("\x0f\x20\xc8", 6, NO_ERROR); /* mov eax, cr1 */
		RAISES("\x8e\xc8", 6, NO_ERROR);     /* mov cs, eax */
		/* 15 bytes without an end: too long */
		RAISES("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e", 13, 0);
		/* lgdt [..] whose end was not to be had */
		RAISES("\x0f\x01\x15\x00", 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_CODE + 4);
		rig.effect = emulate(&rig.cpu, &rig.regs, &rig.memory, rig.ram, 0);
		CU_ASSERT_EQUAL(rig.effect.vector, 14);
	}
	rig_begin(32);
	RAISES("\x0f\x01\xf8", 6, NO_ERROR); /* swapgs */
	rig_begin(64);
	RAISES("\x1f", 6, NO_ERROR); /* pop ds */
}

/* invlpg gives its operand's address back. */
static void addresses_32(void)
{
	rig_begin(32);
	RUN("\x0f\x01\x3b"); /* invlpg [ebx] */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_FLUSH);
	CU_ASSERT_EQUAL(rig.effect.value, RIG_DATA);
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 3);
	RUN("\x0f\x01\x7c\x8b\xfc"); /* invlpg [ebx + ecx*4 - 4] */
	CU_ASSERT_EQUAL(rig.effect.value, RIG_DATA + 0x10101 * 4 - 4);
	RUN("\x0f\x01\x3d\x10\x20\x30\x80"); /* invlpg [0x80302010] */
	CU_ASSERT_EQUAL(rig.effect.value, 0x80302010);
	rig.regs.gpr[EMU_RBX] = 0xfffffff8;
	RUN("\x0f\x01\x7b\x10"); /* invlpg [ebx + 16]: round the end */
	CU_ASSERT_EQUAL(rig.effect.value, 8);
	rig.regs.gpr[EMU_RBX] = 0x12348888;
	rig.regs.gpr[EMU_RSI] = 0x56789999;
	RUN("\x67\x0f\x01\x38"); /* invlpg [bx + si]: 16 bits of it */
	CU_ASSERT_EQUAL(rig.effect.value, 0x2221);
	rig.cpu.gs_base = 0xfff00000;
	RUN("\x65\x0f\x01\x3d\x00\x00\x10\x00"); /* invlpg gs:[0x100000] */
	CU_ASSERT_EQUAL(rig.effect.value, 0);
}

static void addresses_64(void)
{
	rig_begin(64);
	rig.regs.gpr[EMU_R12] = 0xffff800000000000;
	rig.regs.gpr[EMU_R13] = 0x1000;
	RUN("\x43\x0f\x01\x7c\xec\x08"); /* invlpg [r12 + r13*8 + 8] */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_FLUSH);
	CU_ASSERT_EQUAL(rig.effect.value, 0xffff800000008008);
	RUN("\x0f\x01\x3d\xf9\xff\xff\xff"); /* invlpg [rip - 7]: from behind the instruction */
	CU_ASSERT_EQUAL(rig.effect.value, RIG_CODE);
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 7);
	rig.regs.gpr[EMU_RBX] = 0x2222222280000000;
	RUN("\x67\x0f\x01\x3b"); /* invlpg [ebx] */
	CU_ASSERT_EQUAL(rig.effect.value, 0x80000000);
	rig.cpu.fs_base = 0x7000000000;
	RUN("\x64\x67\x0f\x01\x3b"); /* invlpg fs:[ebx]: the base is not cut */
	CU_ASSERT_EQUAL(rig.effect.value, 0x7080000000);
}

static void ports(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.regs.gpr[EMU_RDX] = 0x12340071;
		rig.regs.gpr[EMU_RAX] = 0xaabbccdd;
		RUN("\xe6\xf4"); /* out 0xf4, al */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_OUT);
		CU_ASSERT_EQUAL(rig.effect.port, 0xf4);
		CU_ASSERT_EQUAL(rig.effect.size, 1);
		CU_ASSERT_EQUAL(rig.effect.value, 0xdd);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		RUN("\x66\xef"); /* out dx, ax */
		CU_ASSERT_EQUAL(rig.effect.port, 0x71);
		CU_ASSERT_EQUAL(rig.effect.size, 2);
		CU_ASSERT_EQUAL(rig.effect.value, 0xccdd);
		RUN("\xef"); /* out dx, eax */
		CU_ASSERT_EQUAL(rig.effect.size, 4);
		CU_ASSERT_EQUAL(rig.effect.value, 0xaabbccdd);
		rig.regs.gpr[EMU_RAX] |= bits == 64 ? 0x99ull << 56 : 0;
		RUN("\xec"); /* in al, dx */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_IN);
		CU_ASSERT_EQUAL(rig.effect.port, 0x71);
		CU_ASSERT_EQUAL(rig.effect.size, 1);
		CU_ASSERT_EQUAL(emu_in_done(&rig.regs, &rig.memory, &rig.effect, 0xff11), 0);
		CU_ASSERT_EQUAL((uint32_t)rig.regs.gpr[EMU_RAX], 0xaabbcc11);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX] >> 56, bits == 64 ? 0x99 : 0);
		RUN("\x66\xe5\x20"); /* in ax, 0x20 */
		CU_ASSERT_EQUAL(rig.effect.port, 0x20);
		CU_ASSERT_EQUAL(emu_in_done(&rig.regs, &rig.memory, &rig.effect, 0x12345), 0);
		CU_ASSERT_EQUAL((uint32_t)rig.regs.gpr[EMU_RAX], 0xaabb2345);
		RUN("\xed"); /* in eax, dx: 32 bits clear what is above */
		CU_ASSERT_EQUAL(emu_in_done(&rig.regs, &rig.memory, &rig.effect, ~0ull), 0);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0xffffffff);
	}
}

static void strings_out(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig_put(RIG_DATA, "\x01\x02\x03\x04", 4);
		rig.regs.gpr[EMU_RSI] = RIG_DATA;
		rig.regs.gpr[EMU_RDX] = 0xe9;
		RUN("\x66\x6f"); /* outsw */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_OUT);
		CU_ASSERT_EQUAL(rig.effect.value, 0x0201);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSI], RIG_DATA + 2);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		rig.regs.gpr[EMU_RCX] = 2;
		RUN("\xf3\x6e"); /* rep outsb: two of them */
		CU_ASSERT_EQUAL(rig.effect.value, 3);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE);
		RUN("\xf3\x6e");
		CU_ASSERT_EQUAL(rig.effect.value, 4);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0);
		DONE("\xf3\x6e"); /* none left */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSI], RIG_DATA + 4);
		rig.regs.flags |= 0x400;
		RUN("\x6f"); /* outsd, downwards */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_OUT);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSI], RIG_DATA);
		rig.regs.gpr[EMU_RSI] = 0x5000;
		rig.cpu.fs_base = RIG_BASE;
		RUN("\x64\x6e"); /* outsb fs: */
		CU_ASSERT_EQUAL(rig.effect.value, 1);
		RAISES("\x6e", 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, 0x4fff);
	}
}

static void strings_in(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig_put(RIG_DATA, "\x01\x02\x03\x04\x05", 5);
		rig.regs.gpr[EMU_RDI] = RIG_DATA;
		rig.regs.gpr[EMU_RDX] = 0x1f0;
		rig.regs.gpr[EMU_RCX] = 2;
		RUN("\xf3\x66\x6d"); /* rep insw */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_IN);
		CU_ASSERT_EQUAL(rig.effect.port, 0x1f0);
		CU_ASSERT_EQUAL(rig.effect.size, 2);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE);
		CU_ASSERT_EQUAL(rig_word(RIG_DATA, 32), 0x04030201); /* until the value is there */
		CU_ASSERT_EQUAL(emu_in_done(&rig.regs, &rig.memory, &rig.effect, 0xbbaa), 0);
		RUN("\xf3\x66\x6d");
		CU_ASSERT_EQUAL(emu_in_done(&rig.regs, &rig.memory, &rig.effect, 0xddcc), 0);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 3);
		CU_ASSERT_EQUAL(rig_word(RIG_DATA, 64), 0x05ddccbbaa);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RDI], RIG_DATA + 4);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0);
		/* The port is not read for a page that cannot take it. */
		rig.regs.gpr[EMU_RDI] = RIG_DATA + 0xffe;
		rig.access[6] = 1;
		RAISES("\x6d", 14, 3); /* insd, into a second page that is read-only */
		rig.access[6] = 0;
		RAISES("\x6d", 14, 2);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_DATA + 0x1000);
		rig.access[5] = 0;
		RAISES("\x6d", 14, 2);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_DATA + 0xffe);
	}
	rig_begin(64);
	rig.regs.gpr[EMU_RDI] = 0x3300000000 + RIG_DATA;
	rig.regs.gpr[EMU_RCX] = 0x4400000001;
	RUN("\xf3\x67\x6c"); /* rep insb with 32-bit addresses */
	CU_ASSERT_EQUAL(rig.effect.value, RIG_DATA);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RDI], RIG_DATA + 1);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0);
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 3);
}

static void identification(void)
{
	static const uint32_t words[4] = {1, 2, 0xffffffff, 4};

	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		RUN("\x0f\xa2"); /* cpuid */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_CPUID);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		emu_cpuid_done(&rig.regs, words);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 1);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RBX], 2);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0xffffffff);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RDX], 4);
	}
}

static void software_interrupts(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		RUN("\xcd\x80"); /* int 0x80 */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_INTERRUPT);
		CU_ASSERT_EQUAL(rig.effect.vector, 0x80);
		CU_ASSERT_EQUAL(rig.effect.has_error, 0);
		CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 2);
		RUN("\xcd\x0e"); /* int 14: no page fault, no error code */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_INTERRUPT);
		CU_ASSERT_EQUAL(rig.effect.has_error, 0);
	}
}

PVR_SUITE(emulate, CASE(interrupt_flag), CASE(sleeping), CASE(nothing_to_do),
	CASE(what_it_does_not_know), CASE(what_is_no_instruction), CASE(addresses_32),
	CASE(addresses_64), CASE(ports), CASE(strings_out), CASE(strings_in), CASE(identification),
	CASE(software_interrupts))
