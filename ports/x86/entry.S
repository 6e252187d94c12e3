/* SPDX-License-Identifier: MIT */
/*
 * The two ways into the kernel. By PVH: 32-bit, paging off, EBX names hvm_start_info; so it is booted natively by
 * QEMU, and by the kvm machine. By PV: in its own width with paging on, rsi or esi names start_info. Which one it
 * was is the first argument of kernel_start, the address the second.
 */
#include "asm.h"

#define NOTE_ENTRY          1
#define NOTE_HYPERCALL_PAGE 2
#define NOTE_PHYS32_ENTRY   18

	.macro note type, value
	.long 4, 8, \type
	.asciz "Xen"
	.long \value, 0 /* eight bytes: some loaders read as many whatever the width */
	.endm

	.section .note.Xen, "a", @note
	note NOTE_PHYS32_ENTRY, pvh_entry
	note NOTE_ENTRY, pv_entry
	note NOTE_HYPERCALL_PAGE, hypercall_page

#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

	.text
	.code32
	.globl pvh_entry
pvh_entry:
	cld
#ifdef __x86_64__ /* where there is no way without paging; on i386 boot.c turns it on */
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $boot_root, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP), %eax
	movl %eax, %cr0
#endif
	lgdt gdt_pointer
	ljmp $SELECTOR_CODE, $1f
#ifdef __x86_64__
	.code64
#endif
1:	mov $SELECTOR_DATA, %eax
	mov %eax, %ss
	mov $stack_end, R(sp)
	mov %ebx, %esi
	xor %eax, %eax
	jmp start

	.globl pv_entry
pv_entry: /* only PV */
	mov $stack_end, R(sp)
	mov $1, %eax
	/* both */
start:	mov R(si), ARG2
#ifdef __x86_64__
	mov %eax, %edi
#endif
	call kernel_start

/* void cpu_segments(void): what the GDT says now. fs and gs are nobody's. */
	.globl cpu_segments
cpu_segments:
	mov $SELECTOR_DATA, %ecx
	mov %ecx, %ds
	mov %ecx, %es
	mov %ecx, %ss
	pop R(cx)
	push $SELECTOR_CODE
	push R(cx)
	LRET

	.data
	.balign 16
	.globl gdt, gdt_pointer
gdt:	.quad 0
#ifdef __x86_64__
	.quad 0x00af9b000000ffff
#else
	.quad 0x00cf9b000000ffff
#endif
	.quad 0x00cf93000000ffff
	.quad 0, 0 /* the task's, by cpu_init */
gdt_end:
	.balign 4
	.short 0
gdt_pointer:
	.short gdt_end - gdt - 1
	WORD gdt

/*
 * Tables for before there is an allocator: linear is physical for the first GiB, by pages of 2 MiB, and for
 * the fourth, where the local APIC is. What is between is free.
 */
#define LARGE 0xe3
	.balign 4096
#ifdef __x86_64__
	.globl boot_root
boot_root:
	.long boot_level3 + 0x63, 0
	.fill 511, 8, 0
#define LEVEL3_FLAGS 0x63
#else
	.globl boot_root
	.set boot_root, boot_level3
#define LEVEL3_FLAGS 0x1 /* with PAE the others are reserved there */
#endif
boot_level3:
	.long boot_level2 + LEVEL3_FLAGS, 0
	.long boot_level2 + 0x1000 + LEVEL3_FLAGS, 0
	.long boot_level2 + 0x2000 + LEVEL3_FLAGS, 0
	.long boot_level2 + 0x3000 + LEVEL3_FLAGS, 0
	.fill 508, 8, 0
boot_level2:
	.set at, 0
	.rept 512
	.quad at + LARGE
	.set at, at + 0x200000
	.endr
	.fill 1024, 8, 0
	.set at, 0xc0000000
	.rept 512
	.quad at + LARGE
	.set at, at + 0x200000
	.endr

	.bss
	.balign 4096
	.globl hypercall_page
hypercall_page:
	.skip 4096
	.skip STACK_BYTES
stack_end:
	.section .note.GNU-stack, "", @progbits
