/* SPDX-License-Identifier: MIT */
/* See acpi.h. */
#include "acpi.h"

#include <string.h>

#define PACKED __attribute__((packed))

struct PACKED rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
};

struct PACKED header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
};

struct PACKED address { /* generic address structure */
	uint8_t space, width, offset, access;
	uint64_t address;
};

#define SPACE_IO 1

/* The fields that hardware-reduced ACPI leaves are named; offsets as in table 5.9. */
struct PACKED fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t unused1[61]; /* 44 to 104 */
	uint32_t unused2;    /* 105 to 108: century, then boot flags from 109 */
	uint16_t boot_flags;
	uint8_t unused3;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	uint8_t unused4[96]; /* the extended blocks */
	struct address sleep_control, sleep_status;
	char hypervisor[8];
};

#define BOOT_NO_VGA     (1u << 2)
#define BOOT_NO_CMOS    (1u << 5)
#define FLAG_RESET      (1u << 10)
#define FLAG_HW_REDUCED (1u << 20)

struct PACKED local_apic {
	uint8_t type, length, acpi_id, apic_id;
	uint32_t flags;
};

struct PACKED madt {
	struct header header;
	uint32_t apic_address, flags;
};

#define APIC_BASE    0xfee00000u
#define APIC_ENABLED 1u

_Static_assert(sizeof(struct header) == 36 && sizeof(struct rsdp) == 36, "as the specification");
_Static_assert(
	offsetof(struct fadt, boot_flags) == 109 && offsetof(struct fadt, flags) == 112, "FADT");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140 && sizeof(struct fadt) == 276, "FADT");

/* \_S5 is a package of sleep types: 5 for both registers. AML as in chapter 20. */
static const uint8_t s5[] = {
	0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00};

struct builder {
	uint8_t *out;
	uint64_t base;
	size_t used;
};

static uint8_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	unsigned sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return (uint8_t)(0x100 - (sum & 0xff));
}

static void *part_new(struct builder *b, size_t size, uint64_t *where)
{
	uint8_t *at = b->out + b->used;

	*where = b->base + b->used;
	b->used += (size + 15) & ~(size_t)15;
	memset(at, 0, b->used - (size_t)(at - b->out));
	return at;
}

static void table_seal(struct header *header, const char *signature, size_t size, uint8_t revision)
{
	memcpy(header->signature, signature, 4);
	memcpy(header->oem, "PVRING", 6);
	memcpy(header->oem_table, "PVRINGHV", 8);
	memcpy(header->creator, "PVRG", 4);
	header->length = (uint32_t)size;
	header->revision = revision;
	header->oem_revision = header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, size);
}

static uint64_t dsdt_build(struct builder *b)
{
	uint64_t where;
	size_t size = sizeof(struct header) + sizeof(s5);
	uint8_t *table = part_new(b, size, &where);

	memcpy(table + sizeof(struct header), s5, sizeof(s5));
	table_seal((struct header *)table, "DSDT", size, 2);
	return where;
}

static struct address port(uint16_t number)
{
	return (struct address){.space = SPACE_IO, .width = 8, .access = 1, .address = number};
}

static uint64_t fadt_build(struct builder *b, uint64_t dsdt)
{
	uint64_t where;
	struct fadt *f = part_new(b, sizeof(*f), &where);

	f->boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS;
	f->flags = FLAG_HW_REDUCED | FLAG_RESET;
	f->reset = port(KVM_ACPI_RESET);
	f->reset_value = KVM_ACPI_RESET_VALUE;
	f->minor = 4;
	f->dsdt = (uint32_t)dsdt;
	f->x_dsdt = dsdt;
	f->sleep_control = port(KVM_ACPI_SLEEP_CONTROL);
	f->sleep_status = port(KVM_ACPI_SLEEP_STATUS);
	memcpy(f->hypervisor, "PVRING\0", 8);
	table_seal(&f->header, "FACP", sizeof(*f), 6);
	return where;
}

static uint64_t madt_build(struct builder *b, unsigned vcpus)
{
	uint64_t where;
	size_t size = sizeof(struct madt) + vcpus * sizeof(struct local_apic);
	struct madt *m = part_new(b, size, &where);
	struct local_apic *apic = (struct local_apic *)(m + 1);

	m->apic_address = APIC_BASE;
	for (unsigned i = 0; i < vcpus; i++)
		apic[i] =
			(struct local_apic){0, sizeof(*apic), (uint8_t)i, (uint8_t)i, APIC_ENABLED};
	table_seal(&m->header, "APIC", size, 4);
	return where;
}

static uint64_t xsdt_build(struct builder *b, uint64_t fadt, uint64_t madt)
{
	uint64_t where, entries[] = {fadt, madt};
	size_t size = sizeof(struct header) + sizeof(entries);
	uint8_t *table = part_new(b, size, &where);

	memcpy(table + sizeof(struct header), entries, sizeof(entries));
	table_seal((struct header *)table, "XSDT", size, 1);
	return where;
}

size_t kvm_acpi_build(uint8_t *out, uint64_t base, unsigned vcpus)
{
	struct builder b = {out, base, 0};
	uint64_t where;
	struct rsdp *rsdp = part_new(&b, sizeof(*rsdp), &where);
	uint64_t fadt = fadt_build(&b, dsdt_build(&b));

	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem, "PVRING", 6);
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = xsdt_build(&b, fadt, madt_build(&b, vcpus));
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
	return b.used;
}
