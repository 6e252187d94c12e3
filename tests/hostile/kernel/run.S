/* SPDX-License-Identifier: MIT */
/* Hypercalls by any number, and code that is not trusted to come back. */
#include "ports/x86/asm.h"

	.text
/* long hypercall(unsigned number, const unsigned long args[5]): behind the number of the first entry of the page. */
	.globl hypercall
hypercall:
	push R(bp)
	push R(bx)
	push R(si)
	push R(di)
#ifdef __x86_64__
	mov %edi, %eax
	mov %rsi, %rbp
	mov (%rbp), %rdi
	mov 8(%rbp), %rsi
	mov 16(%rbp), %rdx
	mov 24(%rbp), %r10
	mov 32(%rbp), %r8
#else
	mov %edx, %ebp
	mov (%ebp), %ebx
	mov 4(%ebp), %ecx
	mov 8(%ebp), %edx
	mov 12(%ebp), %esi
	mov 16(%ebp), %edi
#endif
	call hypercall_page + 5
	pop R(di)
	pop R(si)
	pop R(bx)
	pop R(bp)
	ret

/* void run_start(const struct run_regs *regs, const void *code): a trap, or run_leave, goes to run_back. */
	.globl run_start
run_start:
	CALLEE_PUSH
	mov R(sp), run_stack
	mov ARG2, run_to
	mov ARG1, R(bp)
	mov $run_back, R(ax)
	mov R(ax), trap_resume
	cmpl $0, run_interrupts
	je 1f
	sti
1:
	mov (R(bp)), R(ax)
	mov WORD_BYTES(R(bp)), R(cx)
	mov 2 * WORD_BYTES(R(bp)), R(dx)
	mov 3 * WORD_BYTES(R(bp)), R(bx)
	mov 6 * WORD_BYTES(R(bp)), R(si)
	mov 7 * WORD_BYTES(R(bp)), R(di)
#ifdef __x86_64__
	mov 64(%rbp), %r8
	mov 72(%rbp), %r9
	mov 80(%rbp), %r10
	mov 88(%rbp), %r11
	mov 96(%rbp), %r12
	mov 104(%rbp), %r13
	mov 112(%rbp), %r14
	mov 120(%rbp), %r15
#endif
	mov 5 * WORD_BYTES(R(bp)), R(bp)
	jmp *run_to

/* void run_leave(void) */
	.globl run_back, run_leave
run_leave:
run_back:
	cli
	mov run_stack, R(sp)
	push $2
#ifdef __x86_64__
	popfq
#else
	popfl
#endif
	mov $SELECTOR_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	CALLEE_POP
	ret

	.bss
	.balign 8
run_stack:
	.skip 8
run_to:	.skip 8
	.globl run_interrupts
run_interrupts:
	.skip 4
	.section .note.GNU-stack, "", @progbits
