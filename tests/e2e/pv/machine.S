/* SPDX-License-Identifier: MIT */
/*
 * What the machine does for a PV kernel, step by step; one that goes wrong prints its letter and crashes. The first letter
 * of the command line chooses another end: see `ends`.
 */
#include "pv.h"

	/* The result of the last call, or what eax holds, must be `value`; 0 if it is not given. */
	.macro must letter, value=0
	movb $\letter, step
	cmp $\value, AX
	jne failed
	.endm
	.macro must_be letter, what, value
	mov \what, AX
	must \letter, \value
	.endm

	.globl _start
_start:
	mov $stack, %esp
	mov INFO_PT_BASE(%esi), %eax
	mov %eax, tables
	mov 32(%esi), %eax /* nr_pages */
	shl $12, %eax
	add $4096, %eax
	mov %eax, shared
	mov INFO_CMD_LINE(%esi), %al
	mov %al, end

	/* Ports, and the hypercall page. */
	mov $text, %esi
1:	lodsb
	test %al, %al
	jz 2f
	outb %al, $0xe9
	jmp 1b
2:	hypercall CONSOLE_IO, $0, $said_size, $said
	must 'a'
	hypercall CONSOLE_IO, $0, $4, $0x60000000
	must 'b', EFAULT
	hypercall CONSOLE_IO, $0, $4, $0x78000000 /* beyond the window */
	must 'c', EFAULT
	hypercall 11, $0
	must 'd', ENOSYS
	cmpb $'f', end /* before there is a table of interrupts */
	je fault_early
	cmpb $'j', end
	je jump_out
	cmpb $'e', end
	je enter

	/* Descriptor tables, selectors, control registers. */
	lgdt gdt_pointer
#ifdef __x86_64__
	push $8
	push $3f
	lretq
#else
	ljmp $8, $3f
#endif
3:	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %cs, %eax /* what a processor says is not virtual: its own selector */
	mov $0x2b, %eax /* Linux's own: the base that the monitor's C code stands on is gone */
	mov %eax, %fs
	hypercall CONSOLE_IO, $0, $4, $0x60000000
	must 'Q', EFAULT
	mov $0x2b, %eax
	mov %eax, %fs /* and again for the faults */
	gate 6, undefined
	gate 13, protection
	gate 14, page_fault
	gate 0x40, upcall
	gate 0x80, call
	lidt idt_pointer
	mov %cr0, AX
	and $1, %eax
	must 'e', 1
	mov $0x12345000, %eax
	mov AX, %dr1
	xor %eax, %eax
	mov %dr1, AX
	must 'f', 0x12345000
	ud2
	must_be 'g', undefineds, 1
	mov $0xdeadbee, %ecx /* no such register: #GP */
	rdmsr
	must_be 'h', protections, 1
	cmpb $'s', end
	je system_calls

	/* A page goes, is touched, comes back by its fault's handler; then one without the right to write. */
	movl $7, victim
	set_va $victim, $0
	must 'i'
	mov $victim + 3, %eax
	mov %eax, fix
	mov victim, %eax
	must 'j', 7
	must_be 'k', fault_error, 0
	must_be 'l', fault_address, victim
	set_va $victim, $victim+1
	must 'm'
	movl $8, victim + 8
	must_be 'n', fault_error, 3
	must_be 'o', fault_address, victim+8
	must_be 'p', victim+8, 8
	set_va $victim, $other+3 /* the same page twice */
	must 'q'
	movl $9, victim
	must_be 'r', other, 9

	/* A page table is nobody's to write; a frame of the hypervisor's is no table. */
	mov tables, %ebp
	lea 3(%ebp), %ebp
	set_va tables, %ebp
	cmp $0, %eax
	movb $'s', step
	jge failed
	mov tables, %ebp
	mov $tables_skip, %eax
	mov %eax, skip
	movl $0, (%ebp) /* the handler goes on behind it */
tables_skip:
	must_be 't', fault_error, 3
	mov $beyond_skip, %eax
	mov %eax, skip
	movl $0, 0x70000000 /* the monitor's, which is there and may not be written */
beyond_skip:
	must_be 'O', fault_address, 0x70000000
	must_be 'P', fault_error, 2
	hypercall MMUEXT_OP, $pin_shared, $1, $0, $0x7ff0
	cmp $0, %eax
	movb $'u', step
	jge failed
	hypercall MMU_UPDATE, $update, $1, $done, $1 /* another domain's */
	cmp $0, %eax
	movb $'v', step
	jge failed

	/* Two calls in one. */
	hypercall MULTICALL, $batch, $2
	must 'w'
	must_be 'x', batch+WBYTES, 0x40011
	must_be 'y', batch+9*WBYTES, ENOSYS

	/* An event waits while interrupts are off, and comes with sti; then block, then hlt. */
	hypercall EVENT_CHANNEL, $1, $bind_virq
	must 'A'
	mov bind_virq + 8, %eax
	mov %eax, port
	hypercall HVM_OP, $23, $vector
	must 'B'
	hypercall VCPU_OP, $8, $0, $once
	must 'C'
	hypercall SCHED_OP, $3, $poll
	must 'D'
	must_be 'E', upcalls, 0
	sti
	must_be 'F', upcalls, 1
	cli
	hypercall VCPU_OP, $8, $0, $once
	must 'G'
	must_be 'H', upcalls, 1
	hypercall SCHED_OP, $1
	must 'I'
	must_be 'J', upcalls, 2
	cli
	hypercall VCPU_OP, $8, $0, $once
	must 'K'
	sti
	cmpl $3, upcalls
	je 4f
	hlt
4:	must_be 'L', upcalls, 3

	hypercall CONSOLE_IO, $0, $well_size, $well
	cmpb $'w', end
	je wait
	cmpb $'h', end
	je halted
	cmpb $'g', end
	je gate_broken
	cmpb $'d', end
	je fault_double
	hypercall SCHED_OP, $2, $poweroff
failed:	mov step, %al
	outb %al, $0xe9
	hypercall SCHED_OP, $2, $crash
	hlt

/* ---- other ends ---- */

wait:	hypercall SCHED_OP, $1 /* for ever */
	jmp wait
halted:	cli
	hlt
gate_broken:
	mov $0x60000000, %esp /* nothing is there to return by */
	jmp page + 32 * CONSOLE_IO
fault_double:
	lidt no_idt_pointer
jump_out: /* where nothing of its own can be, in either size */
	mov $-0x2894e8ed, AX
	jmp *AX
enter:	sysenter
fault_early:
	movl $0, 0x60000000
	jmp failed

	/* Linux's own ways in: none of them is there. */
system_calls:
	mov $1, %eax /* exit */
	int $0x80
	must_be 'M', calls, 1
#ifdef __x86_64__
	mov $60, %eax
	mov $1f, %ecx
	mov %ecx, skip
	syscall
1:	must_be 'N', undefineds, 2
#endif
	hypercall CONSOLE_IO, $0, $well_size, $well
	hypercall SCHED_OP, $2, $poweroff

/* ---- handlers ---- */

undefined:
	incl undefineds
	addl $2, (SP) /* ud2, syscall */
	IRET

protection:
	incl protections
	add $WBYTES, SP
	addl $2, (SP) /* rdmsr */
	IRET

call:	incl calls
	IRET

page_fault:
	push AX
	mov WBYTES(SP), %eax
	mov %eax, fault_error
	mov %cr2, AX
	mov %eax, fault_address
	mov skip, %eax
	test %eax, %eax
	jz 1f
	mov %eax, 2 * WBYTES(SP)
	movl $0, skip
	jmp 2f
1:	set_va fault_page, fix
2:	pop AX
	add $WBYTES, SP
	IRET

upcall:	push AX
	push BX
	mov shared, %ebx
	movb $0, (%ebx)
	mov $0, %eax
	mov AX, WBYTES(%ebx)
	mov AX, 2048(%ebx)
	incl upcalls
	pop BX
	pop AX
	IRET

	.data
text:	.asciz "machine: by the text port\n"
said:	.ascii "machine: by the hypercall page\n"
	.set said_size, . - said
well:	.ascii "machine: all is well\n"
	.set well_size, . - well
	.align 8
gdt:	.quad 0
#ifdef __x86_64__
	.quad 0x00af9b000000ffff
#else
	.quad 0x00cf9b000000ffff
#endif
	.quad 0x00cf93000000ffff
gdt_pointer:
	.word 23
	WORD gdt
idt_pointer:
	.word 256 * GATE - 1
	WORD idt
no_idt_pointer:
	.word 0
	WORD 0
	.align 8
bind_virq: .long 0, 0, 0 /* VIRQ_TIMER, vcpu, port */
once:	.long 1, 0, 0, 0 /* 1 ns after boot: it has passed */
vector:	.long 0, 0x40
	.align 8
poll:	WORD port
	.long 1
	.align WBYTES
	.long 0, 0
port:	.long 0
poweroff: .long 0
crash:	.long 3
	.align 8
pin_shared:
#ifdef __x86_64__
	.quad 0, 1, 0
#else
	.long 0, 1, 0
#endif
update:	.quad 0, 0
batch:	WORD 17, 0, 0, 0, 0, 0, 0, 0 /* xen_version(XENVER_version) */
	WORD 13, 0, 0, 0, 0, 0, 0, 0
undefineds:  .quad 0
protections: .quad 0
calls:       .quad 0
upcalls:     .quad 0
fault_error: .quad 0
fault_address: .quad 0
fault_page:  .long victim
tables: .long 0
shared: .long 0
fix:	.long 0
skip:	.long 0
done:	.long 0
step:	.byte 0
end:	.byte 0

	.bss
	.align 4096
victim:	.skip 4096
other:	.skip 4096
idt:	.skip 4096
	.skip 4096
stack:
