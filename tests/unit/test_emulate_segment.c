/* SPDX-License-Identifier: MIT */
/* The emulator: descriptor tables, segment registers, the task register. */
#include "emulate_rig.h"

#include <string.h>

static const uint8_t table[10] = {0x34, 0x12, 0x00, 0x20, 0x10, 0x80, 0xff, 0x7f, 0, 0};

static void tables_load(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		uint64_t base = bits == 64 ? 0x7fff80102000 : 0x80102000;

		rig_begin(bits);
		rig_put(RIG_DATA, table, sizeof(table));
		DONE("\x0f\x01\x13"); /* lgdt [ebx] */
		CU_ASSERT_EQUAL(rig.cpu.gdt.limit, 0x1234);
		CU_ASSERT_EQUAL(rig.cpu.gdt.base, base);
		DONE("\x0f\x01\x1b"); /* lidt [ebx] */
		CU_ASSERT_EQUAL(rig.cpu.idt.limit, 0x1234);
		CU_ASSERT_EQUAL(rig.cpu.idt.base, base);
		rig_begin(bits);
		rig_put(RIG_DATA, table, sizeof(table));
		DONE("\x66\x0f\x01\x13"); /* 24 bits of the base in 32-bit code */
		CU_ASSERT_EQUAL(rig.cpu.gdt.base, bits == 64 ? base : 0x102000);
		rig.regs.gpr[EMU_RBX] =
			RIG_DATA + 0x1000 - bits / 8 - 1; /* its last byte is missing */
		rig.access[6] = 0;
		RAISES("\x0f\x01\x13", 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, RIG_DATA + 0x1000);
	}
	rig_begin(64);
	rig_put(RIG_DATA, "\xff\x0f\x00\x00\x00\x00\x00\x80\x00\x00", 10); /* not canonical */
	RAISES("\x0f\x01\x13", 13, 0);
}

static void tables_store(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig_put(RIG_DATA, table, sizeof(table));
		DONE("\x0f\x01\x1b"); /* lidt [ebx] */
		memset(rig.ram + (RIG_DATA - RIG_BASE), 0xee, 16);
		DONE("\x0f\x01\x0b"); /* sidt [ebx] */
		CU_ASSERT_EQUAL(memcmp(rig.ram + (RIG_DATA - RIG_BASE), table, 2 + bits / 8), 0);
		CU_ASSERT_EQUAL(rig.ram[RIG_DATA - RIG_BASE + 2 + bits / 8], 0xee);
		DONE("\x0f\x01\x03"); /* sgdt [ebx] */
		CU_ASSERT_EQUAL(rig_word(RIG_DATA, 32) & 0xffff, RIG_GDT_LIMIT);
		CU_ASSERT_EQUAL(rig_word(RIG_DATA + 2, bits), RIG_GDT);
		rig.access[5] = 1;
		RAISES("\x0f\x01\x03", 14, 3);
	}
}

static void data_segments(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.cpu.ds = rig.cpu.es = rig.cpu.ss = 0;
		rig.regs.gpr[EMU_RAX] = 0xffff0000 | SEL_DATA;
		DONE("\x8e\xd8"); /* mov ds, eax */
		DONE("\x8e\xc0"); /* mov es, eax */
		DONE("\x8e\xd0"); /* mov ss, eax */
		CU_ASSERT_EQUAL(rig.cpu.ds, SEL_DATA);
		CU_ASSERT_EQUAL(rig.cpu.es, SEL_DATA);
		CU_ASSERT_EQUAL(rig.cpu.ss, SEL_DATA);
		rig_put(RIG_DATA, "\x38\x00\xff\xff", 4); /* SEL_BASED */
		DONE("\x8e\x23");                         /* mov fs, [ebx] */
		CU_ASSERT_EQUAL(rig.cpu.fs, SEL_BASED);
		CU_ASSERT_EQUAL(rig.cpu.fs_base, RIG_BASED);
		DONE("\x8e\x2b"); /* mov gs, [ebx] */
		CU_ASSERT_EQUAL(rig.cpu.gs_base, RIG_BASED);
		rig.regs.gpr[EMU_RAX] = 0;
		DONE("\x8e\xe0"); /* mov fs, eax: null */
		CU_ASSERT_EQUAL(rig.cpu.fs_base, 0);
		DONE("\x8e\xd8"); /* mov ds, eax: null */
		rig.regs.gpr[EMU_RAX] = SEL_CODE;
		DONE("\x8e\xd8"); /* code that can be read */
		rig.regs.gpr[EMU_RAX] = SEL_READ_ONLY;
		DONE("\x8e\xd8");
		rig.regs.gpr[EMU_RAX] = SEL_DATA3 | 3; /* another ring's, but it may be looked at */
		DONE("\x8e\xd8");
		CU_ASSERT_EQUAL(rig.cpu.ds, SEL_DATA3 | 3);
	}
}

/* A selector in eax is refused by mov ds. */
static void ds_refuses(uint16_t selector, uint8_t vector, uint16_t error)
{
	rig.regs.gpr[EMU_RAX] = selector;
	RAISES("\x8e\xd8", vector, error);
}

static void ss_refuses(uint16_t selector, uint8_t vector, uint16_t error)
{
	rig.regs.gpr[EMU_RAX] = selector;
	RAISES("\x8e\xd0", vector, error);
}

static void segments_refused(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		ds_refuses(SEL_DATA_GONE, 11, SEL_DATA_GONE);
		ds_refuses(SEL_EXECUTE_ONLY, 13, SEL_EXECUTE_ONLY);
		ds_refuses(SEL_TSS, 13, SEL_TSS);
		ds_refuses(SEL_DATA | 3, 13, SEL_DATA);               /* RPL 3, DPL 0 */
		ds_refuses(SEL_DATA | 4, 13, SEL_DATA | 4);           /* of the LDT */
		ds_refuses(RIG_GDT_LIMIT + 1, 13, RIG_GDT_LIMIT + 1); /* beyond the table */
		ds_refuses(0xfff8, 13, 0xfff8);
		ss_refuses(SEL_DATA_GONE, 12, SEL_DATA_GONE);
		ss_refuses(SEL_READ_ONLY, 13, SEL_READ_ONLY);
		ss_refuses(SEL_CODE, 13, SEL_CODE);
		ss_refuses(SEL_DATA | 3, 13, SEL_DATA);
		ss_refuses(SEL_DATA3, 13, SEL_DATA3);
		ss_refuses(3, 13, 0);
		rig.cpu.gdt.limit = SEL_DATA + 6; /* half a descriptor */
		ds_refuses(SEL_DATA, 13, SEL_DATA);
		rig.cpu.gdt = (struct emu_table){.base = 0x5000, .limit = 0xffff};
		ds_refuses(SEL_DATA, 14, 0);
		CU_ASSERT_EQUAL(rig.cpu.cr2, 0x5000 + SEL_DATA);
		rig.cpu.gdt.base = bits == 64 ? 0x7fffffffffff : 0xffffffff;
		ds_refuses(SEL_DATA, 13, 0); /* nowhere */
	}
	rig_begin(32);
	ss_refuses(0, 13, 0);
	ds_refuses(SEL_BASED, 13, SEL_BASED); /* not flat */
	rig_put_word(RIG_GDT + SEL_DATA, 0x00cf97000000ffff, 64);
	ds_refuses(SEL_DATA, 13, SEL_DATA); /* expand-down: nothing of it is below 4 GiB */
	ss_refuses(SEL_DATA, 13, SEL_DATA);
	rig_begin(64);
	rig.regs.gpr[EMU_RAX] = 0;
	DONE("\x8e\xd0"); /* mov ss, eax: null is a stack in ring 0 */
	rig.regs.gpr[EMU_RAX] = SEL_BASED;
	DONE("\x8e\xd8"); /* and ds has no base */
}

static void segments_popped(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig_put_word(RIG_STACK, 0xffff0000 | SEL_BASED, bits);
		DONE("\x0f\xa1"); /* pop fs */
		CU_ASSERT_EQUAL(rig.cpu.fs_base, RIG_BASED);
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], RIG_STACK + bits / 8);
		rig_put(rig.regs.gpr[EMU_RSP], "\x28\x00", 2); /* SEL_CODE_GONE */
		RAISES("\x66\x0f\xa9", 11, SEL_CODE_GONE);     /* pop gs, 16 bits */
		rig.regs.gpr[EMU_RSP] = RIG_BASE + sizeof(rig.ram) - 2;
		RAISES("\x0f\xa9", 14, 0);
		DONE("\x66\x0f\xa9"); /* the last two bytes: null */
	}
	rig_begin(32);
	rig_put_word(RIG_STACK, SEL_READ_ONLY, 32);
	DONE("\x1f"); /* pop ds */
	CU_ASSERT_EQUAL(rig.cpu.ds, SEL_READ_ONLY);
}

static void far_pointers(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig_put(RIG_DATA, "\x78\x56\x34\x12\x38\x00", 6);
		DONE("\x0f\xb4\x03"); /* lfs eax, [ebx] */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x12345678);
		CU_ASSERT_EQUAL(rig.cpu.fs_base, RIG_BASED);
		rig_put(RIG_DATA + 4, "\x10\x00", 2);
		DONE("\x0f\xb2\x23"); /* lss esp, [ebx] */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RSP], 0x12345678);
		rig_put(RIG_DATA + 4, "\x30\x00", 2);
		RAISES("\x0f\xb2\x03", 12, SEL_DATA_GONE); /* eax stays too */
		rig.access[5] = 0;
		RAISES("\x0f\xb2\x03", 14, 0);
	}
	rig_begin(64);
	rig_put(RIG_DATA, "\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00", 10);
	DONE("\x48\x0f\xb5\x03"); /* lgs rax, [rbx] */
	CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RAX], 0x0807060504030201);
	CU_ASSERT_EQUAL(rig.cpu.gs, SEL_DATA);
}

static void task_register(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.regs.gpr[EMU_RAX] = SEL_TSS;
		DONE("\x0f\x00\xd8"); /* ltr ax */
		CU_ASSERT_EQUAL(rig.cpu.task, SEL_TSS);
		CU_ASSERT_EQUAL(rig.cpu.tss.base, RIG_TSS);
		CU_ASSERT_EQUAL(rig.cpu.tss.limit, 0x67);
		CU_ASSERT_EQUAL(rig.ram[RIG_GDT - RIG_BASE + SEL_TSS + 5], 0x8b); /* busy */
		RAISES("\x0f\x00\xd8", 13, SEL_TSS);
		DONE("\x0f\x00\xc9"); /* str ecx */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], SEL_TSS);
		rig.regs.gpr[EMU_RAX] = SEL_DATA;
		RAISES("\x0f\x00\xd8", 13, SEL_DATA);
		rig.regs.gpr[EMU_RAX] = SEL_TSS_GONE;
		RAISES("\x0f\x00\xd8", 11, SEL_TSS_GONE);
		rig.regs.gpr[EMU_RAX] = 0;
		RAISES("\x0f\x00\xd8", 13, 0);
		rig_begin(bits);
		rig.access[2] = 1; /* the GDT cannot be written: the TSS is not busy, nor loaded */
		rig.regs.gpr[EMU_RAX] = SEL_TSS;
		RAISES("\x0f\x00\xd8", 14, 3);
	}
}

static void local_table(void)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		rig_begin(bits);
		rig.regs.gpr[EMU_RAX] = SEL_LDT;
		DONE("\x0f\x00\xd0"); /* lldt ax */
		rig_put_word(RIG_DATA, ~0ull, 64);
		DONE("\x0f\x00\x03"); /* sldt [ebx] */
		CU_ASSERT_EQUAL(rig_word(RIG_DATA, 64), 0xffffffffffff0000 | SEL_LDT);
		rig.regs.gpr[EMU_RAX] = SEL_TSS;
		RAISES("\x0f\x00\xd0", 13, SEL_TSS);
		rig.regs.gpr[EMU_RAX] = 0;
		DONE("\x0f\x00\xd0"); /* none */
		rig.regs.gpr[EMU_RCX] = 0x12345678;
		DONE("\x66\x0f\x00\xc1"); /* sldt cx */
		CU_ASSERT_EQUAL(rig.regs.gpr[EMU_RCX], 0x12340000);
		ds_refuses(SEL_DATA | 4, 13, SEL_DATA | 4);
	}
}

PVR_SUITE(emulate_segment, CASE(tables_load), CASE(tables_store), CASE(data_segments),
	CASE(segments_refused), CASE(segments_popped), CASE(far_pointers), CASE(task_register),
	CASE(local_table))
