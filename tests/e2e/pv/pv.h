/* SPDX-License-Identifier: MIT */
/*
 * What the small PV kernels of t_pv.sh begin with: both notes of Xen's, a hypercall page, a macro to call it.
 *
 * gcc -m64|-m32 -nostdlib -static -Wl,-n,-Ttext=0x200000,--section-start=.note.Xen=0x220000,--build-id=none FILE.S
 */
#define MMU_UPDATE        1
#define UPDATE_VA_MAPPING 14
#define XEN_VERSION       17
#define CONSOLE_IO        18
#define VCPU_OP           24
#define SCHED_OP          29
#define EVENT_CHANNEL     32
#define HVM_OP            34

#ifdef __x86_64__
	.macro hypercall number, first, second=$0, third=$0, fourth=$0
	mov \first, %edi
	mov \second, %esi
	mov \third, %edx
	mov \fourth, %r10d
	call page + 32 * \number
	.endm
#define WORD  .quad
#define WBYTES 8
#else
	.macro hypercall number, first, second=$0, third=$0, fourth=$0
	mov \first, %ebx
	mov \second, %ecx
	mov \third, %edx
	mov \fourth, %esi
	call page + 32 * \number
	.endm
#define WORD  .long
#define WBYTES 4
#endif

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
