/* SPDX-License-Identifier: MIT */
/*
 * Map and unmap of granted pages: the hypervisor's half of grant table version 1. Runs in whoever
 * maps, over memory shared between dom0's processes and, for the guest's entries, with the guest.
 *
 * Everything in a book entry and every maptrack entry that points to it changes under the entry's
 * lock only. So whoever does not hold the lock has exactly the pins its maptrack says, and when a
 * client dies with the lock in its hands a recount over all maptracks gives the truth.
 */
#include <pvring/gnttab.h>

#include <sched.h>

#include <pvring/ring.h> /* pvr_cpu_relax */

/*
 * A lock is held for some tens of instructions. Spin a little for a holder that runs, then give the
 * CPU away for one that does not; a holder that is dead needs the daemon, so mapping gives up
 * sooner than unmapping, which must not lose the page.
 */
#define SPINS        200u
#define MAP_YIELDS   1000u
#define UNMAP_YIELDS 100000u

/* How often a guest may change its entry between our read and our compare-and-exchange. */
#define ENTRY_TRIES 5u

/* flags and domid of a version 1 entry are one naturally aligned word, which changes as one. */
union entry_word {
	struct {
		uint16_t flags;
		domid_t domid;
	} part;
	uint32_t word;
};

_Static_assert(offsetof(struct grant_entry_v1, domid) == 2, "flags and domid share a word");

typedef uint32_t __attribute__((may_alias)) entry_word_t;

static entry_word_t *entry_word(struct pvr_gnttab *table, grant_ref_t ref)
{
	return (entry_word_t *)&table->shared[ref];
}

static int book_lock(struct pvr_gnttab *table, struct pvr_grant_book *book, unsigned yields)
{
	for (unsigned i = 0; i < SPINS + yields; i++) {
		uint32_t nobody = 0;

		/*
		 * LOCK, partner UNLOCK: what the last holder wrote into book and maptracks is seen.
		 */
		if (atomic_compare_exchange_strong_explicit(&book->lock, &nobody, table->client,
			    memory_order_acquire, memory_order_relaxed))
			return 0;
		if (i < SPINS)
			pvr_cpu_relax();
		else
			sched_yield();
	}
	return -1;
}

static void book_unlock(struct pvr_grant_book *book)
{
	/*
	 * UNLOCK, partner LOCK: the counts and the maptrack are complete before the lock is free.
	 */
	atomic_store_explicit(&book->lock, 0, memory_order_release);
}

/* Counts change under the lock; statistics read them without, hence the atomic store. */
static void book_count_set(uint32_t *count, uint32_t value)
{
	__atomic_store_n(count, value, __ATOMIC_RELAXED);
}

/*
 * Check the guest's entry and set GTF_reading (and GTF_writing) in it, in one step, so that the
 * entry we checked is the entry we marked. The guest may flip it as it likes: that costs tries,
 * which are counted.
 */
static int16_t entry_mark(struct pvr_gnttab *table, grant_ref_t ref, domid_t who, int readonly)
{
	uint16_t mark = (uint16_t)(readonly ? GTF_reading : GTF_reading | GTF_writing);
	entry_word_t *word = entry_word(table, ref);

	for (unsigned try = 0; try < ENTRY_TRIES; try++) {
		union entry_word old = {.word = __atomic_load_n(word, __ATOMIC_ACQUIRE)};

		if ((old.part.flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access)
			return GNTST_bad_gntref;
		if (old.part.domid != who || (!readonly && (old.part.flags & GTF_readonly)))
			return GNTST_permission_denied;
		if ((old.part.flags & mark) == mark)
			return GNTST_okay;

		union entry_word marked = old;

		marked.part.flags |= mark;
		/*
		 * MARK, partner the guest's compare-and-exchange of flags to 0 when it ends the
		 * grant: one of the two fails, so a page is never both in use here and taken back
		 * there. Acquire, for the frame which the guest wrote before its flags.
		 */
		if (__atomic_compare_exchange_n(
			    word, &old.word, marked.word, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return GNTST_okay;
	}
	return GNTST_eagain;
}

/* Clear the marks that no pin needs any more. A plain AND: there is nothing to retry and nothing to
 * lose. */
static void entry_unmark(
	struct pvr_gnttab *table, grant_ref_t ref, const struct pvr_grant_book *book)
{
	uint16_t clear = 0;

	if (!book->writers)
		clear |= GTF_writing;
	if (!book->writers && !book->readers)
		clear |= GTF_reading;
	/* Release: what was done to the page is done before the guest may see it given back. */
	if (clear)
		__atomic_fetch_and(&table->shared[ref].flags, (uint16_t)~clear, __ATOMIC_RELEASE);
}

/* With the lock held: everything of a map that can fail. */
static int16_t pin_check(struct pvr_gnttab *table, domid_t who, grant_ref_t ref, int readonly)
{
	struct pvr_grant_book *book = &table->books[ref];

	if ((readonly ? book->readers : book->writers) == UINT32_MAX)
		return GNTST_no_space;

	int16_t status = entry_mark(table, ref, who, readonly);

	/* A pinned entry keeps the frame that was checked; the guest's may say something else by
	 * now. */
	if (status != GNTST_okay || book->readers || book->writers)
		return status;

	uint32_t frame = __atomic_load_n(&table->shared[ref].frame, __ATOMIC_RELAXED);

	if (frame < table->first_frame || frame >= table->last_frame) {
		entry_unmark(table, ref, book);
		return GNTST_bad_page;
	}
	book->frame = frame;
	return GNTST_okay;
}

int16_t pvr_gnttab_map(struct pvr_gnttab *table, domid_t who, grant_ref_t ref, int readonly,
	struct pvr_maptrack *track, uint32_t *frame)
{
	if (ref >= table->entries)
		return GNTST_bad_gntref;

	struct pvr_grant_book *book = &table->books[ref];

	if (book_lock(table, book, MAP_YIELDS))
		return GNTST_eagain;

	int16_t status = pin_check(table, who, ref, readonly);

	if (status == GNTST_okay) {
		track->ref = ref;
		track->domid = table->domid;
		track->generation = table->generation;
		atomic_store_explicit(&track->state,
			readonly ? PVR_MAPTRACK_READ : PVR_MAPTRACK_WRITE, memory_order_release);
		if (readonly)
			book_count_set(&book->readers, book->readers + 1);
		else
			book_count_set(&book->writers, book->writers + 1);
		*frame = book->frame;
	}
	book_unlock(book);
	return status;
}

static int track_names(const struct pvr_gnttab *table, const struct pvr_maptrack *track)
{
	/* Acquire, partner the store in pvr_gnttab_map: ref, domid and generation are complete. */
	return atomic_load_explicit(&track->state, memory_order_acquire) != PVR_MAPTRACK_FREE &&
	       track->domid == table->domid && track->generation == table->generation &&
	       track->ref < table->entries;
}

static int16_t unmap(struct pvr_gnttab *table, struct pvr_maptrack *track, unsigned yields)
{
	if (!track_names(table, track))
		return GNTST_bad_handle;

	grant_ref_t ref = track->ref;
	struct pvr_grant_book *book = &table->books[ref];
	int16_t status = GNTST_okay;

	if (book_lock(table, book, yields))
		return GNTST_eagain;

	/* Again under the lock: of two that unmap one handle, the second finds it free. */
	uint32_t state = atomic_load_explicit(&track->state, memory_order_relaxed);
	uint32_t *count = state == PVR_MAPTRACK_WRITE ? &book->writers : &book->readers;

	if (state == PVR_MAPTRACK_FREE || *count == 0) {
		status = GNTST_bad_handle;
	} else {
		book_count_set(count, *count - 1);
		entry_unmark(table, ref, book);
		atomic_store_explicit(&track->state, PVR_MAPTRACK_FREE, memory_order_relaxed);
	}
	book_unlock(book);
	return status;
}

int16_t pvr_gnttab_unmap(struct pvr_gnttab *table, struct pvr_maptrack *track)
{
	return unmap(table, track, UNMAP_YIELDS);
}

/* How many pins of `state` on ref one maptrack table holds. */
static uint32_t tracks_count(const struct pvr_gnttab *table, const struct pvr_maptrack *tracks,
	uint32_t entries, grant_ref_t ref, uint32_t state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < entries; i++)
		n += track_names(table, &tracks[i]) && tracks[i].ref == ref &&
		     atomic_load_explicit(&tracks[i].state, memory_order_relaxed) == state;
	return n;
}

/*
 * An entry whose lock the dead client holds. Nobody else changes it or a maptrack that points to it
 * now, so it can be counted at leisure. The frame needs no repair: it is written by the first pin
 * alone, and had that one not been finished the count is 0.
 */
static void entry_recount(struct pvr_gnttab *table, grant_ref_t ref, struct pvr_maptrack *tracks,
	struct pvr_maptrack *const *tables, unsigned tables_count, uint32_t entries)
{
	struct pvr_grant_book *book = &table->books[ref];
	uint32_t readers = 0, writers = 0;

	for (unsigned t = 0; t < tables_count; t++) {
		if (tables[t] == tracks)
			continue;
		readers += tracks_count(table, tables[t], entries, ref, PVR_MAPTRACK_READ);
		writers += tracks_count(table, tables[t], entries, ref, PVR_MAPTRACK_WRITE);
	}
	book_count_set(&book->readers, readers);
	book_count_set(&book->writers, writers);
	for (uint32_t i = 0; i < entries; i++)
		if (track_names(table, &tracks[i]) && tracks[i].ref == ref)
			atomic_store_explicit(
				&tracks[i].state, PVR_MAPTRACK_FREE, memory_order_relaxed);
	entry_unmark(table, ref, book);
	book_unlock(book);
}

unsigned pvr_gnttab_recover(struct pvr_gnttab *table, uint32_t dead, struct pvr_maptrack *tracks,
	struct pvr_maptrack *const *tables, unsigned tables_count, uint32_t entries)
{
	unsigned left = 0;

	for (grant_ref_t ref = 0; ref < table->entries; ref++)
		if (atomic_load_explicit(&table->books[ref].lock, memory_order_acquire) == dead)
			entry_recount(table, ref, tracks, tables, tables_count, entries);

	for (uint32_t i = 0; i < entries; i++)
		if (track_names(table, &tracks[i]))
			left += unmap(table, &tracks[i], MAP_YIELDS) == GNTST_eagain;
	return left;
}

uint32_t pvr_gnttab_mapped(const struct pvr_gnttab *table)
{
	uint32_t n = 0;

	for (grant_ref_t ref = 0; ref < table->entries; ref++)
		n += __atomic_load_n(&table->books[ref].readers, __ATOMIC_RELAXED) ||
		     __atomic_load_n(&table->books[ref].writers, __ATOMIC_RELAXED);
	return n;
}
