/* SPDX-License-Identifier: MIT */
/*
 * The gate between the guest's code and the monitor's, as C and enter.S see it. One vCPU: there is one of everything.
 *
 * The guest comes in by calling an entry of its hypercall page, or by a fault, which is a signal; it is left into
 * through pv_gate_leave, or by the return of a signal's handler. pv_gate_halt is where a handler sends a guest that sleeps.
 */
#ifndef PV_GATE_H
#define PV_GATE_H

/* Code segments of Linux for ring 3; the data segment is flat. Source: Linux's arch/x86/include/asm/segment.h. */
#define PV_CS_64 0x33
#define PV_CS_32 0x23
#define PV_DS    0x2b

/* 32-bit code cannot reach the monitor but through this page, right behind the guest's window. */
#define PV_TRAMPOLINE 0x70000000

/* Of struct pv_gate. */
#define PV_GATE_GPR    0
#define PV_GATE_IP     128
#define PV_GATE_FLAGS  136
#define PV_GATE_STACK  144
#define PV_GATE_FAR    152
#define PV_GATE_INFO   160
#define PV_GATE_BITS   168
#define PV_GATE_INSIDE 172
#define PV_GATE_DUE    176
#define PV_GATE_LOOK   180
#define PV_GATE_FS     184

/* The instruction pointer in a ucontext. */
#define PV_CONTEXT_IP 168

#ifndef __ASSEMBLER__
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "emulate.h"

struct pv_gate {
	struct emu_regs regs; /* the guest's, while the monitor works on a hypercall */
	uint64_t stack;       /* the monitor's */
	struct {
		uint32_t ip;
		uint16_t cs;
	} __attribute__((packed)) far; /* where a 32-bit guest goes on */
	uint8_t *info;                 /* its vcpu_info */
	uint32_t bits;                 /* of the guest */
	_Atomic uint32_t inside; /* the guest's code runs: who wants something sends SIGUSR1 */
	_Atomic uint32_t due;    /* an upcall, as soon as the guest takes interrupts */
	_Atomic uint32_t
		look; /* before the guest goes on: its time has come, or its life is over */
	uint64_t fs;  /* base of FS that C code stands on; 0: it cannot be set here */
};

_Static_assert(offsetof(struct pv_gate, regs.gpr) == PV_GATE_GPR, "enter.S");
_Static_assert(offsetof(struct pv_gate, regs.ip) == PV_GATE_IP, "enter.S");
_Static_assert(offsetof(struct pv_gate, regs.flags) == PV_GATE_FLAGS, "enter.S");
_Static_assert(offsetof(struct pv_gate, stack) == PV_GATE_STACK, "enter.S");
_Static_assert(offsetof(struct pv_gate, far) == PV_GATE_FAR, "enter.S");
_Static_assert(offsetof(struct pv_gate, info) == PV_GATE_INFO, "enter.S");
_Static_assert(offsetof(struct pv_gate, bits) == PV_GATE_BITS, "enter.S");
_Static_assert(offsetof(struct pv_gate, inside) == PV_GATE_INSIDE, "enter.S");
_Static_assert(offsetof(struct pv_gate, due) == PV_GATE_DUE, "enter.S");
_Static_assert(offsetof(struct pv_gate, look) == PV_GATE_LOOK, "enter.S");
_Static_assert(offsetof(struct pv_gate, fs) == PV_GATE_FS, "enter.S");
_Static_assert(offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]) == PV_CONTEXT_IP, "enter.S");

extern struct pv_gate pv_gate;

/* enter.S. All of it lies between _begin and _end; what restarts at pv_gate_leave, up to _left. */
extern const char pv_gate_begin[], pv_gate_call_64[], pv_gate_call_32[], pv_gate_left[],
	pv_gate_end[];
extern const char pv_gate_leave[], pv_gate_halt[];
/* Begin with pv_gate.regs. What leaves the guest for good jumps (trap.c). */
void pv_gate_start(void) __attribute__((noreturn));

/* The handler of signals; and what enter.S calls. */
void pv_gate_signal(int number, siginfo_t *info, void *context);
void pv_signal(int number, siginfo_t *info, void *context);
void pv_gate_hypercall(void);
void pv_gate_deliver(void);
void pv_gate_look(void);
void pv_gate_sleep(void);
#endif

#endif
