/* SPDX-License-Identifier: MIT */
/*
 * The hot operations that the processor has itself, natively and in a PVH guest: hlt, page tables that are plain memory, and
 * the local APIC, by which interrupts come. Source of its registers: Intel's Software Developer's Manual, volume 3, chapter 11.
 */
#include "guest/hot.h"
#include "guest/lapic.h"
#include "ports/x86/x86.h"

_Atomic uint32_t hot_timer_fired;

void lapic_acknowledge(void)
{
	LAPIC(LAPIC_EOI) = 0;
}

static void spurious(void)
{
}

void lapic_init(void)
{
	cpu_vector_set(VECTOR_SPURIOUS, spurious);
	LAPIC(LAPIC_SPURIOUS) = LAPIC_ENABLE | VECTOR_SPURIOUS;
}

static void bare_idle(const _Atomic uint32_t *word, uint32_t seen)
{
	cpu_cli();
	if (atomic_load_explicit(word, memory_order_seq_cst) == seen)
		cpu_sti_hlt();
	else
		cpu_sti();
}

static int bare_write(struct mmu_update *updates, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		*(volatile uint64_t *)(unsigned long)updates[i].ptr = updates[i].val;
	return 0;
}

static int bare_set(uint64_t *entry, unsigned long address, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
	cpu_invlpg(address);
	return 0;
}

static void bare_flush(unsigned long address)
{
	if (address)
		cpu_invlpg(address);
	else
		CPU_WRITE(cr3, CPU_READ(cr3));
}

static int bare_table(void *page, int is_table)
{
	(void)page;
	(void)is_table;
	return 0;
}

static int bare_pin(void *table, unsigned level)
{
	(void)table;
	(void)level;
	return 0;
}

static int bare_root(void *table)
{
	CPU_WRITE(cr3, table);
	return 0;
}

struct hot hot = {
	.idle = bare_idle,
	.acknowledge = lapic_acknowledge,
	.write = bare_write,
	.set = bare_set,
	.flush = bare_flush,
	.table = bare_table,
	.pin = bare_pin,
	.root = bare_root,
};
