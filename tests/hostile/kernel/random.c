/* SPDX-License-Identifier: MIT */
/* Random numbers, and those among them that look as if they meant something. */
#include <string.h>

#include "hostile.h"
#include "ports/x86/x86.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed;
}

/* splitmix64, Steele, Lea and Flood 2014. */
uint64_t random_bits(void)
{
	uint64_t x = state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

unsigned random_below(unsigned below)
{
	return (uint32_t)random_bits() % below;
}

int random_once(unsigned times)
{
	return !random_below(times);
}

unsigned long random_frame(void)
{
	switch (random_below(8)) {
	case 0:
		return random_below(80); /* the hypervisor's */
	case 1:
		return machine.memory_end / PVR_PAGE_SIZE + random_below(80);
	case 2:
		return (unsigned long)random_bits() | 1ul << 30;
	default:
		return victims / PVR_PAGE_SIZE + random_below(VICTIM_PAGES + ARENA_PAGES);
	}
}

unsigned long random_place(void)
{
	static const unsigned ends[] = {1, 2, 4, 7, 8, 12, 16, 24, 63};
	const unsigned long page = arena + random_below(ARENA_PAGES) * PVR_PAGE_SIZE;

	if (random_once(8))
		return page + PVR_PAGE_SIZE - ends[random_below(sizeof(ends) / sizeof(ends[0]))];
	return page + random_below(256) * 8 + (random_once(16) ? random_below(8) : 0);
}

unsigned long random_pointer(void)
{
	static const uint64_t nowhere[] = {0, 1, 8, 0xfff, 0x10000, 0x5ffffff8, 0x6fffffff,
		0x70000000, 0xfee00000, 0xfffffff8, 0xffffffff, 0x100000000, 0x7ffffffffff8,
		0x8000000000000000, 0xffff800000000000, 0xfffffffffffffff8, UINT64_MAX};

	switch (random_below(12)) {
	case 0:
		return (unsigned long)nowhere[random_below(sizeof(nowhere) / sizeof(nowhere[0]))];
	case 1:
		return (unsigned long)hypervisor_page(1 + random_below(12)) +
		       random_below(PVR_PAGE_SIZE);
	case 2:
		return machine.memory_end - random_below(64);
	default:
		return random_place();
	}
}

static uint16_t random_half(void)
{
	static const uint16_t halves[] = {
		0, 0, 0, DOMID_SELF, DOMID_SELF, 0x7ff1, 0x7fff, 0xffff, 0x8000, 4096, 512, 1};

	return random_once(2) ? halves[random_below(sizeof(halves) / sizeof(halves[0]))]
			      : (uint16_t)random_below(32);
}

uint32_t random_word(void)
{
	static const uint32_t words[] = {0, 1, 2, 127, 128, 255, 256, 1023, 1024, 4095, 4096, 32767,
		32768, 65535, 65536, INT32_MAX, 0x80000000, UINT32_MAX - 1, UINT32_MAX};

	switch (random_below(8)) {
	case 0:
		return words[random_below(sizeof(words) / sizeof(words[0]))];
	case 1:
		return (uint32_t)random_bits();
	case 2:
		return (uint32_t)random_frame();
	case 3:
		return (uint32_t)random_pointer();
	case 4:
	case 5:
		return random_half() | (uint32_t)random_half() << 16;
	default:
		return random_below(32);
	}
}

void random_words(void *at, size_t bytes)
{
	uint8_t *to = at;

	for (size_t i = 0; i < bytes; i += 4) {
		const uint32_t word = random_word();

		memcpy(to + i, &word, bytes - i < 4 ? bytes - i : 4);
	}
}
