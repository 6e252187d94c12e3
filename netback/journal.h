/* SPDX-License-Identifier: MIT */
/*
 * The journal of a queue (backend/journal.h). Both rings are answered in the order of their
 * requests, so what is open is all between rsp_prod, which the ring says, and `cons`, which stands
 * here. But answers that are not published yet have overwritten some of these slots: they are kept
 * here, each in its place. A successor puts them back, which are the backend's to write, and begins
 * at rsp_prod as if none had been taken. Packets may go out twice by that, and one that was
 * received may be lost.
 *
 *   KEPT     the slots, before `cons` passes them. Else other bytes would be put back.
 *   TAKEN    `cons`, before an answer is put into a slot. Else the answer would be taken for a
 *            request.
 *   REWOUND  the slots in the ring, before `cons` goes back. Else what was to be put back next
 *            would be left out.
 */
#ifndef PVR_NETBACK_JOURNAL_H
#define PVR_NETBACK_JOURNAL_H

#include <stdatomic.h>

#include <pvring/ring.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/netif.h>

#include "../backend/journal.h"
#include "packet.h"

#define PVR_NETBACK_JOURNAL_SLOTS 256u /* of the one page of a ring, tx or rx */

struct pvr_netback_journal {
	struct pvr_back_journal_key key;
	_Atomic uint32_t begun; /* nothing here means anything before */
	_Atomic uint32_t tx_cons, rx_cons;
	_Alignas(PVR_BACK_JOURNAL_HEAD) union pvr_netback_slot tx[PVR_NETBACK_JOURNAL_SLOTS];
	struct netif_rx_request rx[PVR_NETBACK_JOURNAL_SLOTS];
};

/* Of the queues of this interface. */
struct pvr_netback_journal_of {
	const char *dir; /* of the hypervisor; may be NULL */
	uint64_t serving;
	int again; /* another process has served them */
};

struct pvr_netback_queue;

/* By the control thread. NULL: no memory; or, again, no journal of these rings. */
struct pvr_netback_journal *pvr_netback_journal_open(const struct pvr_netback_queue *queue);
void pvr_netback_journal_close(struct pvr_netback_journal *journal, const char *dir, int keep);

/*
 * By the worker, once the rings are mapped: begin, or put back what is open and count it in
 * *rewound. 0, or -ESTALE: the indices cannot be.
 */
int pvr_netback_journal_start(struct pvr_netback_queue *queue, unsigned *rewound);

/* A request that was taken from `index` of its ring. */
static inline void pvr_netback_journal_keep_tx(
	struct pvr_netback_journal *journal, uint32_t index, const union pvr_netback_slot *slot)
{
	journal->tx[index % PVR_NETBACK_JOURNAL_SLOTS] = *slot;
}

static inline void pvr_netback_journal_keep_rx(
	struct pvr_netback_journal *journal, uint32_t index, const struct netif_rx_request *request)
{
	journal->rx[index % PVR_NETBACK_JOURNAL_SLOTS] = *request;
}

/* All that were taken so far are kept; `to` is tx_cons or rx_cons. */
static inline void pvr_netback_journal_taken(_Atomic uint32_t *to, uint32_t cons)
{
	pvr_back_journal_order(); /* KEPT */
	atomic_store_explicit(to, cons, memory_order_relaxed);
	pvr_back_journal_order(); /* TAKEN */
}

#endif
