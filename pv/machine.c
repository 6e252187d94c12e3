/* SPDX-License-Identifier: MIT */
/* The PV machine: its way of everything that a machine does. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "internal.h"

#define HWCAP2_FSGSBASE 2

static int machine_open(struct vm *vm, struct why *why)
{
	vm->pv = calloc(1, sizeof(*vm->pv));
	if (!vm->pv)
		return vm_fail(why, -ENOMEM, "no memory");
	pv_vcpu = &vm->vcpu[0];
	pv_clock_start(&vm->pv->clock);
	vm->pv->mmu.geometry = vm->kernel.bits == 64 ? &mmu_geometry_64 : &mmu_geometry_pae;
	/* Inherited by the vCPU's thread: a guest wants its sleep to end in time, not within 50 us. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	int err = pv_window_reserve();

	if (!err)
		err = pv_trampoline_map();
	return err ? vm_fail(why, err, "the guest's linear addresses are not to be had: %s",
			     strerror(-err))
		   : 0;
}

static int tables_begin(struct vm *vm, struct why *why)
{
	struct pv *pv = vm->pv;
	const uint64_t frames = vm->boot.memory_bytes / VM_PAGE;

	pv->frame = calloc(frames, sizeof(*pv->frame));
	pv->counted = calloc(frames, sizeof(*pv->counted));
	if (!pv->frame || !pv->counted)
		return vm_fail(why, -ENOMEM, "no memory");
	pv->frame[0].hole = 1;
	for (uint64_t i = 1; i < pv->reserved_end; i++)
		pv->frame[i].reserved = 1;
	pv->mmu.memory = vm->memory;
	pv->mmu.frame = pv->frame;
	pv->mmu.frames = frames;
	pv->mmu.changed = pv_mapping_changed;
	pv->mmu.arg = vm;
	int err = mmu_init(&pv->mmu, pv->boot_root);

	return err ? vm_fail(why, err, "the first page tables are not right: %s", strerror(-err))
		   : 0;
}

static int machine_load(struct vm *vm, struct vm_files *files, struct why *why)
{
	if (vm->boot.vcpus != 1)
		return vm_fail(why, -ENOTSUP,
			"a guest of the process machine has one vCPU; --machine kvm has more");
	vm->pv->reserved_end = PVR_HV_FRAME_GRANT + vm->boot.grant_frames;
	int err = pv_build(vm, files, why);

	if (!err)
		err = tables_begin(vm, why);
	if (err)
		return err;
	vm_mode_say(vm, "a %u-bit kernel in a process of its own", vm->kernel.bits);
	pv_clock_update(&vm->vcpu[0]);
	err = pv_signals_take(vm->pv);
	return err ? vm_fail(why, err, "signals: %s", strerror(-err)) : 0;
}

/* Linux lets a process set the base itself from 5.9 on, where the CPU can. Source: its Documentation/arch/x86/x86_64/fsgs.rst. */
static uint64_t fs_base(void)
{
	uint64_t base = 0;

	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
		__asm__("rdfsbase %0" : "=r"(base));
	return base;
}

static void *machine_run(void *arg)
{
	struct vcpu *v = arg;
	struct pv *pv = v->vm->pv;

	pthread_mutex_lock(&v->running);
	pv_stack_use(pv);
	pv_timer_open(pv);
	if (v->vm->reason < 0 && !sigsetjmp(pv->out, 1)) {
		mmu_walk(&pv->mmu);
		mmu_flush(&pv->mmu);
		pv_gate.fs = fs_base();
		pv_gate_start();
	}
	pv_stack_leave(pv);
	pthread_mutex_unlock(&v->running);
	return NULL;
}

static void machine_close(struct vm *vm)
{
	if (!vm->pv)
		return;
	munmap((void *)(uintptr_t)PV_WINDOW_START, PVR_PV_WINDOW + VM_PAGE - PV_WINDOW_START);
	free(vm->pv->frame);
	free(vm->pv->counted);
	free(vm->pv->stack);
	free(vm->pv);
	vm->pv = NULL;
}

/* Out of the guest's code, or of its sleep. */
static void kick(struct vcpu *v)
{
	if (v->index || !v->started)
		return;
	pthread_kill(v->thread, SIGUSR1);
	vm_vcpu_wake(v);
}

/* Within the monitor it looks by itself, before it goes back. */
static int interrupt(struct vcpu *v)
{
	pv_gate.due = 1;
	if (pv_gate.inside && v->started && !pthread_equal(pthread_self(), v->thread))
		pthread_kill(v->thread, SIGUSR1);
	return 1;
}

static int info_placed(struct vcpu *v, uint64_t gpa)
{
	(void)v;
	(void)gpa;
	return -ENOSYS;
}

static const struct machine machine = {
	.bootable = vm_elf_pv,
	.open = machine_open,
	.load = machine_load,
	.confine = pv_confine,
	.run = machine_run,
	.close = machine_close,
	.kick = kick,
	.interrupt = interrupt,
	.now = pv_now,
	.timer = pv_timer_set,
	.linear = pv_linear,
	.at = pv_at,
	.info_placed = info_placed,
	.call = pv_call,
};

int pvr_pv_run(const struct pvr_machine_config *config, char *why, size_t size)
{
	return vm_run(&machine, config, why, size);
}
