/* SPDX-License-Identifier: MIT */
/* From the bytes of a kernel file to what is put into guest memory. Pure, but for the reading of files. */
#ifndef KVM_LOAD_H
#define KVM_LOAD_H

#include <stddef.h>
#include <stdint.h>

#define KVM_SEGMENTS_MAX   16u
#define KVM_KERNEL_END_MAX (3ull << 30)
#define KVM_IMAGE_MAX      (1ull << 30) /* bytes of a kernel, packed or not */

struct kvm_part {
	uint64_t offset, filesz; /* in the image */
	uint64_t paddr, memsz;   /* in the guest */
	int executable;
};

struct kvm_kernel {
	int bits; /* 32 or 64, the image's word size */
	int has_entry;
	uint32_t entry;      /* PVH: 32-bit, paging off */
	uint64_t start, end; /* of what is loaded */
	unsigned segments;
	struct kvm_part segment[KVM_SEGMENTS_MAX];
};

/* elf.c: NULL and *kernel; or what is wrong with it, as "it ...". Every segment lies within the image. */
const char *kvm_elf_parse(const uint8_t *image, size_t size, struct kvm_kernel *kernel);

/*
 * payload.c: the packed kernel within a bzImage. 1 with *payload within the file; 0: this is no bzImage.
 * *unpacked becomes its size once unpacked, as the file says.
 */
int kvm_payload_find(const uint8_t *file, size_t size, const uint8_t **payload,
	size_t *payload_size, size_t *unpacked);

/* Unpack into out[*out_size]; NULL and how much it was, or what is wrong. By magic: gzip, xz, lz4, zstd. */
const char *kvm_payload_unpack(const uint8_t *payload, size_t size, uint8_t *out, size_t *out_size);

/*
 * patch.c: rewrite the instruction vmcall or vmmcall to `out %eax, $port` in the executable segments of an
 * image, wherever a return follows. How many there were.
 */
unsigned kvm_patch_hypercalls(uint8_t *image, const struct kvm_kernel *kernel, uint8_t port);

#endif
