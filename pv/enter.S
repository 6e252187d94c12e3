/* SPDX-License-Identifier: MIT */
/*
 * The gate. A hypercall arrives here from the guest's hypercall page, with its number in eax and the return address on
 * the guest's stack, keeps all registers, and goes on on the monitor's stack; rax is the result, rcx and r11 are lost in
 * 64-bit code. Vector registers are as after the call of a function.
 *
 * From pv_gate_leave to pv_gate_left is a window that may be begun again at any instruction: nothing in it changes what
 * it works from. So no event is lost between the look at `due` and the jump: SIGUSR1 that comes within the
 * window puts the instruction pointer back to its beginning (trap.c), and one that comes before leaves `due` or `look` set.
 */
#include "gate.h"

#define GATE(place) pv_gate + place(%rip)
#define GPR(number) pv_gate + PV_GATE_GPR + 8 * number(%rip)
#define USER_FLAGS  0x202 /* no AC, DF, NT or TF of the guest's in our own code */
#define FLAG_TF     0x100
#define FLAG_AC     0x40000

	.text
	.globl pv_gate_begin, pv_gate_call_64, pv_gate_call_32, pv_gate_start
	.globl pv_gate_leave, pv_gate_left, pv_gate_halt, pv_gate_end
	.hidden pv_gate_begin, pv_gate_call_64, pv_gate_call_32, pv_gate_start
	.hidden pv_gate_leave, pv_gate_left, pv_gate_halt, pv_gate_end
	.globl pv_gate_signal
	.hidden pv_gate_signal, pv_signal
	.hidden pv_gate, pv_gate_hypercall, pv_gate_deliver, pv_gate_look, pv_gate_sleep

	/* A selector of the guest's may have taken the base away that C code finds its thread by. */
	.macro fs_restore scratch
	movq GATE(PV_GATE_FS), \scratch
	test \scratch, \scratch
	jz 1f
	wrfsbase \scratch
1:
	.endm

	/* Ends on the monitor's stack, the guest's stack pointer in rax. */
	.macro save_all
	movq %rax, GPR(0)
	movq %rcx, GPR(1)
	movq %rdx, GPR(2)
	movq %rbx, GPR(3)
	movq %rsp, GPR(4)
	movq %rbp, GPR(5)
	movq %rsi, GPR(6)
	movq %rdi, GPR(7)
	movq %r8, GPR(8)
	movq %r9, GPR(9)
	movq %r10, GPR(10)
	movq %r11, GPR(11)
	movq %r12, GPR(12)
	movq %r13, GPR(13)
	movq %r14, GPR(14)
	movq %r15, GPR(15)
	movq %rsp, %rax
	movq GATE(PV_GATE_STACK), %rsp
	pushfq
	popq GATE(PV_GATE_FLAGS)
	pushq $USER_FLAGS
	popfq
	fs_restore %rcx
	.endm

	.macro load_low
	movq GPR(0), %rax
	movq GPR(1), %rcx
	movq GPR(2), %rdx
	movq GPR(3), %rbx
	movq GPR(5), %rbp
	movq GPR(6), %rsi
	movq GPR(7), %rdi
	.endm

pv_gate_begin:
pv_gate_call_64:
	save_all
	movq (%rax), %rcx
	addq $8, %rax
	jmp called

	/* By a far jump from 32-bit code: the upper halves of registers hold anything. */
pv_gate_call_32:
	save_all
	movl %eax, %eax
	movl (%rax), %ecx
	addl $4, %eax
called:
	movq %rcx, GATE(PV_GATE_IP)
	movq %rax, GPR(4)
	movl $0, GATE(PV_GATE_INSIDE)
	call pv_gate_hypercall
	jmp pv_gate_leave

	/* A signal's handler. The thread is the guest's where it came to the guest's code, or to the gate. */
pv_gate_signal:
	movq PV_CONTEXT_IP(%rdx), %rax
	cmpq $PV_TRAMPOLINE + 4096, %rax
	jb 2f
	leaq pv_gate_begin(%rip), %rcx
	subq %rcx, %rax
	cmpq $pv_gate_end - pv_gate_begin, %rax
	jae 3f
2:	fs_restore %rax
3:	pushfq /* the guest's alignment checks are not ours, and Linux leaves the flag as it is */
	andl $~FLAG_AC, (%rsp)
	popfq
	jmp pv_signal

pv_gate_start:
	andq $-16, %rsp
	movq %rsp, GATE(PV_GATE_STACK)
	movl $PV_DS, %eax
	movl %eax, %ds
	movl %eax, %es

pv_gate_leave:
	movq GATE(PV_GATE_STACK), %rsp
	movl $1, %eax
	/* A full barrier: whoever sets `due` and then looks at `inside` sends the signal, or is seen here. */
	xchgl %eax, GATE(PV_GATE_INSIDE)
	cmpl $0, GATE(PV_GATE_LOOK)
	jne look
	cmpl $0, GATE(PV_GATE_DUE)
	je 1f
	movq GATE(PV_GATE_INFO), %rax
	cmpb $0, 1(%rax) /* evtchn_upcall_mask */
	je deliver
1:	movq GATE(PV_GATE_FLAGS), %rax
	andl $~FLAG_TF, %eax
	pushq %rax
	cmpl $64, GATE(PV_GATE_BITS)
	jne 2f
	popfq
	load_low
	movq GPR(8), %r8
	movq GPR(9), %r9
	movq GPR(10), %r10
	movq GPR(11), %r11
	movq GPR(12), %r12
	movq GPR(13), %r13
	movq GPR(14), %r14
	movq GPR(15), %r15
	movq GPR(4), %rsp
	jmp *GATE(PV_GATE_IP)
2:	movl GATE(PV_GATE_IP), %eax
	movl %eax, GATE(PV_GATE_FAR)
	popfq
	load_low
	movl GPR(4), %esp
	ljmpl *GATE(PV_GATE_FAR)
pv_gate_left:

deliver:
	movl $0, GATE(PV_GATE_INSIDE)
	call pv_gate_deliver
	jmp pv_gate_leave
look:
	movl $0, GATE(PV_GATE_INSIDE)
	call pv_gate_look
	jmp pv_gate_leave
pv_gate_halt:
	movq GATE(PV_GATE_STACK), %rsp
	call pv_gate_sleep
	jmp pv_gate_leave
pv_gate_end:

	.section .note.GNU-stack, "", @progbits
