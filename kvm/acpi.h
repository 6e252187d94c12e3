/* SPDX-License-Identifier: MIT */
/*
 * The few ACPI tables without which a PVH kernel finds no CPUs and cannot switch off: RSDP, XSDT, a
 * hardware-reduced FADT, a DSDT with the sleep state S5, a MADT with the local APICs. Pure.
 * Source: ACPI specification 6.4, chapters 5 and 4.8.3.
 */
#ifndef KVM_ACPI_H
#define KVM_ACPI_H

#include <stddef.h>
#include <stdint.h>

/* Ports that the FADT names. */
#define KVM_ACPI_SLEEP_CONTROL 0x600
#define KVM_ACPI_SLEEP_STATUS  0x601
#define KVM_ACPI_RESET         0x602

#define KVM_ACPI_SLEEP_ENABLE 0x20 /* SLP_EN of the control register */
#define KVM_ACPI_RESET_VALUE  0x01

#define KVM_ACPI_SIZE_MAX 2048u

/*
 * Write the tables for `vcpus` CPUs, whose APIC ids are 0, 1, ..., into out[KVM_ACPI_SIZE_MAX], as they are to
 * stand at guest address `base`, which is a multiple of 16. The RSDP stands first. The bytes used.
 */
size_t kvm_acpi_build(uint8_t *out, uint64_t base, unsigned vcpus);

#endif
