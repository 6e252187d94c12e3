/* SPDX-License-Identifier: MIT */
/* Between the guest's linear addresses and our memory, a page at a time: what follows may be anywhere. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int copy(struct vcpu *v, uint64_t address, uint8_t *data, size_t size, int write)
{
	const struct machine *machine = v->vm->machine;

	while (size) {
		uint8_t *at = machine->linear(v, address, write);
		size_t part = VM_PAGE - address % VM_PAGE;

		if (!at)
			return -EFAULT;
		if (part > size)
			part = size;
		memcpy(write ? at : data, write ? data : at, part);
		if (machine->linear_done)
			machine->linear_done(v);
		address += part;
		data += part;
		size -= part;
	}
	return 0;
}

int vm_guest_read(struct vcpu *v, uint64_t address, void *to, size_t size)
{
	return copy(v, address, to, size, 0);
}

int vm_guest_write(struct vcpu *v, uint64_t address, const void *from, size_t size)
{
	return copy(v, address, (uint8_t *)(uintptr_t)from, size, 1);
}
