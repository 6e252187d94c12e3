/* SPDX-License-Identifier: MIT */
/*
 * Without a hypervisor: the rates of the time stamp counter and of the local APIC's timer are measured by the interval
 * timer, and the clock page is filled in with the result. Source of the ports: the 8254's data sheet.
 */
#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/lapic.h"
#include "ports/x86/x86.h"

#define PIT_MEASURE    11932 /* of 1193182 a second: 10 ms */
#define PIT_COUNTER_2  0x42
#define PIT_COMMAND    0x43
#define PIT_2_ONCE     0xb0 /* counter 2, both bytes, mode 0 */
#define PORT_B         0x61
#define PORT_B_GATE    0x01
#define PORT_B_OUT     0x20
#define TIMER_FURTHEST S
#define LAPIC_SCALE    24

static struct vcpu_time_info measured;
static uint64_t lapic_mul; /* ticks of the timer a nanosecond, times 2^LAPIC_SCALE */

static void timer_interrupt(void)
{
	lapic_acknowledge();
	atomic_fetch_add(&hot_timer_fired, 1);
	port_woken();
}

static void native_timer(uint64_t deadline_ns)
{
	uint64_t now = pvr_port_now_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;

	if (left > TIMER_FURTHEST)
		left = TIMER_FURTHEST;
	LAPIC(LAPIC_TIMER_SET) = (uint32_t)(left * lapic_mul >> LAPIC_SCALE) + 1;
}

/* Nothing interrupts here, and the interval timer is asked when its 10 ms are over. */
void only_native_init(void)
{
	lapic_init();
	cpu_vector_set(VECTOR_TIMER, timer_interrupt);
	LAPIC(LAPIC_DIVIDE) = LAPIC_BY_1;
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
	hot.timer = native_timer;
}
