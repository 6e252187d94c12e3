/* SPDX-License-Identifier: MIT */
/*
 * Code that is none: one privileged instruction with random operands and random registers, or bytes. It ends by a trap, by the
 * timer, or with the guest; if it ends, what it may have loaded is loaded anew.
 */
#include <string.h>

#include <pvring/evtchn.h>
#include <pvring/xen/vcpu.h>

#include "hostile.h"
#include "ports/x86/x86.h"

#define CODE_BYTES 64u

void run_start(const struct run_regs *regs, const void *code);
extern volatile uint32_t run_interrupts; /* on, or not, while it runs */
extern const char gdt_pointer[];

/* Opcodes whose execution is not the processor's alone, by their length. */
static const struct {
	uint8_t size, bytes[3];
} heads[] = {
	{2, {0x0f, 0x00}},
	{2, {0x0f, 0x01}},
	{2, {0x0f, 0x02}},
	{2, {0x0f, 0x03}},
	{2, {0x0f, 0x05}},
	{2, {0x0f, 0x06}},
	{2, {0x0f, 0x07}},
	{2, {0x0f, 0x08}},
	{2, {0x0f, 0x09}},
	{2, {0x0f, 0x0b}},
	{2, {0x0f, 0x20}},
	{2, {0x0f, 0x21}},
	{2, {0x0f, 0x22}},
	{2, {0x0f, 0x23}},
	{2, {0x0f, 0x30}},
	{2, {0x0f, 0x31}},
	{2, {0x0f, 0x32}},
	{2, {0x0f, 0x33}},
	{2, {0x0f, 0x34}},
	{2, {0x0f, 0x35}},
	{2, {0x0f, 0x77}},
	{2, {0x0f, 0xa0}},
	{2, {0x0f, 0xa1}},
	{2, {0x0f, 0xa2}},
	{2, {0x0f, 0xa8}},
	{2, {0x0f, 0xa9}},
	{2, {0x0f, 0xae}},
	{2, {0x0f, 0xb2}},
	{2, {0x0f, 0xb4}},
	{2, {0x0f, 0xb5}},
	{2, {0x0f, 0xc7}},
	{1, {0x06}},
	{1, {0x07}},
	{1, {0x0e}},
	{1, {0x16}},
	{1, {0x17}},
	{1, {0x1e}},
	{1, {0x1f}},
	{1, {0x62}},
	{1, {0x63}},
	{1, {0x6c}},
	{1, {0x6d}},
	{1, {0x6e}},
	{1, {0x6f}},
	{1, {0x8c}},
	{1, {0x8e}},
	{1, {0x9a}},
	{1, {0x9b}},
	{1, {0x9c}},
	{1, {0x9d}},
	{1, {0xc4}},
	{1, {0xc5}},
	{1, {0xca}},
	{1, {0xcb}},
	{1, {0xcc}},
	{1, {0xcd}},
	{1, {0xce}},
	{1, {0xcf}},
	{1, {0xe4}},
	{1, {0xe5}},
	{1, {0xe6}},
	{1, {0xe7}},
	{1, {0xea}},
	{1, {0xec}},
	{1, {0xed}},
	{1, {0xee}},
	{1, {0xef}},
	{1, {0xf1}},
	{1, {0xf4}},
	{1, {0xfa}},
	{1, {0xfb}},
	{1, {0xff}},
};

static const uint8_t prefixes[] = {
	0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x44, 0x41, 0x4f};

static void random_code(uint8_t *code)
{
	unsigned at = 0, head;

	for (unsigned i = 0; i < CODE_BYTES; i++)
		code[i] = (uint8_t)random_bits();
	if (random_once(16))
		return;
	for (unsigned i = random_once(3) ? random_below(4) : 0; i; i--)
		code[at++] = prefixes[random_below(sizeof(prefixes))];
	head = random_below(sizeof(heads) / sizeof(heads[0]));
	memcpy(code + at, heads[head].bytes, heads[head].size);
	if (!random_once(8))
		memset(code + at + heads[head].size + random_below(8), 0xcc, 16);
}

static void random_regs(struct run_regs *regs)
{
	static const uint32_t numbers[] = {0x10, 0x1b, 0x174, 0x175, 0x176, 0x1d9, 0x200, 0x201,
		0x277, 0x2ff, 0x3f8, 0xe9, 0x80, 0x40000000, 0x40000200, 0xc0000080, 0xc0000081,
		0xc0000082, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};

	for (unsigned i = 0; i < 16; i++)
		switch (random_below(4)) {
		case 0:
			regs->gpr[i] = random_place();
			break;
		case 1:
			regs->gpr[i] = numbers[random_below(sizeof(numbers) / sizeof(numbers[0]))];
			break;
		case 2:
			regs->gpr[i] = random_pointer();
			break;
		default:
			regs->gpr[i] = random_word();
			break;
		}
}

/* An interrupt in two milliseconds, as long as there are a clock and a timer. */
static int alarm_set(void)
{
	struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = time_now() + 2 * MS};
	const unsigned long args[5] = {VCPUOP_set_singleshot_timer, 0, (unsigned long)&once};

	return once.timeout_abs_ns > 2 * MS && !hypercall(__HYPERVISOR_vcpu_op, args);
}

static void run_code(const struct run_regs *regs, const void *code)
{
	trap_begin();
	run_start(regs, code);
	trap_end();
	cpu_cli();
	CPU_WRITE(dr7, 0);
	__asm__ volatile("lgdt (%0)" ::"r"(gdt_pointer) : "memory");
	cpu_segments();
	cpu_table_use(0);
}

void code_part(unsigned rounds)
{
	uint8_t *code = (uint8_t *)arena;
	struct run_regs regs;

	for (; rounds && !part_over(); rounds--) {
		random_code(code);
		random_regs(&regs);
		calls_made++;
		calls_done++;
		run_interrupts = (uint32_t)alarm_set();
		/* Without a timer the first loop is the last. */
		if (!run_interrupts && rounds > 20)
			rounds = 20;
		run_code(&regs, code);
	}
}
