/* SPDX-License-Identifier: MIT */
/*
 * The guest's page tables as mappings of this process: what the validator has accepted is mapped, by one call for
 * each run of pages. And the guest's memory as its tables have it, for the monitor, which never follows
 * a guest's pointer itself.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

static void *place(uint64_t va)
{
	return (void *)(uintptr_t)va;
}

int pv_window_reserve(void)
{
	void *at = mmap(place(PV_WINDOW_START), PVR_PV_WINDOW - PV_WINDOW_START, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	return at == MAP_FAILED ? -errno : 0;
}

/* jmp *0(%rip), and where to. */
int pv_trampoline_map(void)
{
	const uint64_t to = (uint64_t)(uintptr_t)pv_gate_call_32;
	uint8_t code[6 + sizeof(to)] = {0xff, 0x25, 0, 0, 0, 0};
	void *at = mmap(place(PV_TRAMPOLINE), VM_PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	memcpy(code + 6, &to, sizeof(to));
	memcpy(at, code, sizeof(code));
	return mprotect(at, VM_PAGE, PROT_READ | PROT_EXEC) ? -errno : 0;
}

void pv_mapping_changed(void *arg, uint64_t va, uint64_t frame, uint64_t pages, uint64_t flags)
{
	const struct vm *vm = arg;
	const size_t size = pages * VM_PAGE;
	int protection = PROT_READ;
	void *at;

	pv_count(pv_vcpu, VM_EXITS_MMAP, 1);
	pv_count(pv_vcpu, VM_EXITS_MAPPED, pages);
	if (!(flags & _PAGE_PRESENT)) {
		at = mmap(place(va), size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	} else {
		protection |= flags & _PAGE_RW ? PROT_WRITE : 0;
		protection |= flags & _PAGE_NX ? 0 : PROT_EXEC;
		at = mmap(place(va), size, protection, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
			vm->memory_fd, (off_t)(frame * VM_PAGE));
	}
	/* The old mapping may still be there, and would be one too many rights. */
	if (at == MAP_FAILED)
		pv_broken(NULL, "its page tables are more mappings than a process may have", va);
}

uint8_t *pv_linear(struct vcpu *v, uint64_t va, int write)
{
	const struct mmu *mmu = &v->vm->pv->mmu;
	const uint64_t needed = _PAGE_PRESENT | (write ? _PAGE_RW : 0);
	const uint64_t entry = va < PVR_PV_WINDOW ? mmu_entry(mmu, va) : 0;
	const uint64_t frame = (entry & mmu->geometry->frame_mask) / VM_PAGE;

	if ((entry & needed) != needed || frame >= mmu->frames)
		return NULL;
	return mmu->memory + frame * VM_PAGE + va % VM_PAGE;
}

uint8_t *pv_at(struct vm *vm, uint64_t gpa)
{
	return gpa < vm->boot.memory_bytes ? vm->memory + gpa : NULL;
}
