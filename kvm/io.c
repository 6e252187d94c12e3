/* SPDX-License-Identifier: MIT */
/*
 * The few ports that answer. A kernel looks at old devices before it knows that there are none; what it reads
 * decides how long it looks.
 */
#include <string.h>

#include <pvring/xen/sched.h>

#include "acpi.h"
#include "internal.h"

#define PORT_CMOS_DATA 0x71 /* 0: no update is going on; all ones would say that it never ends */
#define PORT_PIT_2     0x42 /* does not count */
#define PORT_SYSTEM_B  0x61
#define SYSTEM_B_PIT_2 0x20 /* its output is high: the counter has run down */
#define PORT_KEYBOARD  0x64
#define KEYBOARD_RESET 0xfe
#define PORT_TEXT      0xe9 /* where Xen's HVM guests print */

static void out(struct vcpu *v, uint16_t port, uint8_t value)
{
	const char letter = (char)value;

	switch (port) {
	case PORT_TEXT:
		vm_console_text(v->vm, &letter, 1);
		break;
	case KVM_ACPI_SLEEP_CONTROL:
		if (value & KVM_ACPI_SLEEP_ENABLE)
			vm_stop(v->vm, SHUTDOWN_poweroff);
		break;
	case KVM_ACPI_RESET:
		vm_stop(v->vm, SHUTDOWN_reboot);
		break;
	case PORT_KEYBOARD:
		if (value == KEYBOARD_RESET)
			vm_stop(v->vm, SHUTDOWN_reboot);
		break;
	}
}

static uint8_t in(uint16_t port)
{
	switch (port) {
	case PORT_CMOS_DATA:
	case PORT_PIT_2:
	case KVM_ACPI_SLEEP_STATUS:
	case KVM_ACPI_SLEEP_CONTROL:
		return 0;
	case PORT_SYSTEM_B:
		return SYSTEM_B_PIT_2;
	case PORT_TEXT:
		return PORT_TEXT;
	default:
		return 0xff;
	}
}

void kvm_io(struct vcpu *v, int is_out, uint16_t port, uint8_t *data, unsigned size)
{
	if (is_out)
		out(v, port, data[0]);
	else
		memset(data, in(port), size);
}
