/* SPDX-License-Identifier: MIT */
/* Random hypercalls: all numbers, all commands, structures of random fields. */
#include <string.h>

#include <pvring/xen/hvm.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>

#include "hostile.h"
#include "ports/x86/x86.h"

#define ARGUMENT_BYTES 256u

enum form {
	COMMAND, /* (command, pointer, count) */
	VCPU,    /* (command, vCPU, pointer) */
	CONSOLE, /* (command, count, pointer) */
	WORDS,   /* numbers and pointers */
};

static const struct known {
	uint8_t number;
	uint8_t commands; /* how many there are */
	uint8_t weight;
	enum form form;
} known[] = {
	{__HYPERVISOR_event_channel_op, 14, 8, COMMAND},
	{__HYPERVISOR_grant_table_op, 13, 8, COMMAND},
	{__HYPERVISOR_memory_op, 25, 4, COMMAND},
	{__HYPERVISOR_sched_op, 8, 3, COMMAND},
	{__HYPERVISOR_xen_version, 11, 2, COMMAND},
	{__HYPERVISOR_hvm_op, 24, 3, COMMAND},
	{__HYPERVISOR_vcpu_op, 14, 4, VCPU},
	{__HYPERVISOR_console_io, 2, 1, CONSOLE},
	{__HYPERVISOR_set_timer_op, 1, 1, WORDS},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static const struct known *known_random(void)
{
	unsigned sum = 0, at;

	for (unsigned i = 0; i < KNOWN; i++)
		sum += known[i].weight;
	at = random_below(sum);
	for (unsigned i = 0;; i++) {
		if (at < known[i].weight)
			return &known[i];
		at -= known[i].weight;
	}
}

static int in_arena(unsigned long address)
{
	return address >= arena && address < machine.memory_end;
}

/* A pointer to a structure, which has been filled where it is to be had. */
static unsigned long structure(void)
{
	const unsigned long at = random_pointer();
	const unsigned long room = machine.memory_end - at;

	if (in_arena(at))
		random_words((void *)at, room < ARGUMENT_BYTES ? room : ARGUMENT_BYTES);
	return at;
}

static unsigned long random_count(void)
{
	return random_once(8) ? random_word() : random_below(6);
}

static long call(unsigned number, const unsigned long args[5])
{
	const long result = hypercall(number, args);

	calls_made++;
	calls_done += result >= 0;
	return result;
}

/* ---- what would end this kernel, or its turn, is made so that it does not ---- */

static void put_word(unsigned long at, unsigned index, unsigned long word)
{
	memcpy((void *)(at + index * sizeof(word)), &word, sizeof(word));
}

/* A whole structure of words in the arena. */
static unsigned long words_place(void)
{
	const unsigned long at = arena + random_below(ARENA_PAGES - 1) * PVR_PAGE_SIZE;

	random_words((void *)at, ARGUMENT_BYTES);
	return at;
}

/* It gives no page of the kernel's back, and has nothing appear in place of one. */
static void memory_tame(unsigned long args[5])
{
	unsigned long at = words_place(), list = words_place();

	args[1] = at;
	switch (args[0]) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		for (unsigned i = 0; i < 64; i++)
			put_word(list, i, random_frame());
		put_word(at, 0, random_once(8) ? random_pointer() & ~4095ul : list);
		put_word(at, 1, random_once(8) ? random_word() : random_below(32));
		put_word(at, 2, random_once(16) ? 10 + random_below(60) : 0);
		break;
	case XENMEM_add_to_physmap:
		put_word(at, 0, DOMID_SELF);
		memcpy((void *)(at + 4), &(uint32_t){random_below(6)}, 4);
		memcpy((void *)(at + 8 + sizeof(long)), &(unsigned long){random_frame()},
			sizeof(long));
		break;
	case XENMEM_remove_from_physmap:
		put_word(at, 1, random_frame());
		break;
	default:
		args[1] = structure();
		break;
	}
}

/* It sleeps for a moment at the most, and does not end. */
static void sched_tame(unsigned long args[5])
{
	const unsigned long at = words_place();

	switch (args[0]) {
	case SCHEDOP_block:
		pvr_boot.shared_info->vcpu_info[0].evtchn_upcall_pending = 1;
		if (!pvr_boot.shared_info->vcpu_info[0].evtchn_upcall_pending)
			args[0] = SCHEDOP_yield; /* there is no such page any more */
		break;
	case SCHEDOP_poll:
		args[1] = at;
		put_word(at, 0, random_pointer());
		memcpy((void *)(at + sizeof(long)), &(uint32_t){random_below(200)}, 4);
		memcpy((void *)(at + 2 * sizeof(long)), &(uint64_t){1 + random_below(9)}, 8);
		break;
	case SCHEDOP_shutdown:
		args[1] = at;
		memcpy((void *)at, &(uint32_t){SHUTDOWN_suspend}, 4);
		break;
	default:
		break;
	}
}

/* Interrupts come by a vector that there is. */
static void hvm_tame(unsigned long args[5])
{
	struct xen_hvm_param *param = (void *)words_place();
	struct xen_hvm_evtchn_upcall_vector *vector = (void *)words_place();

	if (args[0] == HVMOP_set_param) {
		param->domid = random_once(4) ? (domid_t)random_bits() : DOMID_SELF;
		param->index = random_once(4) ? random_word() : random_below(40);
		param->value = random_once(2) ? (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 |
							(16 + random_below(48))
					      : random_word();
		args[1] = (unsigned long)param;
	} else if (args[0] == HVMOP_set_evtchn_upcall_vector) {
		vector->vcpu = random_once(4) ? random_word() : 0;
		vector->vector = (uint8_t)random_below(64);
		args[1] = (unsigned long)vector;
	}
}

static void known_call(void)
{
	const struct known *k = known_random();
	unsigned long args[5] = {random_once(16) ? random_word() : random_below(k->commands)};

	for (unsigned i = 1; i < 5; i++)
		args[i] = random_once(2) ? random_pointer() : random_word();
	if (k->form == COMMAND || k->form == CONSOLE) {
		args[1] = structure();
		args[2] = random_count();
	}
	if (k->form == VCPU) {
		args[1] = random_once(8) ? random_word() : 0;
		args[2] = structure();
	}
	if (k->form == CONSOLE) {
		args[2] = args[1];
		args[1] = random_once(16) ? random_word() : random_below(8);
	}
	if (k->number == __HYPERVISOR_memory_op)
		memory_tame(args);
	if (k->number == __HYPERVISOR_sched_op)
		sched_tame(args);
	if (k->number == __HYPERVISOR_hvm_op)
		hvm_tame(args);
	call(k->number, args);
	cpu_cli(); /* block turns interrupts on */
}

/* Not the known ones by another name, nor, in a PV guest, its page tables, which are another part's. */
static int is_other(unsigned number)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (number == known[i].number)
			return 0;
	return !is_pv || (number != __HYPERVISOR_mmu_update && number != __HYPERVISOR_mmuext_op &&
				 number != __HYPERVISOR_update_va_mapping &&
				 number != __HYPERVISOR_multicall);
}

static void other_call(void)
{
	const unsigned number = random_once(4) ? (uint32_t)random_bits() : random_below(64);
	unsigned long args[5];

	for (unsigned i = 0; i < 5; i++)
		args[i] = random_once(2) ? structure() : random_word();
	if (is_other(number))
		call(number, args);
}

void call_random(void)
{
	if (random_once(6))
		other_call();
	else
		known_call();
}

void call_harmless(void)
{
	static const uint8_t events[] = {EVTCHNOP_bind_interdomain, EVTCHNOP_bind_virq,
		EVTCHNOP_send, EVTCHNOP_status, EVTCHNOP_alloc_unbound, EVTCHNOP_bind_ipi,
		EVTCHNOP_unmask};
	unsigned long args[5] = {0, structure(), random_count()};

	if (random_once(2)) {
		args[0] = events[random_below(sizeof(events))];
		call(__HYPERVISOR_event_channel_op, args);
	} else {
		args[0] = random_below(13);
		call(__HYPERVISOR_grant_table_op, args);
	}
}

void calls_part(unsigned rounds)
{
	while (rounds-- && !part_over())
		call_random();
}
