/* SPDX-License-Identifier: MIT */
/* A PVH kernel that does nothing, for as long as it is let. Linked as tiny.S. */
	.section .note.Xen, "a", @note
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start
	.text
	.globl _start
_start:
	hlt
	jmp _start
