/* SPDX-License-Identifier: MIT */
/* The emulator: iret, far transfers, and delivery by the guest's IDT. */
#include "emulate_rig.h"

#include <string.h>

#define TARGET 0x107123ull

/* Words from the stack pointer on, of `bits` each. */
static void stack_words(unsigned bits, unsigned count, const uint64_t *words)
{
	for (unsigned i = 0; i < count; i++)
		rig_put_word(rig.regs.gpr[EMU_RSP] + i * bits / 8, words[i], bits);
}

#define STACK(bits, ...)                                                                           \
	stack_words(bits, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

static void iret_32(void)
{
	rig_begin(32);
	rig.cpu.cs = 0;
	rig.regs.flags = 0x8d7;
	STACK(32, TARGET, SEL_CODE | 0xffff0000, 0x200 | 0x3000 | 0x441);
	RUN("\xcf"); /* iretd */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
	CU_ASSERT_EQUAL(rig.regs.ip, TARGET);
	CU_ASSERT_EQUAL(rig.cpu.cs, SEL_CODE);
	CU_ASSERT_EQUAL(rig.regs.flags, 0x443); /* without IF and IOPL */
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + 12);
	rig.regs.gpr[EMU_RSP] = RIG_STACK;
	rig.regs.flags = 0x240002;
	STACK(16, 0x8123, SEL_CODE, 0x1);
	RUN("\x66\xcf"); /* iret, 16 bits: the upper flags stay */
	CU_ASSERT_EQUAL(rig.regs.ip, 0x8123);
	CU_ASSERT_EQUAL(rig.regs.flags, 0x240003);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 0);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + 6);
}

static void iret_64(void)
{
	rig_begin(64);
	STACK(64, 0xffffffff81000000, SEL_CODE, 0x246, 0x7fff12345678, 0);
	RUN("\x48\xcf"); /* iretq */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
	CU_ASSERT_EQUAL(rig.regs.ip, 0xffffffff81000000);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], 0x7fff12345678);
	CU_ASSERT_EQUAL(rig.cpu.ss, 0);
	CU_ASSERT_EQUAL(rig.regs.flags, 0x46);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
	rig.regs.gpr[EMU_RSP] = RIG_STACK;
	STACK(32, TARGET, SEL_CODE, 0x2, RIG_STACK, SEL_DATA);
	RUN("\xcf"); /* iretd: words of 32 bits, still five */
	CU_ASSERT_EQUAL(rig.regs.ip, TARGET);
	CU_ASSERT_EQUAL(rig.cpu.ss, SEL_DATA);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 0);
	rig.regs.gpr[EMU_RSP] = RIG_STACK;
	STACK(64, 1ull << 47, SEL_CODE, 0x2, RIG_STACK, SEL_DATA);
	RAISES("\x48\xcf", 13, 0); /* not canonical */
	STACK(64, TARGET, SEL_CODE, 0x2, RIG_STACK, SEL_READ_ONLY);
	RAISES("\x48\xcf", 13, SEL_READ_ONLY);
	STACK(64, TARGET, SEL_CODE, 0x2, RIG_STACK, SEL_DATA_GONE);
	RAISES("\x48\xcf", 12, SEL_DATA_GONE);
	STACK(64, TARGET, SEL_CODE, 0x2, RIG_STACK, SEL_DATA3 | 3);
	RAISES("\x48\xcf", 13, SEL_DATA3);
}

static const struct {
	uint16_t selector;
	uint8_t vector;
	uint16_t error;
} no_code[] = {
	{0, 13, 0},
	{3, 13, 0},
	{SEL_CODE | 3, 13, SEL_CODE},
	{SEL_CODE3 | 3, 13, SEL_CODE3},
	{SEL_CODE3, 13, SEL_CODE3},
	{SEL_CODE | 4, 13, SEL_CODE | 4},
	{SEL_CODE_GONE, 11, SEL_CODE_GONE},
	{SEL_CODE_OTHER, 13, SEL_CODE_OTHER},
	{SEL_DATA, 13, SEL_DATA},
	{SEL_TSS, 13, SEL_TSS},
	{RIG_GDT_LIMIT + 1, 13, RIG_GDT_LIMIT + 1},
};

static void no_such_code(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		for (size_t i = 0; i < sizeof(no_code) / sizeof(no_code[0]); i++) {
			uint16_t selector = no_code[i].selector, error = no_code[i].error;

			rig_begin(bits);
			STACK(32, TARGET, selector, 0x2, RIG_STACK, SEL_DATA);
			RAISES("\xcf", no_code[i].vector, error); /* iretd */
			RAISES("\xcb", no_code[i].vector, error); /* retf */
			rig_put_word(RIG_DATA, TARGET, 32);
			rig_put_word(RIG_DATA + 4, selector, 32);
			RAISES("\xff\x2b", no_code[i].vector, error); /* jmp far [ebx] */
			RAISES("\xff\x1b", no_code[i].vector, error); /* call far [ebx] */
		}
	}
}

static void iret_refused(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		STACK(32, TARGET, SEL_CODE, 0x2, RIG_STACK, SEL_DATA);
		rig.regs.flags |= 0x4000; /* NT */
		RAISES("\xcf", 13, 0);
		rig.regs.flags = 2;
		rig.access[4] = 0;
		RAISES("\xcf", 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_STACK);
		/* Its last word is on a page that is missing. */
		rig.access[4] = 2;
		rig.access[5] = 0;
		rig.regs.gpr[EMU_RSP] = RIG_DATA - 8;
		STACK(32, TARGET, SEL_CODE);
		RAISES("\xcf", 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_DATA);
	}
	rig_begin(32);
	STACK(32, TARGET, SEL_CODE, 0x20002); /* VM */
	RAISES("\xcf", 13, 0);
}

static void far_returns(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.cpu.cs = 0;
		STACK(32, TARGET, SEL_CODE);
		RUN("\xcb"); /* retf */
		CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
		CU_ASSERT_EQUAL(rig.regs.ip, TARGET);
		CU_ASSERT_EQUAL(rig.cpu.cs, SEL_CODE);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + 8);
		rig.regs.gpr[EMU_RSP] = RIG_STACK;
		STACK(32, TARGET + 1, SEL_CONFORMING);
		RUN("\xca\x10\x00"); /* retf 16 */
		CU_ASSERT_EQUAL(rig.regs.ip, TARGET + 1);
		CU_ASSERT_EQUAL(rig.cpu.cs, SEL_CONFORMING);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + 24);
	}
	rig.regs.gpr[EMU_RSP] = RIG_STACK;
	STACK(64, 0xffffffff81000000, SEL_CODE);
	RUN("\x48\xcb"); /* retfq, the way 64-bit code loads cs */
	CU_ASSERT_EQUAL(rig.regs.ip, 0xffffffff81000000);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + 16);
}

static void far_jumps(void)
{
	rig_begin(32);
	rig.cpu.cs = 0;
	RUN("\xea\x23\x71\x10\x00\x08\x00"); /* ljmp 0x8:TARGET */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
	CU_ASSERT_EQUAL(rig.regs.ip, TARGET);
	CU_ASSERT_EQUAL(rig.cpu.cs, SEL_CODE);
	RAISES("\xea\x23\x71\x10\x00\x0b\x00", 13, SEL_CODE); /* ljmp 0xb:TARGET */
	RUN("\x9a\x23\x71\x10\x00\x08\x00");                  /* lcall 0x8:TARGET */
	CU_ASSERT_EQUAL(rig.regs.ip, TARGET);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK - 8);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 8, 32), RIG_CODE + 7);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 4, 32), SEL_CODE);
	rig_begin(64);
	rig_put_word(RIG_DATA, 0xffffffff81000000, 64);
	rig_put_word(RIG_DATA + 8, SEL_CODE, 32);
	RUN("\x48\xff\x2b"); /* jmp far [rbx], 64 bits */
	CU_ASSERT_EQUAL(rig.regs.ip, 0xffffffff81000000);
	RUN("\x48\xff\x1b"); /* call far [rbx], 64 bits */
	CU_ASSERT_EQUAL(rig.regs.ip, 0xffffffff81000000);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 16, 64), RIG_CODE + 3);
	rig.access[4] = 1;
	RAISES("\x48\xff\x1b", 14, 3); /* no room for the return address */
	rig_put_word(RIG_DATA, 1ull << 63, 64);
	RAISES("\x48\xff\x2b", 13, 0);
	rig.access[5] = 0;
	RAISES("\x48\xff\x2b", 14, 0);
}

/* A gate for `vector`. */
static void gate(uint8_t vector, uint64_t ip, uint16_t selector, uint8_t ist, uint8_t access)
{
	uint64_t raw[2] = {(ip & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
				   (uint64_t)access << 40 | (ip >> 16 & 0xffff) << 48,
		ip >> 32};

	rig_put(RIG_IDT + vector * (rig.cpu.bits / 4), raw, rig.cpu.bits / 4);
	rig.cpu.idt = (struct emu_table){.base = RIG_IDT, .limit = 0x7ff};
	rig.regs.ip = RIG_CODE + 0x55;
}

static int deliver(uint8_t vector, int has_error, uint32_t error)
{
	return emu_deliver(&rig.cpu, &rig.regs, &rig.memory, vector, has_error, error);
}

static void delivered_32(void)
{
	rig_begin(32);
	rig.cpu.interrupts = 1;
	rig.regs.flags = 0x14d43;
	gate(14, 0x81234567, SEL_CODE | 3, 0, 0x8e);
	CU_ASSERT_EQUAL(deliver(14, 1, 0x6), 0);
	CU_ASSERT_EQUAL(rig.regs.ip, 0x81234567);
	CU_ASSERT_EQUAL(rig.cpu.cs, SEL_CODE);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 0);
	CU_ASSERT_EQUAL(rig.regs.flags, 0xc43); /* without TF, NT, RF */
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK - 16);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 16, 32), 0x6);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 12, 32), RIG_CODE + 0x55);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 8, 32), SEL_CODE);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 4, 32), 0x14f43); /* with the virtual IF */
	/* A trap gate leaves IF as it is, and the way back restores all of it. */
	rig_begin(32);
	rig.cpu.interrupts = 1;
	gate(0x80, TARGET, SEL_CODE, 0, 0xef);
	CU_ASSERT_EQUAL(deliver(0x80, 0, 0), 0);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK - 12);
	rig.cpu.interrupts = 0;
	RUN("\xcf"); /* iretd */
	CU_ASSERT_EQUAL(rig.effect.kind, EMU_DONE);
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 0x55);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK);
	CU_ASSERT_EQUAL(rig.cpu.interrupts, 1);
}

static void delivered_64(void)
{
	rig_begin(64);
	rig.regs.gpr[EMU_RSP] = RIG_STACK - 3;
	gate(13, 0xffffffff81234567, SEL_CODE, 0, 0x8e);
	CU_ASSERT_EQUAL(deliver(13, 1, 0x18), 0);
	CU_ASSERT_EQUAL(rig.regs.ip, 0xffffffff81234567);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK - 16 - 48);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 64, 64), 0x18);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 56, 64), RIG_CODE + 0x55);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 48, 64), SEL_CODE);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 40, 64), 0x2); /* interrupts were off */
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 32, 64), RIG_STACK - 3);
	CU_ASSERT_EQUAL(rig_word(RIG_STACK - 24, 64), SEL_DATA);
	rig.regs.gpr[EMU_RSP] += 8; /* the handler takes the error code off */
	RUN("\x48\xcf");            /* iretq */
	CU_ASSERT_EQUAL(rig.regs.ip, RIG_CODE + 0x55);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK - 3);
	CU_ASSERT_EQUAL(rig.cpu.ss, SEL_DATA);
}

static void delivered_elsewhere(void)
{
	rig_begin(64);
	rig.cpu.tss = (struct emu_table){.base = RIG_TSS, .limit = 0x67};
	rig_put_word(RIG_TSS + 0x2c, RIG_DATA + 0x808, 64); /* IST 2 */
	gate(8, TARGET, SEL_CODE, 2, 0x8e);
	CU_ASSERT_EQUAL(deliver(8, 0, 0), 0);
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_DATA + 0x800 - 40);
	CU_ASSERT_EQUAL(rig_word(RIG_DATA + 0x800 - 16, 64), RIG_STACK);
	rig.cpu.tss.limit = 0x2b; /* it ends before IST 2 */
	CU_ASSERT_EQUAL(deliver(8, 0, 0), -14);
}

/* Delivery fails, and nothing has changed. */
static void undeliverable(uint8_t vector)
{
	static struct rig before;

	before = rig;
	CU_ASSERT_EQUAL(deliver(vector, 1, 7), -14);
	CU_ASSERT_EQUAL(memcmp(&before.cpu, &rig.cpu, sizeof(rig.cpu)), 0);
	CU_ASSERT_EQUAL(memcmp(&before.regs, &rig.regs, sizeof(rig.regs)), 0);
	CU_ASSERT_EQUAL(memcmp(before.ram, rig.ram, sizeof(rig.ram)), 0);
}

static void not_delivered(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		undeliverable(14);                   /* there is no table */
		gate(14, TARGET, SEL_CODE, 0, 0x0e); /* not present */
		undeliverable(14);
		gate(14, TARGET, SEL_CODE, 0, 0x85); /* a task gate */
		undeliverable(14);
		gate(14, TARGET, SEL_CODE, 0, 0x86); /* 16 bits */
		undeliverable(14);
		gate(14, TARGET, SEL_DATA, 0, 0x8e);
		undeliverable(14);
		gate(14, TARGET, 0, 0, 0x8e);
		undeliverable(14);
		gate(14, TARGET, SEL_CODE_OTHER, 0, 0x8e);
		undeliverable(14);
		gate(14, TARGET, SEL_CODE, 0, 0x8e);
		rig.cpu.idt.limit = (uint16_t)(15 * (bits / 4) - 2); /* a byte too few */
		undeliverable(14);
		rig.cpu.idt.limit++;
		rig.access[4] = 1; /* a stack that cannot be written */
		undeliverable(14);
		rig.access[4] = 2;
		rig.regs.gpr[EMU_RSP] = RIG_STACK - 0x800 + 8; /* some of it on the page before */
		rig.access[3] = 1;
		undeliverable(14);
		rig.access[3] = 0; /* the table's own */
		undeliverable(14);
		rig.access[3] = 2;
		CU_ASSERT_EQUAL(deliver(14, 1, 7), 0);
		rig.regs.gpr[EMU_RSP] = 4; /* round the end of memory */
		undeliverable(14);
	}
	rig_begin(64);
	gate(14, 1ull << 47, SEL_CODE, 0, 0x8e);
	undeliverable(14);
}

PVR_SUITE(emulate_transfer, CASE(iret_32), CASE(iret_64), CASE(no_such_code), CASE(iret_refused),
	CASE(far_returns), CASE(far_jumps), CASE(delivered_32), CASE(delivered_64),
	CASE(delivered_elsewhere), CASE(not_delivered))
