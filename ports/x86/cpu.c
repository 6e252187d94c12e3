/* SPDX-License-Identifier: MIT */
/* Descriptor tables and traps. All of it is native: a deprivileged kernel faults on it and is emulated. */
#include <string.h>

#include "guest/kernel.h"
#include "x86.h"

struct gate {
	uint16_t offset_low, selector, flags, offset_high;
#ifdef __x86_64__
	uint32_t offset_top, reserved;
#endif
};

#define GATE_INTERRUPT 0x8e00 /* present, ring 0, interrupts off */
#define TASK_AVAILABLE 0x89
#define TASK_BYTES     104

struct __attribute__((packed)) pointer {
	uint16_t limit;
	unsigned long base;
};

extern char trap_stubs[];
void trap(struct trap_frame *frame);

static struct gate table[2][VECTORS];
static uint8_t task_state[TASK_BYTES];
static void (*handlers[VECTORS])(void);
static struct trap_seen seen;
volatile unsigned long trap_resume;

void cpu_table_use(int second)
{
	const struct pointer idt = {sizeof(table[0]) - 1, (unsigned long)table[second]};

	__asm__ volatile("lidt %0" ::"m"(idt));
}

/* The task state has no use but to be there: there is no other ring to come from. */
static void task_load(void)
{
	uint64_t base = (unsigned long)task_state;

	gdt[SELECTOR_TASK / 8] = (TASK_BYTES - 1) | (base & 0xffffff) << 16 |
				 (uint64_t)TASK_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	__asm__ volatile("ltr %w0" ::"r"(SELECTOR_TASK));
}

void cpu_init(void)
{
	extern const char gdt_pointer[];

	for (unsigned i = 0; i < VECTORS; i++) {
		unsigned long stub = (unsigned long)trap_stubs + i * STUB_BYTES;

		table[0][i] = (struct gate){.offset_low = (uint16_t)stub,
			.selector = SELECTOR_CODE,
			.flags = GATE_INTERRUPT,
			.offset_high = (uint16_t)(stub >> 16)};
	}
	memcpy(table[1], table[0], sizeof(table[0]));
	__asm__ volatile("lgdt (%0)" ::"r"(gdt_pointer) : "memory");
	cpu_segments();
	cpu_table_use(0);
	task_load();
}

void cpu_vector_set(unsigned vector, void (*handler)(void))
{
	handlers[vector] = handler;
}

void trap_begin(void)
{
	seen = (struct trap_seen){0};
	trap_resume = 0;
}

struct trap_seen trap_end(void)
{
	trap_resume = 0;
	return seen;
}

void trap(struct trap_frame *frame)
{
	if (frame->vector < VECTORS && handlers[frame->vector]) {
		handlers[frame->vector]();
		return;
	}
	unsigned long address = frame->vector == TRAP_PAGE ? CPU_READ(cr2) : 0;

	if (!trap_resume) {
		say("trap %lu, error %lx, at %lx, address %lx", frame->vector, frame->error,
			frame->ip, address);
		pvr_port_panic("a trap that nobody expected");
	}
	seen = (struct trap_seen){frame->vector, frame->error, address, 1};
	frame->ip = trap_resume;
	trap_resume = 0;
}
