/* SPDX-License-Identifier: MIT */
/*
 * A PVH kernel of a page: prints by Xen's text port and by console_io through the hypercall page, sleeps in
 * SCHEDOP_poll until its timer's event, and powers off. It runs also where a KVM is too slow for Linux.
 *
 * gcc -m32 -nostdlib -static -Wl,-n,-Ttext=0x100000,--section-start=.note.Xen=0x105000,--build-id=none tiny.S
 */
	.section .note.Xen, "a", @note
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

#define MEMORY_OP     12
#define XEN_VERSION   17
#define CONSOLE_IO    18
#define VCPU_OP       24
#define SCHED_OP      29
#define EVENT_CHANNEL 32

	.macro hypercall number, first, second=$0, third=$0
	movl \first, %ebx
	movl \second, %ecx
	movl \third, %edx
	movl $page + 32 * \number, %eax
	call *%eax
	.endm

	/* Anything but 0: say which step, and crash. */
	.macro must number
	movb $'0' + \number, step
	test %eax, %eax
	jnz failed
	.endm

	.text
	.globl _start
_start:
	movl $stack, %esp
	movl $hello, %esi
1:	lodsb
	test %al, %al
	jz 2f
	outb %al, $0xe9
	jmp 1b
2:	movl $0x40000000, %eax
	cpuid
	xorl $0x566e6558, %ebx /* "XenV" */
	movl %ebx, %eax
	must 1
	movl $0x40000002, %eax
	cpuid
	movl %ebx, %ecx
	movl $page, %eax
	xorl %edx, %edx
	wrmsr

	hypercall XEN_VERSION, $0
	subl $(4 << 16 | 17), %eax
	must 2
	hypercall CONSOLE_IO, $0, $text_size, $text
	must 3
	hypercall EVENT_CHANNEL, $1, $bind_virq /* VIRQ_TIMER of vCPU 0 */
	must 4
	movl bind_virq + 8, %eax
	movl %eax, port
	hypercall VCPU_OP, $8, $0, $singleshot
	must 5
	hypercall SCHED_OP, $3, $poll
	must 6
	hypercall CONSOLE_IO, $0, $woken_size, $woken
	hypercall SCHED_OP, $2, $poweroff
failed:
	movb step, %al
	outb %al, $0xe9
	hypercall SCHED_OP, $2, $crash
	hlt

	.data
hello:	.asciz "tiny: by the text port\n"
text:	.ascii "tiny: by the hypercall page\n"
	.set text_size, . - text
woken:	.ascii "tiny: woken by its timer\n"
	.set woken_size, . - woken
	.align 8
bind_virq:  .long 0, 0, 0    /* virq, vcpu, port */
singleshot: .long 1, 0, 0    /* 1 ns after boot: it has passed */
poll:       .long port, 1, 0, 0
port:       .long 0
poweroff:   .long 0
crash:      .long 3
step:       .byte 0
	.bss
	.align 4096
page:	.skip 4096
	.skip 4096
stack:
