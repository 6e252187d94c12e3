/* SPDX-License-Identifier: MIT */
/* The pure parts of the kvm machine: kernel images, memory slots, tables, two-level events. */
#include <elf.h>
#include <errno.h>
#include <lz4.h>
#include <string.h>

#include <pvring/xen/elfnote.h>
#include <pvring/xen/xen.h>

#include "../../kvm/acpi.h"
#include "../../machine/load.h"
#include "../../kvm/patch.h"
#include "../../kvm/slots.h"
#include "../../kvm/start_info.h"
#include "../../machine/twolevel.h"
#include "suite.h"

/* ---- kernel images ---- */

struct image {
	Elf64_Ehdr head;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint32_t entry, pad;
	} pvh;
	uint8_t text[64];
};

static struct image good_image(void)
{
	struct image i = {0};

	memcpy(i.head.e_ident, ELFMAG, SELFMAG);
	i.head.e_ident[EI_CLASS] = ELFCLASS64;
	i.head.e_ident[EI_DATA] = ELFDATA2LSB;
	i.head.e_machine = EM_X86_64;
	i.head.e_phoff = offsetof(struct image, load);
	i.head.e_phentsize = sizeof(Elf64_Phdr);
	i.head.e_phnum = 2;
	i.load = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_X | PF_R,
		.p_offset = offsetof(struct image, text),
		.p_paddr = 0x100000,
		.p_filesz = sizeof(i.text),
		.p_memsz = 0x2000};
	i.note = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct image, pvh), .p_filesz = 20};
	i.pvh.head = (Elf64_Nhdr){4, 4, XEN_ELFNOTE_PHYS32_ENTRY};
	memcpy(i.pvh.name, "Xen", 4);
	i.pvh.entry = 0x100010;
	return i;
}

static const char *parse(const struct image *i, struct vm_kernel *k)
{
	const char *bad = vm_elf_parse((const uint8_t *)i, sizeof(*i), k);

	return bad ? bad : vm_elf_pvh(k);
}

static void image_good(void)
{
	struct image i = good_image();
	struct vm_kernel k;

	CU_ASSERT_PTR_NULL(parse(&i, &k));
	CU_ASSERT_EQUAL(k.bits, 64);
	CU_ASSERT_EQUAL(k.entry, 0x100010);
	CU_ASSERT_EQUAL(k.start, 0x100000);
	CU_ASSERT_EQUAL(k.end, 0x102000);
	CU_ASSERT_EQUAL(k.segments, 1);
}

static void image_wrong(void)
{
	const struct image good = good_image();
	struct image i = good;
	struct vm_kernel k;

	i.head.e_ident[0] = 0;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.head.e_machine = EM_AARCH64;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.head.e_phoff = UINT64_MAX - 8;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.load.p_offset = sizeof(i);
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.load.p_filesz = UINT64_MAX;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.load.p_memsz = 1;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.load.p_memsz = UINT64_MAX;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.pvh.head.n_type = XEN_ELFNOTE_ENTRY;
	CU_ASSERT_PTR_NOT_NULL_FATAL(parse(&i, &k));
	CU_ASSERT_PTR_NOT_NULL(strstr(parse(&i, &k), "no PVH entry"));
	i = good;
	i.pvh.entry = 0x200000;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	i = good;
	i.pvh.head.n_descsz = UINT32_MAX;
	CU_ASSERT_PTR_NOT_NULL(parse(&i, &k));
	for (size_t size = 0; size < sizeof(i); size++)
		CU_ASSERT_PTR_NOT_NULL(vm_elf_parse((const uint8_t *)&good, size, &k));
}

static void hypercalls_patched(void)
{
	static const uint8_t text[] = {0x0f, 0x01, 0xd9, 0xc3, /* vmmcall; ret */
		0x0f, 0x01, 0xc1, 0xcc,                        /* vmcall; int3 */
		0x0f, 0x01, 0xc1, 0xe9,                        /* vmcall; jmp */
		0x0f, 0x01, 0xc1, 0x48,                        /* vmcall; something else */
		0x0f, 0x01, 0xd9};                             /* at the very end */
	struct image i = good_image();
	struct vm_kernel k;

	memcpy(i.text, text, sizeof(text));
	i.load.p_filesz = sizeof(text);
	CU_ASSERT_PTR_NULL_FATAL(parse(&i, &k));
	CU_ASSERT_EQUAL(kvm_patch_hypercalls((uint8_t *)&i, &k, 0xe4), 3);
	for (int n = 0; n < 3; n++)
		CU_ASSERT(!memcmp(i.text + 4 * n, (uint8_t[]){0xe7, 0xe4, 0x90}, 3));
	CU_ASSERT(!memcmp(i.text + 12, text + 12, 7));
	i = good_image();
	i.load.p_flags = PF_R;
	memcpy(i.text, text, sizeof(text));
	CU_ASSERT_PTR_NULL_FATAL(parse(&i, &k));
	CU_ASSERT_EQUAL(kvm_patch_hypercalls((uint8_t *)&i, &k, 0xe4), 0);
}

static void payload_unpacked(void)
{
	uint8_t plain[8192], file[16384] = {0}, out[sizeof(plain)];
	const uint8_t *payload;
	size_t packed, unpacked;

	memset(plain, 'x', sizeof(plain));
	memcpy(file + 0x202, "HdrS", 4);
	file[0x206] = 0x0f;
	file[0x207] = 0x02;
	file[0x1f1] = 1; /* the payload begins behind two sectors */
	uint8_t *at = file + 1024;
	const uint32_t magic = 0x184c2102, full = sizeof(plain);
	uint32_t block = (uint32_t)LZ4_compress_default(
		(const char *)plain, (char *)at + 8, (int)sizeof(plain), (int)sizeof(file) - 2048);
	uint32_t length = block + 12;

	memcpy(at, &magic, 4);
	memcpy(at + 4, &block, 4);
	memcpy(at + 8 + block, &full, 4);
	memcpy(file + 0x24c, &length, 4);
	CU_ASSERT_EQUAL_FATAL(
		vm_payload_find(file, sizeof(file), &payload, &packed, &unpacked), 1);
	CU_ASSERT_EQUAL(unpacked, sizeof(plain));
	size_t size = sizeof(out);
	CU_ASSERT_PTR_NULL(vm_payload_unpack(payload, packed, out, &size));
	CU_ASSERT_EQUAL(size, sizeof(plain));
	CU_ASSERT(!memcmp(out, plain, sizeof(plain)));
	/* No room for what comes out, a block that is cut off, a packer nobody knows, a length beyond the file. */
	size = 100;
	CU_ASSERT_PTR_NOT_NULL(vm_payload_unpack(payload, packed, out, &size));
	size = sizeof(out);
	CU_ASSERT_PTR_NOT_NULL(vm_payload_unpack(payload, packed - 8, out, &size));
	at[0] = 0;
	CU_ASSERT_PTR_NOT_NULL(vm_payload_unpack(payload, packed, out, &size));
	length = UINT32_MAX;
	memcpy(file + 0x24c, &length, 4);
	CU_ASSERT_EQUAL(vm_payload_find(file, sizeof(file), &payload, &packed, &unpacked), 0);
	CU_ASSERT_EQUAL(vm_payload_find(plain, sizeof(plain), &payload, &packed, &unpacked), 0);
}

/* ---- memory ---- */

#define MIB 0x100000ull

static void slots_follow_the_guest(void)
{
	struct kvm_slots s = {.memory_bytes = 64 * MIB};
	struct kvm_slot plan[KVM_SLOTS_MAX];
	uint64_t file;

	CU_ASSERT_EQUAL(kvm_slots_plan(&s, plan), 2);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0x44000, 0x1000), 0);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0x107fff000, 0x4000), 0);
	CU_ASSERT_EQUAL_FATAL(kvm_slots_plan(&s, plan), 5);
	CU_ASSERT_EQUAL(plan[0].size, 0x44000);
	CU_ASSERT_EQUAL(plan[1].file, 0x1000);
	CU_ASSERT_EQUAL(plan[2].gpa, 0x45000);
	CU_ASSERT_EQUAL(plan[2].size, MIB - 0x45000);
	CU_ASSERT_EQUAL(plan[4].gpa, 0x107fff000);
	CU_ASSERT_EQUAL(kvm_slots_find(&s, 0x44020, &file), 0);
	CU_ASSERT_EQUAL(file, 0x1020);
	CU_ASSERT_EQUAL(kvm_slots_find(&s, 0x45020, &file), 0);
	CU_ASSERT_EQUAL(file, 0x45020);
	CU_ASSERT_EQUAL(kvm_slots_find(&s, 64 * MIB, &file), -EFAULT);
	/* Moved: the RAM below is back. */
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0, 0x1000), 0);
	CU_ASSERT_EQUAL(s.aliases, 2);
	CU_ASSERT_EQUAL(kvm_slots_plan(&s, plan), 4);
	CU_ASSERT_EQUAL(kvm_slots_remove(&s, 0), 0);
	CU_ASSERT_EQUAL(kvm_slots_remove(&s, 0), -ENOENT);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0x44001, 0x1000), -EINVAL);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 1ull << 46, 0x1000), -EINVAL);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0xfee00000, 0x1000), -EINVAL);
}

static void slots_are_bounded(void)
{
	struct kvm_slots s = {.memory_bytes = 8ull << 30};
	struct kvm_slot plan[KVM_SLOTS_MAX];
	uint64_t end = 0;

	for (uint64_t i = 0; i < KVM_ALIASES_MAX; i++)
		CU_ASSERT_EQUAL(kvm_slots_place(&s, MIB + 2 * i * 4096, i * 4096), 0);
	CU_ASSERT_EQUAL(kvm_slots_place(&s, 0, 4096 * 4096), -ENOSPC);
	unsigned count = kvm_slots_plan(&s, plan);

	CU_ASSERT_FATAL(count <= KVM_SLOTS_MAX);
	for (unsigned i = 0; i < count; i++) {
		CU_ASSERT(plan[i].gpa >= end && plan[i].size > 0);
		end = plan[i].gpa + plan[i].size;
	}
	CU_ASSERT_EQUAL(end, 8ull << 30);
}

static void memory_map(void)
{
	struct kvm_layout l = {
		.memory_bytes = 5ull << 30, .hv_end = 0x44000, .kernel_end = 0x2000000};
	struct hvm_memmap_table_entry map[KVM_MEMMAP_MAX];
	uint64_t needed;

	CU_ASSERT_EQUAL_FATAL(kvm_layout_memmap(&l, map), 5);
	CU_ASSERT_EQUAL(map[3].addr + map[3].size, 3ull << 30);
	CU_ASSERT_EQUAL(map[4].addr, 4ull << 30);
	CU_ASSERT_EQUAL(map[4].size, 1ull << 30);
	l.initrd_size = 5000;
	CU_ASSERT_EQUAL(kvm_layout_initrd(&l, &needed), 0);
	CU_ASSERT_EQUAL(l.initrd, (3ull << 30) - 8192);
	l.memory_bytes = 0x2001000;
	CU_ASSERT_EQUAL(kvm_layout_initrd(&l, &needed), -ENOMEM);
	CU_ASSERT_EQUAL(needed, 0x2002000);
	l.memory_bytes = 0x1000000;
	CU_ASSERT_EQUAL(kvm_layout_initrd(&l, &needed), -ENOMEM);
}

static unsigned sum(const uint8_t *bytes, size_t size)
{
	unsigned s = 0;

	while (size--)
		s += *bytes++;
	return s & 0xff;
}

/* Every table the boot area leads to has its signature, its length and a sum of 0. */
static void start_info_and_tables(void)
{
	struct kvm_layout l = {.memory_bytes = 64 * MIB, .hv_end = 0x44000};
	static uint8_t area[KVM_BOOT_SIZE];
	char long_line[KVM_CMDLINE_MAX + 1];
	struct hvm_start_info info;
	uint64_t xsdt, tables[2];
	uint32_t length;

	CU_ASSERT_EQUAL(kvm_start_info_build(area, &l, "console=hvc0", 3), 0);
	memcpy(&info, area, sizeof(info));
	CU_ASSERT_EQUAL(info.magic, XEN_HVM_START_MAGIC_VALUE);
	CU_ASSERT_EQUAL(info.nr_modules, 0);
	CU_ASSERT_STRING_EQUAL(area + (info.cmdline_paddr - KVM_BOOT_AREA), "console=hvc0");
	const uint8_t *rsdp = area + (info.rsdp_paddr - KVM_BOOT_AREA);

	CU_ASSERT(!memcmp(rsdp, "RSD PTR ", 8) && sum(rsdp, 20) == 0 && sum(rsdp, 36) == 0);
	memcpy(&xsdt, rsdp + 24, 8);
	memcpy(tables, area + (xsdt - KVM_BOOT_AREA) + 36, sizeof(tables));
	for (int i = 0; i < 2; i++) {
		const uint8_t *t = area + (tables[i] - KVM_BOOT_AREA);

		memcpy(&length, t + 4, 4);
		CU_ASSERT_EQUAL(sum(t, length), 0);
		CU_ASSERT(!memcmp(t, i ? "APIC" : "FACP", 4));
	}
	CU_ASSERT_EQUAL(length, 44 + 3 * 8);
	memset(long_line, 'a', sizeof(long_line));
	long_line[KVM_CMDLINE_MAX] = 0;
	CU_ASSERT_EQUAL(kvm_start_info_build(area, &l, long_line, 1), -E2BIG);
	for (unsigned vcpus = 1; vcpus <= 32; vcpus++)
		CU_ASSERT(kvm_acpi_build(area, KVM_BOOT_AREA, vcpus) <= KVM_ACPI_SIZE_MAX);
}

/* ---- events ---- */

static void two_levels(unsigned word)
{
	static _Alignas(64) uint8_t page[4096];
	uint8_t *info = page + 64;
	const uint32_t ports = word * 8 * word * 8;
	const unsigned pending = 2048, mask = pending + ports / 8;

	memset(page, 0, sizeof(page));
	CU_ASSERT_EQUAL(vm_2l_raise(page, info, word, 37), 1);
	CU_ASSERT(info[0] == 1 && vm_2l_pending(page, 37));
	CU_ASSERT_EQUAL(info[word + 37 / (8 * word) / 8], 1u << 37 / (8 * word) % 8);
	CU_ASSERT_EQUAL(vm_2l_raise(page, info, word, 37), 0); /* it is already */
	CU_ASSERT_EQUAL(vm_2l_raise(page, info, word, 38), 0); /* the upcall is due already */
	info[0] = 0;
	memset(info + word, 0, word);
	page[mask + (ports - 1) / 8] = 0x80;
	CU_ASSERT_EQUAL(vm_2l_raise(page, info, word, ports - 1), 0);
	CU_ASSERT(vm_2l_pending(page, ports - 1) && info[0] == 0);
	CU_ASSERT_EQUAL(vm_2l_unmask(page, word, ports - 1), 1);
	CU_ASSERT_EQUAL(vm_2l_mark(info, word, ports - 1), 1);
	CU_ASSERT_EQUAL(page[mask + (ports - 1) / 8], 0);
	CU_ASSERT_EQUAL(info[2 * word - 1], 0x80);
	vm_2l_clear(page, ports - 1);
	CU_ASSERT_EQUAL(vm_2l_unmask(page, word, ports - 1), 0);
	vm_2l_all(info, word);
	CU_ASSERT(vm_2l_upcall_pending(info) && info[word] == 0xff && info[2 * word - 1] == 0xff);
	CU_ASSERT_EQUAL(info[2 * word], 0);
	CU_ASSERT_EQUAL(vm_2l_wall_clock(word), mask + ports / 8);
}

static void events_of_64_bits(void)
{
	CU_ASSERT_EQUAL(vm_2l_wall_clock(8), offsetof(struct shared_info, wc_version));
	two_levels(8);
}

static void events_of_32_bits(void)
{
	two_levels(4);
}

PVR_SUITE(kvm, CASE(image_good), CASE(image_wrong), CASE(hypercalls_patched),
	CASE(payload_unpacked), CASE(slots_follow_the_guest), CASE(slots_are_bounded),
	CASE(memory_map), CASE(start_info_and_tables), CASE(events_of_64_bits),
	CASE(events_of_32_bits))
