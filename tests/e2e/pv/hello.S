/* SPDX-License-Identifier: MIT */
/* A PV kernel that says hello by its hypercall page and powers off, for both word sizes. */
#include "pv.h"

	.globl _start
_start:
	mov $stack, %esp
	hypercall CONSOLE_IO, $0, $text_size, $text
	hypercall SCHED_OP, $2, $poweroff
	ud2

	.data
text:	.ascii "hello by the hypercall page\n"
	.set text_size, . - text
poweroff: .long 0
	.bss
	.align 4096
	.skip 4096
stack:
