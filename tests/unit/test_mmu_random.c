/* SPDX-License-Identifier: MIT */
/*
 * Random page-table operations, after each of which the validator's own check and the model must
 * agree with the tables. MMU_STEPS in the environment says how many; a failure says at which.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mmu_rig.h"
#include "suite.h"

#define STEPS 200000ul
#define SEED  0x853c49e6748fea9bull

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x9e3779b97f4a7c15ull;
}

static void run(
	const struct mmu_geometry *geometry, uint64_t frames, unsigned long steps, uint64_t seed)
{
	struct mmu_rig *rig = mmu_rig_new(geometry, frames);
	uint64_t state = seed;
	const char *wrong = NULL;
	unsigned long i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(rig);
	for (i = 0; i < steps && !wrong; i++) {
		mmu_rig_do(rig, mmu_rig_decode(rig, random_next(&state)));
		wrong = mmu_rig_check(rig);
	}
	if (wrong)
		fprintf(stderr, "mmu: %u levels, step %lu: %s\n", geometry->levels, i, wrong);
	CU_ASSERT_PTR_NULL(wrong);
	/* Most of it must be real work, or the run shows little. */
	CU_ASSERT(rig->accepted - rig->stores > (steps - rig->stores) / 3);
	CU_ASSERT(rig->refused > steps / 50);
	fprintf(stderr,
		"mmu: %u levels, %u entries: %lu accepted, %lu of them plain stores, "
		"%lu refused, %u changes\n",
		geometry->levels, geometry->entries[0], rig->accepted, rig->stores, rig->refused,
		rig->calls);
	mmu_rig_free(rig);
}

static unsigned long steps(void)
{
	const char *text = getenv("MMU_STEPS");

	return text ? strtoul(text, NULL, 10) : STEPS;
}

static void tiny(void)
{
	struct mmu_geometry three = mmu_rig_tiny(3), four = mmu_rig_tiny(4);

	run(&three, 32, steps() / 2, SEED);
	run(&four, 40, steps() / 2, SEED);
}

/* Begun anew now and then: in large tables what once went wrong is seldom put right. */
static void real(void)
{
	for (unsigned long i = 0; i < (steps() + STEPS - 1) / STEPS; i++) {
		run(&mmu_geometry_pae, 48, 1000, SEED + i);
		run(&mmu_geometry_64, 48, 1000, SEED + i);
	}
}

PVR_SUITE(mmu_random, CASE(tiny), CASE(real))
