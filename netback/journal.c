/* SPDX-License-Identifier: MIT */
/* What is read and written of a queue's journal besides the data path. See journal.h. */
#include "journal.h"

#include <errno.h>

#include "queue.h"

#define MAGIC 0x314a4e56u /* "VNJ1" */

struct pvr_netback_journal *pvr_netback_journal_open(const struct pvr_netback_queue *queue)
{
	const struct pvr_netback_journal_of *of = &queue->vif->journal;
	const struct pvr_back_journal_key key = {
		.magic = MAGIC,
		.size = sizeof(struct pvr_netback_journal),
		.serving = of->serving,
		.domid = queue->vif->spec.domid,
		.devid = queue->vif->spec.devid,
		.queue = queue->index,
		.ports = {queue->offer.tx_port, queue->offer.rx_port},
		.refs = {{queue->offer.tx_ref}, {queue->offer.rx_ref}},
	};

	return pvr_back_journal_open(of->dir, "vif", &key, of->again);
}

void pvr_netback_journal_close(struct pvr_netback_journal *journal, const char *dir, int keep)
{
	pvr_back_journal_close(journal, dir, "vif", keep);
}

static void begin(struct pvr_netback_journal *journal, uint32_t tx, uint32_t rx)
{
	atomic_store_explicit(&journal->tx_cons, tx, memory_order_relaxed);
	atomic_store_explicit(&journal->rx_cons, rx, memory_order_relaxed);
	pvr_back_journal_order();
	atomic_store_explicit(&journal->begun, 1, memory_order_relaxed);
}

int pvr_netback_journal_start(struct pvr_netback_queue *queue, unsigned *rewound)
{
	struct pvr_netback_journal *journal = queue->journal;
	struct pvr_ring *tx = &queue->tx.ring, *rx = &queue->rx.ring;
	uint32_t tx_rsp = tx->prod, rx_rsp = rx->prod;
	uint32_t tx_open = atomic_load_explicit(&journal->tx_cons, memory_order_relaxed) - tx_rsp;
	uint32_t rx_open = atomic_load_explicit(&journal->rx_cons, memory_order_relaxed) - rx_rsp;

	*rewound = 0;
	if (!queue->vif->journal.again) {
		begin(journal, tx_rsp, rx_rsp);
		return 0;
	}
	if (!atomic_load_explicit(&journal->begun, memory_order_relaxed) || tx_open > tx->entries ||
		rx_open > rx->entries)
		return -ESTALE;
	for (uint32_t i = 0; i < tx_open; i++)
		pvr_netback_tx_request_put(
			tx, &journal->tx[(tx_rsp + i) % PVR_NETBACK_JOURNAL_SLOTS]);
	for (uint32_t i = 0; i < rx_open; i++)
		pvr_netback_rx_request_put(
			rx, &journal->rx[(rx_rsp + i) % PVR_NETBACK_JOURNAL_SLOTS]);
	tx->prod = tx_rsp;
	rx->prod = rx_rsp;
	pvr_back_journal_order(); /* REWOUND */
	begin(journal, tx_rsp, rx_rsp);
	*rewound = tx_open + rx_open;
	return 0;
}
