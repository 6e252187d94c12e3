/* SPDX-License-Identifier: MIT */
/*
 * The journal of a ring of a disk (backend/journal.h): the copies of its slots, one for each
 * request that is open. That is the one copy that is ever made, so the journal costs three stores a
 * request.
 *
 * Requests and responses are numbered as on the ring, but with 64 bits, so that no number comes
 * twice. What the frontend knows of is not in here: rsp_prod of the ring says which answers are
 * out. The order, and what would come of another:
 *
 *   CLAIM    the entry's number, before its content. Else the last request that stood there, which
 *            was answered, would seem open again between the two.
 *   CLAIMED  the content, before `cons` passes it. Else what is in the entry would be done instead
 *            of the request. Up to then the request is in the ring and nowhere else.
 *   TAKEN    `cons`, before a response is put into a slot that it passed. Else that would be taken
 *            for a request.
 *   ANSWERED the number of its response, before rsp_prod passes that (PUBLISH of ring.h). Else it
 *            would be answered twice.
 *
 * An entry is used again only when its answer is out: else a request whose answer is not, and dies
 * with us, would be forgotten.
 *
 * As many requests are open as there are slots between rsp_prod and `cons`, which are all the
 * backend's to write. So a successor puts them back there, oldest first, and begins at rsp_prod as
 * if none had been taken:
 *
 *   REWOUND  the slots, before `floor`, which makes every entry void by one store. Who dies before
 *            it leaves the journal as it was, who dies behind it has them in the ring.
 */
#ifndef PVR_BLKBACK_JOURNAL_H
#define PVR_BLKBACK_JOURNAL_H

#include <stdatomic.h>

#include "../backend/journal.h"
#include "offer.h"
#include "request.h"

struct pvr_blkback_entry {
	_Atomic uint64_t index;    /* of the request; 0: never used */
	_Atomic uint64_t answered; /* index of its response; 0: there is none */
	union pvr_blkback_slot slot;
};

struct pvr_blkback_journal {
	struct pvr_back_journal_key key;
	_Atomic uint64_t cons;  /* of the next request */
	_Atomic uint64_t floor; /* requests before this are not in here */
	_Alignas(PVR_BACK_JOURNAL_HEAD) struct pvr_blkback_entry entry[];
};

/* Of the rings of this device. */
struct pvr_blkback_journal_of {
	const char *dir; /* of the hypervisor; may be NULL */
	uint64_t serving;
	unsigned devid;
	int again; /* another process has served them */
};

/* By the control thread. NULL: no memory; or, again, no journal of this ring. */
struct pvr_blkback_journal *pvr_blkback_journal_open(const struct pvr_blkback_journal_of *of,
	const struct pvr_blkback_offer *offer, unsigned queue, uint32_t entries);
void pvr_blkback_journal_close(struct pvr_blkback_journal *journal, const char *dir, int keep);

/* By the worker: nothing is open, and the ring's next request is `start`. */
void pvr_blkback_journal_begin(struct pvr_blkback_journal *journal, uint32_t start);

/*
 * What is open on a ring of so many entries whose shared rsp_prod is `rsp`, oldest first: how many;
 * or -ESTALE when that cannot be: the file is damaged, or the frontend has written what is not its
 * own.
 */
int pvr_blkback_journal_find(struct pvr_blkback_journal *journal, uint32_t entries, uint32_t rsp,
	const struct pvr_blkback_entry **open);
/* They are in the ring again, from `rsp` on. */
void pvr_blkback_journal_rewound(struct pvr_blkback_journal *journal, uint32_t rsp);

static inline uint64_t pvr_blkback_journal_cons(const struct pvr_blkback_journal *journal)
{
	return atomic_load_explicit(&journal->cons, memory_order_relaxed);
}

/* An index of the ring that is at most 2^31 from the journal's. */
static inline uint64_t pvr_blkback_journal_index(
	const struct pvr_blkback_journal *journal, uint32_t index)
{
	uint64_t cons = pvr_blkback_journal_cons(journal);

	return cons + (uint64_t)(int64_t)(int32_t)(index - (uint32_t)cons);
}

/* Entry n is for the next request: its slot is to be copied here, and then it is taken. */
static inline union pvr_blkback_slot *pvr_blkback_journal_claim(
	struct pvr_blkback_journal *journal, uint32_t n)
{
	struct pvr_blkback_entry *entry = &journal->entry[n];

	atomic_store_explicit(
		&entry->index, pvr_blkback_journal_cons(journal), memory_order_relaxed);
	pvr_back_journal_order(); /* CLAIM */
	atomic_store_explicit(&entry->answered, 0, memory_order_relaxed);
	return &entry->slot;
}

static inline void pvr_blkback_journal_taken(struct pvr_blkback_journal *journal)
{
	pvr_back_journal_order(); /* CLAIMED */
	atomic_store_explicit(
		&journal->cons, pvr_blkback_journal_cons(journal) + 1, memory_order_relaxed);
	pvr_back_journal_order(); /* TAKEN */
}

/* The response stands in slot `rsp`, and is not published yet. */
static inline void pvr_blkback_journal_answered(
	struct pvr_blkback_journal *journal, uint32_t n, uint32_t rsp)
{
	atomic_store_explicit(&journal->entry[n].answered,
		pvr_blkback_journal_index(journal, rsp), memory_order_relaxed);
	pvr_back_journal_order(); /* ANSWERED */
}

#endif
