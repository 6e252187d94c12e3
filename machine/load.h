/* SPDX-License-Identifier: MIT */
/* From the bytes of a kernel file to what is put into guest memory. Pure, but for the reading of files. */
#ifndef MACHINE_LOAD_H
#define MACHINE_LOAD_H

#include <stddef.h>
#include <stdint.h>

#define VM_PAGE           4096u
#define VM_SEGMENTS_MAX   16u
#define VM_KERNEL_END_MAX (3ull << 30)
#define VM_IMAGE_MAX      (1ull << 30) /* bytes of a kernel, packed or not */

struct vm_part {
	uint64_t offset, filesz; /* in the image */
	uint64_t paddr, memsz;   /* in the guest */
	int executable;
};

struct vm_kernel {
	int bits; /* 32 or 64, the image's word size */
	int has_entry, has_pv_entry, has_page;
	uint32_t entry;      /* PVH: 32-bit, paging off */
	uint64_t pv_entry;   /* PV: of the image's own word size, paging on */
	uint64_t page;       /* PV: where the hypercalls' code is to be */
	uint64_t start, end; /* of what is loaded */
	unsigned segments;
	struct vm_part segment[VM_SEGMENTS_MAX];
};

/* elf.c: NULL and *kernel; or what is wrong with it, as "it ...". Every segment lies within the image. */
const char *vm_elf_parse(const uint8_t *image, size_t size, struct vm_kernel *kernel);
/* NULL: it can be booted in this way; or what it lacks. */
const char *vm_elf_pvh(const struct vm_kernel *kernel);
const char *vm_elf_pv(const struct vm_kernel *kernel);

/*
 * payload.c: the packed kernel within a bzImage. 1 with *payload within the file; 0: this is no bzImage.
 * *unpacked becomes its size once unpacked, as the file says.
 */
int vm_payload_find(const uint8_t *file, size_t size, const uint8_t **payload, size_t *payload_size,
	size_t *unpacked);

/* Unpack into out[*out_size]; NULL and how much it was, or what is wrong. By magic: gzip, xz, lz4, zstd. */
const char *vm_payload_unpack(const uint8_t *payload, size_t size, uint8_t *out, size_t *out_size);

#endif
