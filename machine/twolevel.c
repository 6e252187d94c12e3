/* SPDX-License-Identifier: MIT */
/* See twolevel.h. */
#include "twolevel.h"

#include <stdatomic.h>
#include <string.h>

#include <pvring/xen/xen.h>

#define PENDING (XEN_LEGACY_MAX_VCPUS * sizeof(struct vcpu_info))
_Static_assert(sizeof(struct vcpu_info) == 64, "in either word size");

/* The number of ports / 8: bits of a word squared. */
static unsigned bitmap_bytes(unsigned word_size)
{
	return word_size * 8 * word_size;
}

static int test_and_set(uint8_t *bytes, uint32_t bit)
{
	uint8_t mask = (uint8_t)(1u << bit % 8);

	return atomic_fetch_or((_Atomic uint8_t *)&bytes[bit / 8], mask) & mask;
}

static int test(const uint8_t *bytes, uint32_t bit)
{
	return atomic_load((const _Atomic uint8_t *)&bytes[bit / 8]) >> bit % 8 & 1;
}

static void clear(uint8_t *bytes, uint32_t bit)
{
	atomic_fetch_and((_Atomic uint8_t *)&bytes[bit / 8], (uint8_t) ~(1u << bit % 8));
}

/* evtchn_pending_sel is the first guest word behind two bytes. */
int vm_2l_mark(uint8_t *vcpu_info, unsigned word_size, uint32_t port)
{
	if (test_and_set(vcpu_info + word_size, port / (8 * word_size)))
		return 0;
	return !atomic_exchange((_Atomic uint8_t *)vcpu_info, 1);
}

int vm_2l_raise(uint8_t *shared_info, uint8_t *vcpu_info, unsigned word_size, uint32_t port)
{
	uint8_t *pending = shared_info + PENDING;

	if (test_and_set(pending, port))
		return 0;
	if (test(pending + bitmap_bytes(word_size), port))
		return 0;
	return vm_2l_mark(vcpu_info, word_size, port);
}

int vm_2l_unmask(uint8_t *shared_info, unsigned word_size, uint32_t port)
{
	uint8_t *pending = shared_info + PENDING;

	clear(pending + bitmap_bytes(word_size), port);
	return test(pending, port);
}

int vm_2l_pending(const uint8_t *shared_info, uint32_t port)
{
	return test(shared_info + PENDING, port);
}

void vm_2l_clear(uint8_t *shared_info, uint32_t port)
{
	clear(shared_info + PENDING, port);
}

void vm_2l_all(uint8_t *vcpu_info, unsigned word_size)
{
	for (unsigned i = 0; i < word_size; i++)
		atomic_store((_Atomic uint8_t *)&vcpu_info[word_size + i], 0xff);
	atomic_store((_Atomic uint8_t *)vcpu_info, 1);
}

int vm_2l_upcall_pending(const uint8_t *vcpu_info)
{
	return atomic_load((const _Atomic uint8_t *)vcpu_info);
}

unsigned vm_2l_wall_clock(unsigned word_size)
{
	return (unsigned)PENDING + 2 * bitmap_bytes(word_size);
}
