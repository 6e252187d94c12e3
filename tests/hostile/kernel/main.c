/* SPDX-License-Identifier: MIT */
/*
 * `seed=N`, and `parts=LETTERS` to have no others than those: d disk, n net, s store, c calls, x noise, t page
 * tables, i code. Each part says a line before it begins, so that what was last said names what ended the guest.
 */
#include "guest/hot.h"
#include "guest/lapic.h"
#include "guest/xen.h"
#include "hostile.h"
#include "ports/x86/x86.h"

#include <pvring/xen/sched.h>

unsigned long arena, victims;
int is_pv;
unsigned calls_made, calls_done;

static const struct part {
	char letter;
	const char *name;
	void (*run)(unsigned rounds);
	unsigned rounds;
} parts[] = {
	/* Those in the order of this table, then the others in any. */
	{'d', "disk", disk_part, 3},
	{'n', "net", net_part, 3},
	{'s', "store", store_part, 200},
	{'c', "calls", calls_part, 3000},
	{'x', "noise", noise_part, 60},
	{'t', "tables", tables_part, 2000},
	{'i', "code", code_part, 400},
};

#define PART_TIME (600 * MS)
#define PARTS     (sizeof(parts) / sizeof(parts[0]))
#define ORDERED   3u

void *hypervisor_page(unsigned frame)
{
	return (void *)((is_pv ? machine.memory_end : 0) + frame * (unsigned long)PVR_PAGE_SIZE);
}

uint64_t time_now(void)
{
	const volatile struct vcpu_time_info *time = &pvr_boot.shared_info->vcpu_info[0].time;

	return time->version & 1 || !time->tsc_to_system_mul ? 0 : pvr_port_now_ns();
}

static uint64_t part_end;

int part_over(void)
{
	return time_now() > part_end;
}

/* Any interrupt. It may have come in the middle of code that will not end by itself. */
static void interrupted(void)
{
	hot.acknowledge();
	if (trap_resume == (unsigned long)run_back)
		run_leave();
}

/* From here on nothing is expected of interrupts. */
static void turn_hostile(void)
{
	cpu_cli();
	for (unsigned vector = 16; vector < VECTORS; vector++)
		cpu_vector_set(vector, interrupted);
}

static void part_run(const struct part *part, uint64_t seed)
{
	calls_made = calls_done = 0;
	part_end = time_now() + PART_TIME;
	say("\nhostile: seed %llu: %s", (unsigned long long)seed, part->name);
	random_seed(seed * PARTS + (uint64_t)(part - parts));
	part->run(part->rounds);
	say("\nhostile: seed %llu: %s: %u calls, %u of them done", (unsigned long long)seed,
		part->name, calls_made, calls_done);
}

static void parts_run(uint64_t seed, const char *only)
{
	unsigned left = (1u << PARTS) - 1;

	for (unsigned i = 0; i < PARTS; i++) {
		int wanted = *only ? 0 : random_below(4) > 0;

		for (const char *c = only; *c && *c != ' '; c++)
			wanted |= *c == parts[i].letter;
		if (!wanted)
			left &= ~(1u << i);
	}
	for (unsigned i = 0; left;
		i = i < ORDERED ? i + 1 : ORDERED + random_below(PARTS - ORDERED)) {
		if (!(left & 1u << i))
			continue;
		left &= ~(1u << i);
		if (i >= ORDERED)
			turn_hostile();
		const uint64_t next = random_bits();

		part_run(&parts[i], seed);
		random_seed(next);
	}
}

/* An end that is one: off, a crash, or nowhere. */
static void end(void)
{
	say("\nhostile: all parts are over");
	if (random_once(4))
		code_part(100000);
	kernel_end_run(random_once(2));
}

static const char *value_of(const char *line, const char *name)
{
	for (; *line; line++) {
		unsigned i = 0;

		while (name[i] && line[i] == name[i])
			i++;
		if (!name[i])
			return line + i;
	}
	return "";
}

void kernel_main(void);

void kernel_main(void)
{
	uint64_t seed = 0;

	for (const char *c = value_of(machine.command_line, "seed="); *c >= '0' && *c <= '9'; c++)
		seed = seed * 10 + (uint64_t)(*c - '0');
	is_pv = machine.way[1] == 'V' && !machine.way[2];
	arena = machine.memory_end - ARENA_PAGES * PVR_PAGE_SIZE;
	victims = arena - VICTIM_PAGES * PVR_PAGE_SIZE;
	pages_reserve(victims, machine.memory_end);
	random_seed(seed);
	parts_run(seed, value_of(machine.command_line, "parts="));
	end();
}
