/* SPDX-License-Identifier: MIT */
/* A latency histogram with 32 linear steps to each octave. */
#include "tools.h"

#define STEPS_SHIFT 5u

static unsigned bucket_of(uint64_t value)
{
	if (value < 1u << (STEPS_SHIFT + 1))
		return (unsigned)value;

	unsigned octave = 63u - (unsigned)__builtin_clzll(value) - STEPS_SHIFT;
	unsigned bucket = (octave << STEPS_SHIFT) + (unsigned)(value >> octave);

	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The largest value that falls into a bucket. */
static uint64_t bound_of(unsigned bucket)
{
	unsigned octave = bucket >> STEPS_SHIFT;

	if (octave < 2)
		return bucket;
	octave -= 1;
	return ((((uint64_t)bucket - ((uint64_t)octave << STEPS_SHIFT)) + 1) << octave) - 1;
}

void hist_add(struct hist *hist, uint64_t value)
{
	hist->count++;
	hist->bucket[bucket_of(value)]++;
	if (value > hist->max)
		hist->max = value;
}

uint64_t hist_at(const struct hist *hist, double fraction)
{
	uint64_t wanted = (uint64_t)(fraction * (double)hist->count), seen = 0;

	if (!hist->count)
		return 0;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += hist->bucket[i];
		if (seen > wanted || seen == hist->count)
			return bound_of(i) < hist->max ? bound_of(i) : hist->max;
	}
	return hist->max;
}
