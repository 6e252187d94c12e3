/* SPDX-License-Identifier: MIT */
/*
 * Guest memory at its first instruction. Linear addresses are frames: every frame from 64 KiB on is mapped where it is, and the
 * hypervisor's frames once more behind the last one. Behind the kernel stand, in this order, a module, the
 * list of frames, a page of stack, start_info, and the page tables with the root first; from there on memory is free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/xen/start_info.h>

#include "internal.h"

#define PAGE_ENTRY 32u
#define ENTRIES    512u
#define TABLE      (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED)
#define CR0_PAGING 0x80000001u

/* Addresses; pages of them where it says so. */
struct plan {
	uint64_t module, list, info, tables, end;
	uint64_t mapped;                        /* pages, from 0 on */
	unsigned levels, count[MMU_LEVELS_MAX]; /* tables of each level, the first is L1 */
	unsigned frames;                        /* of all tables */
};

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
}

static void plan_make(const struct vm *vm, const struct vm_files *files, struct plan *plan)
{
	const uint64_t pages = vm->boot.memory_bytes / VM_PAGE;
	uint64_t below;

	*plan = (struct plan){.levels = vm->pv->mmu.geometry->levels};
	plan->module = round_up(vm->kernel.end);
	plan->list = round_up(plan->module + files->initrd_size);
	plan->info = round_up(plan->list + pages * vm->word_size) + VM_PAGE;
	plan->tables = plan->info + VM_PAGE;
	plan->mapped = below = pages + vm->pv->reserved_end;
	for (unsigned i = 0; i < plan->levels; i++) {
		below = (below + ENTRIES - 1) / ENTRIES;
		plan->count[i] = (unsigned)below;
		plan->frames += plan->count[i];
	}
	plan->end = plan->tables + plan->frames * (uint64_t)VM_PAGE;
}

static uint64_t first_entry(const struct vm *vm, const struct plan *plan, uint64_t page)
{
	const uint64_t pages = vm->boot.memory_bytes / VM_PAGE;
	const uint64_t frame = page < pages ? page : page - pages;
	const int is_table = frame >= plan->tables / VM_PAGE && frame < plan->end / VM_PAGE;

	if (page < PV_WINDOW_START / VM_PAGE || !frame)
		return 0;
	return frame * VM_PAGE | _PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY |
	       (is_table ? 0 : _PAGE_RW);
}

/* Root first, then level by level; the tables of a level are a row, so entry n of a row is the n-th thing below. */
static void tables_fill(const struct vm *vm, const struct plan *plan)
{
	uint64_t row = plan->tables, below, entries = 0;

	for (unsigned level = plan->levels; level; level--, row = below) {
		uint64_t *table = (uint64_t *)(void *)(vm->memory + row);
		const uint64_t flags = level == 3 && plan->levels == 3 ? _PAGE_PRESENT : TABLE;

		below = row + plan->count[level - 1] * (uint64_t)VM_PAGE;
		entries = level > 1 ? plan->count[level - 2] : plan->mapped;
		memset(table, 0, plan->count[level - 1] * (size_t)VM_PAGE);
		for (uint64_t i = 0; i < entries; i++)
			table[i] = level > 1 ? (below + i * VM_PAGE) | flags
					     : first_entry(vm, plan, i);
	}
}

static void list_fill(const struct vm *vm, const struct plan *plan)
{
	uint8_t *at = vm->memory + plan->list;

	for (uint64_t i = 0; i < vm->boot.memory_bytes / VM_PAGE; i++, at += vm->word_size)
		memcpy(at, &i, vm->word_size);
}

static void start_info_fill(
	const struct vm *vm, const struct vm_files *files, const struct plan *plan)
{
	const struct pv_start start = {
		.nr_pages = vm->boot.memory_bytes / VM_PAGE,
		.shared_info = PVR_HV_FRAME_SHARED_INFO * VM_PAGE,
		.store_mfn = PVR_HV_FRAME_STORE,
		.store_evtchn = vm->boot.store_port,
		.console_mfn = PVR_HV_FRAME_CONSOLE,
		.console_evtchn = vm->console_port,
		.pt_base = plan->tables,
		.nr_pt_frames = plan->frames,
		.mfn_list = plan->list,
		.mod_start = files->initrd_size ? plan->module : 0,
		.mod_len = files->initrd_size,
		.cmdline = vm->config->cmdline ? vm->config->cmdline : "",
	};

	memset(vm->memory + plan->info, 0, VM_PAGE);
	pv_start_info(vm->memory + plan->info, vm->word_size, &start);
}

/*
 * mov $number, %eax, and on to the monitor: from 64-bit code by r11, which a call may destroy; from 32-bit code by
 * a far jump to the trampoline.
 */
static void page_fill(const struct vm *vm)
{
	const uint64_t to = (uint64_t)(uintptr_t)pv_gate_call_64;
	const uint32_t far = PV_TRAMPOLINE;
	const uint16_t cs = PV_CS_64;

	for (uint8_t number = 0; number < VM_PAGE / PAGE_ENTRY; number++) {
		uint8_t *code = vm->memory + vm->kernel.page + number * PAGE_ENTRY;

		memcpy(code, (const uint8_t[]){0xb8, number, 0, 0, 0}, 5);
		if (vm->word_size == 8) {
			memcpy(code + 5, (const uint8_t[]){0x49, 0xbb}, 2);
			memcpy(code + 7, &to, sizeof(to));
			memcpy(code + 15, (const uint8_t[]){0x41, 0xff, 0xe3}, 3);
		} else {
			code[5] = 0xea;
			memcpy(code + 6, &far, sizeof(far));
			memcpy(code + 10, &cs, sizeof(cs));
		}
	}
}

static void first_state(struct vm *vm, const struct plan *plan)
{
	struct pv *pv = vm->pv;

	emu_cpu_init(&pv->cpu, vm->word_size * 8);
	pv->cpu.cr0 |= CR0_PAGING;
	pv->cpu.cr3 = plan->tables;
	pv->boot_root = plan->tables / VM_PAGE;
	pv_gate = (struct pv_gate){
		.bits = vm->word_size * 8,
		.info = vm->vcpu[0].info,
		.far.cs = PV_CS_32,
		.regs.ip = vm->kernel.pv_entry,
		.regs.flags = 2,
	};
	pv_gate.regs.gpr[EMU_RSP] = pv_gate.regs.gpr[EMU_RSI] = plan->info;
	pv_gate.info[1] = 1; /* interrupts are off */
}

int pv_build(struct vm *vm, const struct vm_files *files, struct why *why)
{
	const struct vm_kernel *k = &vm->kernel;
	struct plan plan;

	if (vm->boot.memory_bytes > PVR_PV_MEMORY_MAX)
		return vm_fail(why, -E2BIG,
			"a guest of the process machine has at most %uM of memory",
			PVR_PV_MEMORY_MAX >> 20);
	if (vm->config->cmdline && strlen(vm->config->cmdline) >= MAX_GUEST_CMDLINE)
		return vm_fail(why, -E2BIG, "the kernel's command line is longer than %u bytes",
			MAX_GUEST_CMDLINE - 1);
	plan_make(vm, files, &plan);
	if (k->start < vm->pv->reserved_end * VM_PAGE)
		return vm_fail(why, -ENOEXEC,
			"'%s' wants the memory below %lluK, which is the hypervisor's",
			vm->config->kernel, (unsigned long long)vm->pv->reserved_end * 4);
	if (plan.end > vm->boot.memory_bytes)
		return vm_memory_too_little(vm, why, plan.end);
	vm_segments_copy(vm, files);
	if (files->initrd_size)
		memcpy(vm->memory + plan.module, files->initrd, files->initrd_size);
	list_fill(vm, &plan);
	start_info_fill(vm, files, &plan);
	page_fill(vm);
	tables_fill(vm, &plan);
	first_state(vm, &plan);
	return 0;
}
