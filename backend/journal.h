/* SPDX-License-Identifier: MIT */
/*
 * What a ring has taken and not answered, in a file that outlives the process: the next backend
 * goes on with the same ring where this one died, which its frontend need not notice. The page
 * cache keeps the file when a process is killed, so nothing is ever synced; should the whole system
 * go down, the rings are gone as well.
 *
 * A journal is read by another process, and only after its writer is dead. A writer that is killed
 * has done all of its stores up to some point and none behind it, and the kernel has seen to it
 * that they are in memory; so what matters is the order of the stores (pvr_back_journal_order).
 *
 * Here is the file and whose it is; what stands in it is the kind's.
 */
#ifndef PVR_BACKEND_JOURNAL_H
#define PVR_BACKEND_JOURNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PVR_BACK_JOURNAL_HEAD 512u /* bytes; what is the kind's begins there */

/*
 * What was stored before is in the file before what is stored behind. The one who reads it comes
 * after a kill, which is to this thread what a signal is: between two instructions. So it is the
 * compiler that must keep the order.
 */
static inline void pvr_back_journal_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * Whose journal it is: that of these very rings, and of no other that has been here or will be. It
 * is compared whole, so it has no padding.
 */
struct pvr_back_journal_key {
	uint32_t magic; /* the kind's, and of its layout */
	uint32_t size;  /* of the file */
	/*
	 * A random number of this handshake, which stands in the backend's node `journal`, too:
	 * where that is another or none, these rings are not those of the journal.
	 */
	uint64_t serving;
	uint32_t domid, devid, queue;
	uint32_t abi;
	uint32_t ports[2];
	uint32_t refs[2][16];
};

_Static_assert(sizeof(struct pvr_back_journal_key) == 168, "no padding");

/*
 * Map <dir>/inflight/<type>-<domid>-<devid>-<queue>, of key->size bytes, which begins with the key.
 * `again`: as it was left, or NULL when it is not there or not of this key. Otherwise it is made
 * anew and zeroed; where that cannot be it is private memory, for a ring is served without a
 * journal rather than not at all. NULL then: no memory.
 */
void *pvr_back_journal_open(
	const char *dir, const char *type, const struct pvr_back_journal_key *key, int again);
/* Unmap; `keep` leaves the file to a successor. NULL is allowed. */
void pvr_back_journal_close(void *journal, const char *dir, const char *type, int keep);

#endif
