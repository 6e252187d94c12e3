/* SPDX-License-Identifier: MIT */
/*
 * The two-level event channel ABI as the hypervisor writes it, for guests of either word size. Bit n of a
 * little-endian bitmap is bit n % 8 of byte n / 8 whatever the width of its words, so bytes are what is
 * touched. Source: Xen's xen.h, event_channel.h.
 */
#ifndef MACHINE_TWOLEVEL_H
#define MACHINE_TWOLEVEL_H

#include <stdint.h>

/* Mark `port` pending; word_size is 4 or 8. Nonzero: vcpu_info now wants an upcall that it did not before. */
int vm_2l_raise(uint8_t *shared_info, uint8_t *vcpu_info, unsigned word_size, uint32_t port);

/* Take the mask away. Nonzero: the port is pending. */
int vm_2l_unmask(uint8_t *shared_info, unsigned word_size, uint32_t port);

/* The vCPU's part of a pending port that is not masked. Nonzero as vm_2l_raise. */
int vm_2l_mark(uint8_t *vcpu_info, unsigned word_size, uint32_t port);

int vm_2l_pending(const uint8_t *shared_info, uint32_t port);
void vm_2l_clear(uint8_t *shared_info, uint32_t port);

/* A vcpu_info that has moved: every selector and the upcall are set, as nobody knows what was missed. */
void vm_2l_all(uint8_t *vcpu_info, unsigned word_size);

int vm_2l_upcall_pending(const uint8_t *vcpu_info);

/* Bytes from shared_info to the wall clock. */
unsigned vm_2l_wall_clock(unsigned word_size);

#endif
