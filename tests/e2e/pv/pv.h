/* SPDX-License-Identifier: MIT */
/*
 * What the small PV kernels of t_pv.sh have in common: one source for both word sizes, both notes of Xen's, a
 * hypercall page and macros.
 *
 * gcc -m64|-m32 -nostdlib -static -Wl,-n,-Ttext=0x200000,--section-start=.note.Xen=0x220000,--build-id=none FILE.S
 */
#define MMU_UPDATE        1
#define MULTICALL         13
#define UPDATE_VA_MAPPING 14
#define CONSOLE_IO        18
#define VCPU_OP           24
#define MMUEXT_OP         26
#define SCHED_OP          29
#define EVENT_CHANNEL     32
#define HVM_OP            34

#define EPERM  -1
#define EFAULT -14
#define ENOSYS -38

/* Numbers and addresses here are below 2 GiB, so the 32-bit registers hold them for either size. */
#ifdef __x86_64__
#define WORD  .quad
#define WBYTES 8
#define AX    %rax
#define BX    %rbx
#define SP    %rsp
#define IRET  iretq
#define GATE  16
#define INFO_PT_BASE  88
#define INFO_CMD_LINE 128
	.macro hypercall number, first, second=$0, third=$0, fourth=$0
	mov \first, %edi
	mov \second, %esi
	mov \third, %edx
	mov \fourth, %r10d
	call page + 32 * \number
	.endm
	.macro set_va va, entry
	hypercall UPDATE_VA_MAPPING, \va, \entry, $2
	.endm
#else
#define WORD  .long
#define WBYTES 4
#define AX    %eax
#define BX    %ebx
#define SP    %esp
#define IRET  iretl
#define GATE  8
#define INFO_PT_BASE  60
#define INFO_CMD_LINE 80
	.macro hypercall number, first, second=$0, third=$0, fourth=$0
	mov \first, %ebx
	mov \second, %ecx
	mov \third, %edx
	mov \fourth, %esi
	call page + 32 * \number
	.endm
	.macro set_va va, entry
	hypercall UPDATE_VA_MAPPING, \va, \entry, $0, $2
	.endm
#endif

	/* Interrupt gate `vector` of the table idt, through code segment 8. */
	.macro gate vector, handler
	mov $\handler, %eax
	mov %ax, idt + \vector * GATE
	movw $8, idt + \vector * GATE + 2
	movw $0x8e00, idt + \vector * GATE + 4
	shr $16, %eax
	mov %ax, idt + \vector * GATE + 6
	.endm

	.section .note.Xen, "a", @note
	.long 4, WBYTES, 1 /* XEN_ELFNOTE_ENTRY */
	.asciz "Xen"
	WORD _start
	.long 4, WBYTES, 2 /* XEN_ELFNOTE_HYPERCALL_PAGE */
	.asciz "Xen"
	WORD page

	.bss
	.align 4096
page:	.skip 4096
	.text
