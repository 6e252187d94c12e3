/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what a kernel file goes through before anything is believed of it: the search for a packed kernel, the
 * unpackers, the ELF image, the rewriting of hypercalls. What is accepted must lie within the image, and within the
 * room a guest has.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../kvm/patch.h"

#define ROOM (1u << 20)

static void image(const uint8_t *bytes, size_t size)
{
	struct vm_kernel kernel;

	if (vm_elf_parse(bytes, size, &kernel))
		return;
	assert(kernel.segments > 0 && kernel.segments <= VM_SEGMENTS_MAX);
	assert(vm_elf_pvh(&kernel) ||
		(kernel.entry >= kernel.start && kernel.entry < kernel.end));
	assert(vm_elf_pv(&kernel) ||
		(kernel.page >= kernel.start && kernel.page + VM_PAGE <= kernel.end));
	assert(kernel.end <= VM_KERNEL_END_MAX);
	for (unsigned i = 0; i < kernel.segments; i++) {
		const struct vm_part *s = &kernel.segment[i];

		assert(s->offset <= size && s->filesz <= size - s->offset && s->filesz <= s->memsz);
		assert(s->paddr >= kernel.start && s->paddr + s->memsz <= kernel.end);
	}
	uint8_t *copy = malloc(size);

	memcpy(copy, bytes, size);
	kvm_patch_hypercalls(copy, &kernel, 0xe4);
	free(copy);
}

static void unpack(const uint8_t *packed, size_t size)
{
	uint8_t *out = malloc(ROOM);
	size_t made = ROOM;

	if (!vm_payload_unpack(packed, size, out, &made)) {
		assert(made <= ROOM);
		image(out, made);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const uint8_t *payload;
	size_t packed, unpacked;

	image(bytes, size);
	unpack(bytes, size);
	if (vm_payload_find(bytes, size, &payload, &packed, &unpacked)) {
		assert(payload >= bytes && packed <= size - (size_t)(payload - bytes));
		unpack(payload, packed);
	}
	return 0;
}
