/* SPDX-License-Identifier: MIT */
/* What assembly must know of the width, so that there is one text for both. C includes it for the numbers. */
#ifndef X86_ASM_H
#define X86_ASM_H

#ifdef __x86_64__
#define R(name) %r##name
#define WORD    .quad
#define WORD_BYTES 8
/* What a C function may not lose; task_switch leaves it on a stack. */
#define CALLEE_PUSH push %rbp; push %rbx; push %rsi; push %rdi; push %r12; push %r13; push %r14; push %r15
#define CALLEE_POP  pop %r15; pop %r14; pop %r13; pop %r12; pop %rdi; pop %rsi; pop %rbx; pop %rbp
#define CALLEE_WORDS 8
#define ARG1    %rdi
#define ARG2    %rsi
#define LRET    lretq
#define IRET    iretq
#else
#define R(name) %e##name
#define WORD    .long
#define WORD_BYTES 4
#define CALLEE_PUSH push %ebp; push %ebx; push %esi; push %edi
#define CALLEE_POP  pop %edi; pop %esi; pop %ebx; pop %ebp
#define CALLEE_WORDS 4
#define ARG1    %eax /* -mregparm=3 */
#define ARG2    %edx
#define LRET    lretl
#define IRET    iretl
#endif

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TASK 0x18 /* two slots in 64-bit mode */

#define VECTORS         64
#define VECTOR_TIMER    0x30
#define VECTOR_UPCALL   0x31
#define VECTOR_SPURIOUS 0x3f /* the local APIC wants its four low bits set */

#define STACK_BYTES 16384
#define STUB_BYTES  16

#define CR0_PE 0x1
#define CR0_TS 0x8
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20

#endif
