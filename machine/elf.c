/* SPDX-License-Identifier: MIT */
/*
 * A kernel as an ELF image: what goes where in the guest's memory, and where it begins. Pure: the bytes come
 * from a file that may be anything, so each number in them is checked before it is used.
 */
#include <elf.h>
#include <string.h>

#include <pvring/xen/elfnote.h>

#include "load.h"

#define PHDRS_MAX 64u

/* A program header, free of the image's word size. */
struct part {
	uint32_t type, flags;
	uint64_t offset, paddr, filesz, memsz;
};

static const char *part_read(
	const uint8_t *image, size_t size, int bits, uint64_t at, struct part *p)
{
	if (bits == 64) {
		Elf64_Phdr h;

		if (at > size || size - at < sizeof(h))
			return "its program headers are cut off";
		memcpy(&h, image + at, sizeof(h));
		*p = (struct part){
			h.p_type, h.p_flags, h.p_offset, h.p_paddr, h.p_filesz, h.p_memsz};
	} else {
		Elf32_Phdr h;

		if (at > size || size - at < sizeof(h))
			return "its program headers are cut off";
		memcpy(&h, image + at, sizeof(h));
		*p = (struct part){
			h.p_type, h.p_flags, h.p_offset, h.p_paddr, h.p_filesz, h.p_memsz};
	}
	if ((p->type == PT_LOAD || p->type == PT_NOTE) &&
		(p->offset > size || p->filesz > size - p->offset))
		return "a segment lies beyond the end of the file";
	return NULL;
}

static const char *segment_add(const struct part *p, struct vm_kernel *kernel)
{
	if (!p->memsz)
		return NULL;
	if (p->filesz > p->memsz)
		return "a segment has more bytes than room";
	if (kernel->segments == VM_SEGMENTS_MAX)
		return "it has too many segments";
	if (p->paddr > VM_KERNEL_END_MAX || p->memsz > VM_KERNEL_END_MAX - p->paddr)
		return "a segment lies above 3 GiB";
	kernel->segment[kernel->segments++] =
		(struct vm_part){p->offset, p->filesz, p->paddr, p->memsz, !!(p->flags & PF_X)};
	if (p->paddr < kernel->start)
		kernel->start = p->paddr;
	if (p->paddr + p->memsz > kernel->end)
		kernel->end = p->paddr + p->memsz;
	return NULL;
}

/* A note of Xen's with a number in it, of the image's word size or narrower. */
static void note_take(uint32_t type, const uint8_t *desc, size_t size, struct vm_kernel *kernel)
{
	uint64_t value = 0;

	if (size < 4)
		return;
	memcpy(&value, desc, size < 8 ? 4 : 8);
	if (type == XEN_ELFNOTE_PHYS32_ENTRY) {
		kernel->entry = (uint32_t)value;
		kernel->has_entry = 1;
	} else if (type == XEN_ELFNOTE_ENTRY) {
		kernel->pv_entry = value;
		kernel->has_pv_entry = 1;
	} else if (type == XEN_ELFNOTE_HYPERCALL_PAGE) {
		kernel->page = value;
		kernel->has_page = 1;
	}
}

static void notes_read(const uint8_t *notes, uint64_t size, struct vm_kernel *kernel)
{
	while (size >= sizeof(Elf32_Nhdr)) {
		Elf32_Nhdr head; /* the same for both word sizes */

		memcpy(&head, notes, sizeof(head));
		uint64_t name = ((uint64_t)head.n_namesz + 3) & ~3ull;
		uint64_t desc = ((uint64_t)head.n_descsz + 3) & ~3ull;

		if (name > size - sizeof(head) || desc > size - sizeof(head) - name)
			return;
		if (head.n_namesz == 4 && !memcmp(notes + sizeof(head), "Xen", 4))
			note_take(head.n_type, notes + sizeof(head) + name, head.n_descsz, kernel);
		notes += sizeof(head) + name + desc;
		size -= sizeof(head) + name + desc;
	}
}

/* The word size and where the program headers are. */
static const char *head_read(const uint8_t *image, size_t size, struct vm_kernel *kernel,
	uint64_t *at, unsigned *count, unsigned *step)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;

	if (size < sizeof(h64) || memcmp(image, ELFMAG, SELFMAG))
		return "it is no ELF image";
	if (image[EI_DATA] != ELFDATA2LSB)
		return "it is not for x86";
	memcpy(&h64, image, sizeof(h64));
	memcpy(&h32, image, sizeof(h32));
	kernel->bits = image[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	if (kernel->bits == 64) {
		*at = h64.e_phoff;
		*count = h64.e_phnum;
		*step = h64.e_phentsize;
	} else {
		*at = h32.e_phoff;
		*count = h32.e_phnum;
		*step = h32.e_phentsize;
	}
	if (h32.e_machine != (kernel->bits == 64 ? EM_X86_64 : EM_386))
		return "it is not for x86";
	return *count > PHDRS_MAX ? "it has too many program headers" : NULL;
}

const char *vm_elf_parse(const uint8_t *image, size_t size, struct vm_kernel *kernel)
{
	unsigned count, step;
	uint64_t at;

	*kernel = (struct vm_kernel){.start = UINT64_MAX};
	const char *why = head_read(image, size, kernel, &at, &count, &step);

	for (unsigned i = 0; i < count && !why; i++) {
		struct part p = {0};

		if (at > size)
			return "its program headers are cut off";
		why = part_read(image, size, kernel->bits, at + (uint64_t)i * step, &p);
		if (!why && p.type == PT_LOAD)
			why = segment_add(&p, kernel);
		if (!why && p.type == PT_NOTE)
			notes_read(image + p.offset, p.filesz, kernel);
	}
	if (why)
		return why;
	if (!kernel->segments)
		return "it has nothing to load";
	return NULL;
}

static int within(const struct vm_kernel *kernel, uint64_t at)
{
	return at >= kernel->start && at < kernel->end;
}

const char *vm_elf_pvh(const struct vm_kernel *kernel)
{
	if (!kernel->has_entry)
		return "it has no PVH entry (Xen's ELF note 18); a Linux kernel needs CONFIG_PVH";
	return within(kernel, kernel->entry) ? NULL : "its PVH entry lies outside of it";
}

const char *vm_elf_pv(const struct vm_kernel *kernel)
{
	if (!kernel->has_pv_entry || !kernel->has_page)
		return "it has no PV entry (Xen's ELF notes 1 and 2); one with a PVH entry runs "
		       "with "
		       "--machine kvm";
	if (!within(kernel, kernel->pv_entry))
		return "its PV entry lies outside of it";
	if (kernel->page % VM_PAGE || kernel->end < VM_PAGE || kernel->page < kernel->start ||
		kernel->page > kernel->end - VM_PAGE)
		return "its hypercall page is not a page of it";
	return NULL;
}
