/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU with eight pages of memory for the tests of the emulator: code, a GDT, an IDT, a
 * stack, data and a TSS. RUN executes literal bytes; what an exception leaves behind is compared
 * with what was there before.
 */
#ifndef PVR_TEST_EMULATE_RIG_H
#define PVR_TEST_EMULATE_RIG_H

#include <stdint.h>

#include "../../pv/emulate.h"
#include "suite.h"

#define RIG_BASE  0x100000ull
#define RIG_CODE  0x101000ull
#define RIG_GDT   0x102000ull
#define RIG_IDT   0x103000ull
#define RIG_STACK 0x104800ull
#define RIG_DATA  0x105000ull
#define RIG_TSS   0x106000ull
#define RIG_PAGES 8u

/* The rig's GDT. */
enum {
	SEL_CODE = 0x08,
	SEL_DATA = 0x10,
	SEL_CODE3 = 0x18,
	SEL_DATA3 = 0x20,
	SEL_CODE_GONE = 0x28,
	SEL_DATA_GONE = 0x30,
	SEL_BASED = 0x38,
	SEL_READ_ONLY = 0x40,
	SEL_EXECUTE_ONLY = 0x48,
	SEL_CODE_OTHER = 0x50,
	SEL_TSS = 0x58,
	SEL_LDT = 0x68,
	SEL_CONFORMING = 0x78,
	SEL_TSS_GONE = 0x80,
	RIG_GDT_LIMIT = 0x8f,
};
#define RIG_BASED 0x01234000u /* base of SEL_BASED */

struct rig {
	struct emu_cpu cpu;
	struct emu_regs regs;
	struct emu_memory memory;
	uint8_t ram[RIG_PAGES * 4096];
	uint8_t access[RIG_PAGES]; /* 2 writable, 1 readable, 0 missing */
	struct emu_effect effect;
};
extern struct rig rig;

void rig_begin(unsigned bits);
void rig_put(uint64_t va, const void *from, size_t size);
void rig_put_word(uint64_t va, uint64_t value, unsigned bits);
uint64_t rig_word(uint64_t va, unsigned bits);

void rig_run(const char *code, size_t size);
void rig_done(const char *code, size_t size);
void rig_raises(const char *code, size_t size, uint8_t vector, int64_t error);

#define RUN(code)                   rig_run(code, sizeof(code) - 1)
#define DONE(code)                  rig_done(code, sizeof(code) - 1)
#define RAISES(code, vector, error) rig_raises(code, sizeof(code) - 1, vector, error)
#define NO_ERROR                    (-1)

#endif
