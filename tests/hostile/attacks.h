/* SPDX-License-Identifier: MIT */
#ifndef PVR_HOSTILE_ATTACKS_H
#define PVR_HOSTILE_ATTACKS_H

#include "rig.h"

struct attack {
	const char *name;
	const char *outside; /* SPEC of its interface */
	/* The interface was opened as `options` have it, with that outcome. 0, or -1 with a line on stderr. */
	int (*run)(const struct attack *attack, enum outcome opened);
	struct rig_options options;
	const char *reason; /* part of the backend's error when the interface is to end */
	void (*packet)(void); /* puts what ends it */
};

extern const struct attack attacks[]; /* the last one's name is NULL */

/* Wrong: says so, and is -1. */
int attack_fails(const struct attack *attack, const char *what, int got);

/* Attacks that last (storm.c). */
int attack_flood(const struct attack *attack, enum outcome opened);
int attack_flip(const struct attack *attack, enum outcome opened);
int attack_noise(const struct attack *attack, enum outcome opened);
int attack_murmur(const struct attack *attack, enum outcome opened);
int attack_starve(const struct attack *attack, enum outcome opened);

#endif
