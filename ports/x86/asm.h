/* SPDX-License-Identifier: MIT */
/* What assembly must know of the width, so that there is one text for both. C includes it for the numbers. */
#ifndef X86_ASM_H
#define X86_ASM_H

#ifdef __x86_64__
#define R(name) %r##name
#define WORD    .quad
#define WORD_BYTES 8
#define SWITCH_WORDS 8 /* that task_switch leaves on a stack */
#define ARG1    %rdi
#define ARG2    %rsi
#define LRET    lretq
#define IRET    iretq
#else
#define R(name) %e##name
#define WORD    .long
#define WORD_BYTES 4
#define SWITCH_WORDS 4
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
