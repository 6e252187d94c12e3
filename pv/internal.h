/* SPDX-License-Identifier: MIT */
/*
 * What the files of the PV machine share. The guest's code, its faults and its hypercalls are the vCPU's thread; nothing
 * here but what says so is another's.
 */
#ifndef PV_INTERNAL_H
#define PV_INTERNAL_H

#include <setjmp.h>
#include <signal.h>
#include <time.h>

#include <pvring/pv.h>

#include "../machine/internal.h"
#include "emulate.h"
#include "gate.h"
#include "mmu.h"

#define PV_WINDOW_START 0x10000u /* below nothing can be mapped in a process */

/* The TSC, as the guest's clock page has it. */
struct pv_clock {
	uint64_t zero;              /* CLOCK_MONOTONIC when the guest's time was 0, ns */
	uint64_t base_tsc, base_ns; /* from where the rate is measured */
	uint64_t tsc, ns;           /* of the page as it stands */
	uint64_t next;              /* TSC at which the page is due to be written anew */
	uint32_t mul;
	int8_t shift;
};

struct pv {
	struct mmu mmu;
	struct mmu_frame *frame, *counted; /* counted: for mmu_check */
	struct emu_cpu cpu;
	struct pv_clock clock;
	uint64_t deadline; /* of the one-shot timer, in the guest's time; 0: none */
	timer_t timer;
	int timer_is;
	uint64_t boot_root;    /* frame of the builder's tables */
	uint64_t reserved_end; /* frames below are the hypervisor's */
	uint8_t *stack;        /* for signals */
	stack_t stack_before;
	sigjmp_buf out; /* of the guest for good */
};

/* The one vCPU, for those who are given nothing: signals and the gate. */
extern struct vcpu *pv_vcpu;

static inline void pv_count(const struct vcpu *v, enum vm_exit kind, uint64_t more)
{
	atomic_fetch_add_explicit(
		&v->vm->stats->vcpu[v->index].count[kind], more, memory_order_relaxed);
}

/* build.c: the kernel, its tables and start_info into guest memory, and its first registers. */
int pv_build(struct vm *vm, const struct vm_files *files, struct why *why);

/* start_info.c: Xen's PV start_info in the guest's word size, into a zeroed page. */
struct pv_start {
	uint64_t nr_pages, shared_info, store_mfn, console_mfn;
	uint32_t store_evtchn, console_evtchn;
	uint64_t pt_base, nr_pt_frames, mfn_list, mod_start, mod_len;
	const char *cmdline; /* shorter than MAX_GUEST_CMDLINE */
};
void pv_start_info(uint8_t *page, unsigned word, const struct pv_start *start);

/* mapping.c */
int pv_window_reserve(void);
int pv_trampoline_map(void);
void pv_mapping_changed(void *vm, uint64_t va, uint64_t frame, uint64_t pages, uint64_t flags);
uint8_t *pv_linear(struct vcpu *v, uint64_t va, int write);
uint8_t *pv_at(struct vm *vm, uint64_t gpa);

/* trap.c */
int pv_signals_take(struct pv *pv);
/* In the vCPU's thread; a sanitizer has given it a stack for signals already, and wants that back. */
void pv_stack_use(struct pv *pv);
void pv_stack_leave(struct pv *pv);
/* The guest is over, by its own fault; `what` and where go to stderr. */
void pv_broken(const struct emu_regs *regs, const char *what, uint64_t detail)
	__attribute__((noreturn));
/* Sleep as SCHEDOP_block does, with interrupts on. */
void pv_block(struct vcpu *v);

/* port.c */
void pv_port_out(struct vm *vm, uint16_t port, uint64_t value);
uint64_t pv_port_in(uint16_t port, unsigned size);

/* call.c */
long pv_call(struct vcpu *v, const struct hypercall *call, int *done);

/* clock.c */
void pv_clock_start(struct pv_clock *clock);
uint64_t pv_now(struct vm *vm);
/* Write the clock page when it is due. */
void pv_clock_update(struct vcpu *v);

/* timer.c */
void pv_timer_open(struct pv *pv); /* in the vCPU's thread */
int pv_timer_set(struct vcpu *v, uint64_t deadline);
/* Block, until the timer's time at the latest. In the vCPU's thread. */
void pv_timer_sleep(struct vcpu *v);
/* Raise the timer's event when its time has come. In the vCPU's thread, not under the lock. */
void pv_timer_look(struct vcpu *v);

/* confine.c */
int pv_confine(struct vm *vm);

#endif
