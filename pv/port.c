/* SPDX-License-Identifier: MIT */
/* The ports of a PV guest's: two to print by, as a kernel does before it has found anything better. */
#include "internal.h"

#define PORT_TEXT     0xe9 /* where Xen's HVM guests print */
#define PORT_SERIAL   0x3f8
#define PORT_LINE     0x3fd
#define LINE_MAY_SEND 0x60

void pv_port_out(struct vm *vm, uint16_t port, uint64_t value)
{
	const char letter = (char)value;

	if (port == PORT_TEXT || port == PORT_SERIAL)
		vm_console_text(vm, &letter, 1);
}

uint64_t pv_port_in(uint16_t port, unsigned size)
{
	if (port == PORT_TEXT)
		return PORT_TEXT;
	if (port == PORT_LINE)
		return LINE_MAY_SEND;
	return size < 8 ? (1ull << size * 8) - 1 : UINT64_MAX; /* a bus without an answer */
}
