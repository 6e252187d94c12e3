/* SPDX-License-Identifier: MIT */
/* The local APIC, where there is one: natively and in a PVH guest. */
#ifndef GUEST_LAPIC_H
#define GUEST_LAPIC_H

#include <stdint.h>

#define LAPIC(offset)   (*(volatile uint32_t *)(0xfee00000ul + (offset)))
#define LAPIC_EOI       0xb0
#define LAPIC_SPURIOUS  0xf0
#define LAPIC_ENABLE    0x100
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_TIMER_SET 0x380
#define LAPIC_TIMER     0x390
#define LAPIC_DIVIDE    0x3e0
#define LAPIC_BY_1      0xb

void lapic_init(void);
void lapic_acknowledge(void);

#endif
