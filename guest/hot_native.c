/* SPDX-License-Identifier: MIT */
/*
 * The hot operations on bare hardware: hlt, the local APIC's one-shot timer, page tables that are plain memory. Source of
 * the local APIC's registers: Intel's Software Developer's Manual, volume 3, chapter 11; of the ports of the interval timer: the
 * 8254's data sheet.
 */
#include "guest/hot.h"
#include "guest/kernel.h"
#include "ports/x86/x86.h"

#define LAPIC(offset)   (*(volatile uint32_t *)(0xfee00000ul + (offset)))
#define LAPIC_EOI       0xb0
#define LAPIC_SPURIOUS  0xf0
#define SPURIOUS_ENABLE 0x100
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_TIMER_SET 0x380
#define LAPIC_TIMER     0x390
#define LAPIC_DIVIDE    0x3e0
#define DIVIDE_BY_1     0xb
#define PIT_MEASURE     11932 /* of 1193182 a second: 10 ms */
#define PIT_COUNTER_2   0x42
#define PIT_COMMAND     0x43
#define PIT_2_ONCE      0xb0 /* counter 2, both bytes, mode 0 */
#define PORT_B          0x61
#define PORT_B_GATE     0x01
#define PORT_B_OUT      0x20
#define TIMER_FURTHEST  S
#define LAPIC_SCALE     24

static struct vcpu_time_info measured;
static uint64_t lapic_mul; /* ticks of the timer a nanosecond, times 2^LAPIC_SCALE */

void lapic_acknowledge(void)
{
	LAPIC(LAPIC_EOI) = 0;
}

static void spurious(void)
{
}

static void timer_interrupt(void)
{
	lapic_acknowledge();
	port_woken();
}

void lapic_init(void)
{
	cpu_vector_set(VECTOR_SPURIOUS, spurious);
	LAPIC(LAPIC_SPURIOUS) = SPURIOUS_ENABLE | VECTOR_SPURIOUS;
}

/* Nothing interrupts here, and the interval timer is asked when its 10 ms are over. */
void native_init(void)
{
	lapic_init();
	cpu_vector_set(VECTOR_TIMER, timer_interrupt);
	LAPIC(LAPIC_DIVIDE) = DIVIDE_BY_1;
	LAPIC(LAPIC_LVT_TIMER) = VECTOR_TIMER;
	/* The old interrupt controllers say nothing. */
	cpu_out8(0x21, 0xff);
	cpu_out8(0xa1, 0xff);
	cpu_out8(PORT_B, PORT_B_GATE);
	cpu_out8(PIT_COMMAND, PIT_2_ONCE);
	cpu_out8(PIT_COUNTER_2, PIT_MEASURE & 0xff);
	cpu_out8(PIT_COUNTER_2, PIT_MEASURE >> 8);

	uint64_t tsc = cpu_rdtsc();

	LAPIC(LAPIC_TIMER_SET) = UINT32_MAX;
	while (!(cpu_in8(PORT_B) & PORT_B_OUT))
		cpu_pause();

	uint32_t ticks = UINT32_MAX - LAPIC(LAPIC_TIMER);

	clock_measured(&measured, cpu_rdtsc() - tsc, 10 * MS);
	LAPIC(LAPIC_TIMER_SET) = 0;
	lapic_mul = divide((uint64_t)ticks << LAPIC_SCALE, 10 * MS);
	clock_init(&measured);
}

void native_idle(const _Atomic uint32_t *word, uint32_t seen)
{
	cpu_cli();
	if (atomic_load_explicit(word, memory_order_seq_cst) == seen)
		cpu_sti_hlt();
	else
		cpu_sti();
}

static void native_timer(uint64_t deadline_ns)
{
	uint64_t now = pvr_port_now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

	if (left > TIMER_FURTHEST)
		left = TIMER_FURTHEST;
	LAPIC(LAPIC_TIMER_SET) = (uint32_t)(left * lapic_mul >> LAPIC_SCALE) + 1;
}

int native_write(struct mmu_update *updates, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		*(volatile uint64_t *)(unsigned long)updates[i].ptr = updates[i].val;
	return 0;
}

int native_set(uint64_t *entry, unsigned long address, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
	cpu_invlpg(address);
	return 0;
}

void native_flush(unsigned long address)
{
	if (address)
		cpu_invlpg(address);
	else
		CPU_WRITE(cr3, CPU_READ(cr3));
}

int native_table(void *page, int is_table)
{
	(void)page;
	(void)is_table;
	return 0;
}

int native_pin(void *table, unsigned level)
{
	(void)table;
	(void)level;
	return 0;
}

int native_root(void *table)
{
	CPU_WRITE(cr3, table);
	return 0;
}

const struct hot hot_native = {
	.idle = native_idle,
	.timer = native_timer,
	.acknowledge = lapic_acknowledge,
	.write = native_write,
	.set = native_set,
	.flush = native_flush,
	.table = native_table,
	.pin = native_pin,
	.root = native_root,
};
