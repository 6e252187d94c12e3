/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest kernel: what its parts share. Everything it does follows from a seed. The parts run one after
 * another, those that need a sane store first; the last does not mean to come back.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/port.h>

#include "guest/kernel.h"

/* ---- main.c ---- */

/* Memory that anybody may write to: the last pages, so that what goes beyond hurts nobody. */
#define ARENA_PAGES  64u
#define VICTIM_PAGES 32u /* below the arena: never looked at */

extern unsigned long arena, victims; /* addresses */
extern int is_pv;

/* A page of the hypervisor's, by frame. */
void *hypervisor_page(unsigned frame);
/* The time by the clock page, 0 when there is none any more. */
uint64_t time_now(void);
/* The time that a part may take has passed. */
int part_over(void);
/* What was called and what of it was carried out, for the line of each part. */
extern unsigned calls_made, calls_done;

/* ---- random.c ---- */

void random_seed(uint64_t seed);
uint64_t random_bits(void);
/* Below `below`, which is not 0. */
unsigned random_below(unsigned below);
/* Once in `times`. */
int random_once(unsigned times);
/* A number as fields of structures have it: small, a frame, two domains, all ones, ... */
uint32_t random_word(void);
void random_words(void *at, size_t bytes);
/* Any address, and one in the arena. */
unsigned long random_pointer(void);
unsigned long random_place(void);
/* A frame that is the arena's or the victims', the hypervisor's, or none. */
unsigned long random_frame(void);

/* ---- run.S ---- */

struct run_regs {
	unsigned long gpr[16]; /* in the order of their numbers; the stack's is not loaded */
};

/* A hypercall by any number, with five arguments. */
long hypercall(unsigned number, const unsigned long args[5]);
/* Where code that was run by code_part goes on when it is over; and going there. */
extern char run_back[];
void run_leave(void) __attribute__((noreturn));

/* ---- the parts ---- */

void disk_part(unsigned rounds);
void net_part(unsigned rounds);
void store_part(unsigned rounds);
void calls_part(unsigned rounds);
void noise_part(unsigned rounds);
void tables_part(unsigned rounds); /* PV alone */
void code_part(unsigned rounds);

/* calls.c: one call that leaves this kernel alive; and one that may be made while a device is in use. */
void call_random(void);
void call_harmless(void);

#endif
