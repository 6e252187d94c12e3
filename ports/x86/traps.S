/* SPDX-License-Identifier: MIT */
/* A stub for each vector, which saves the registers and calls trap(); and the switch between two tasks. */
#include "asm.h"

/* Vectors with which the CPU pushes an error code. */
#define HAS_ERROR 0x60227d00

	.text
	.balign STUB_BYTES
	.globl trap_stubs
trap_stubs:
	.set vector, 0
	.rept VECTORS
	.balign STUB_BYTES
	.if vector >= 32 || !((HAS_ERROR >> vector) & 1)
	push $0
	.endif
	push $vector
	jmp trap_save
	.set vector, vector + 1
	.endr

/* The order is struct trap_frame's. */
trap_save:
	push R(ax)
	push R(cx)
	push R(dx)
	push R(bx)
	push R(bp)
	push R(si)
	push R(di)
#ifdef __x86_64__
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
#endif
	cld
	mov R(sp), ARG1
	mov R(sp), R(bx)
	and $-16, R(sp)
	call trap
	mov R(bx), R(sp)
#ifdef __x86_64__
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
#endif
	pop R(di)
	pop R(si)
	pop R(bp)
	pop R(bx)
	pop R(dx)
	pop R(cx)
	pop R(ax)
	lea 2 * WORD_BYTES(R(sp)), R(sp) /* vector and error code */
	IRET

/* void task_switch(unsigned long *save, unsigned long stack): what a C function may not lose, and the stack. */
	.globl task_switch
task_switch:
	CALLEE_PUSH
	mov R(sp), (ARG1)
	mov ARG2, R(sp)
	CALLEE_POP
	ret
	.section .note.GNU-stack, "", @progbits
