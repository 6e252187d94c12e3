/* SPDX-License-Identifier: MIT */
/*
 * A queue of an interface: its pages and references, made and taken down; static grants; and its move
 * from one backend's rings to the next one's.
 */
#include "internal.h"

#include <errno.h>

#define QUEUE_PAGES pvr_front_pages_for(sizeof(struct pvr_netfront_queue))

/* ---- made ---- */

static void fill_stacks(struct netfront_tx *tx)
{
	tx->ids_count = tx->pages_count = NETFRONT_ENTRIES;
	for (unsigned i = 0; i < NETFRONT_ENTRIES; i++) {
		tx->ids[i] = tx->pages[i] = (uint16_t)(NETFRONT_ENTRIES - 1 - i);
		tx->slot[i].first = NETFRONT_NONE;
	}
}

static int alloc_refs(struct pvr_netfront_queue *queue)
{
	grant_ref_t refs[NETFRONT_ENTRIES];
	int r = pvr_grant_alloc(queue->rx.ref, NETFRONT_ENTRIES);

	if (r)
		return r;
	queue->refs = 1;
	r = pvr_grant_alloc(refs, NETFRONT_ENTRIES);
	if (r)
		return r;
	queue->refs = 2;
	for (unsigned i = 0; i < NETFRONT_ENTRIES; i++)
		queue->tx.slot[i].ref = refs[i];
	return 0;
}

int netfront_queue_make(struct pvr_netfront *net, unsigned index, struct pvr_netfront_queue **made)
{
	struct pvr_netfront_queue *queue = pvr_port_pages_alloc(QUEUE_PAGES);
	int r = 0;

	if (!queue)
		return -ENOMEM;
	queue->net = net;
	queue->index = index;
	queue->facts = net->info;
	fill_stacks(&queue->tx);
	queue->tx.pool = pvr_port_pages_alloc(NETFRONT_ENTRIES);
	queue->rx.pool = pvr_port_pages_alloc(NETFRONT_ENTRIES);
	if (!queue->tx.pool || !queue->rx.pool)
		r = -ENOMEM;
	if (!r)
		r = alloc_refs(queue);
	if (r)
		netfront_queue_free(queue, 0);
	else
		*made = queue;
	return r;
}

/* ---- taken down ---- */

/* Pages were allocated together, so they are lost together. */
static void free_pool(
	uint8_t *pool, const grant_ref_t *refs, unsigned refs_count, uint64_t deadline_ns)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < refs_count; i++)
		kept += pvr_front_grant_drop(refs[i], deadline_ns);
	if (pool && !kept)
		pvr_port_pages_free(pool, NETFRONT_ENTRIES);
}

/* Also for one half made, when nothing is in flight any more. */
void netfront_queue_free(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	struct netfront_tx *tx = &queue->tx;

	netfront_rings_free(&queue->live, deadline_ns);
	netfront_rings_free(&queue->next, deadline_ns);
	free_pool(
		queue->rx.pool, queue->rx.ref, queue->refs > 0 ? NETFRONT_ENTRIES : 0, deadline_ns);
	for (unsigned i = 0; queue->refs > 1 && i < NETFRONT_ENTRIES; i++)
		if (tx->slot[i].ref != PVR_GRANT_NONE)
			pvr_front_grant_drop(tx->slot[i].ref, deadline_ns);
	free_pool(tx->pool, tx->ref, queue->is_static ? NETFRONT_ENTRIES : 0, deadline_ns);
	pvr_port_pages_free(queue, QUEUE_PAGES);
}

/* ---- static grants ---- */

static void grant_pool(const struct pvr_netfront_queue *queue, const grant_ref_t *refs,
	const uint8_t *pool, int readonly)
{
	domid_t peer = queue->net->front.bus.backend_id;

	for (unsigned i = 0; i < NETFRONT_ENTRIES; i++)
		pvr_grant_access(refs[i], peer, pvr_port_gfn(pool + i * PVR_PAGE_SIZE), readonly);
}

int netfront_static_begin(struct pvr_netfront_queue *queue)
{
	int r = pvr_grant_alloc(queue->tx.ref, NETFRONT_ENTRIES);

	if (r)
		return r;
	queue->is_static = 1;
	grant_pool(queue, queue->tx.ref, queue->tx.pool, 1);
	grant_pool(queue, queue->rx.ref, queue->rx.pool, 0);
	return 0;
}

int netfront_static_end(struct pvr_netfront_queue *queue, uint64_t deadline_ns)
{
	int r = 0;

	if (!queue->is_static)
		return 0;
	for (unsigned i = 0; i < NETFRONT_ENTRIES && !r; i++)
		r = pvr_front_grant_end(queue->tx.ref[i], deadline_ns);
	for (unsigned i = 0; i < NETFRONT_ENTRIES && !r; i++)
		r = pvr_front_grant_end(queue->rx.ref[i], deadline_ns);
	if (r)
		return r;
	pvr_grant_free(queue->tx.ref, NETFRONT_ENTRIES);
	queue->is_static = 0;
	return 0;
}

/* ---- the next rings ---- */

static void move(struct pvr_netfront_queue *queue, const struct netfront_rings *next)
{
	uint64_t deadline = pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS;
	int busy;

	netfront_tx_end(queue, EIO, deadline);
	busy = netfront_rx_end(queue, deadline);
	queue->stats.grants_leaked += netfront_rings_free(&queue->live, deadline);
	queue->live = *next;
	/* A page that it may still write can neither be handed up nor be posted again. */
	if (!busy && !queue->facts.static_pages)
		busy = netfront_static_end(queue, deadline);
	if (busy)
		pvr_front_fail(&queue->net->front, "a backend that is gone keeps pages",
			" of queue ", queue->index);
}

void netfront_queue_adopt(struct pvr_netfront_queue *queue)
{
	struct pvr_netfront *net = queue->net;
	struct netfront_rings next;
	uint32_t version;

	pvr_mutex_lock(&net->front.control);
	version = pvr_front_version(&net->front);
	/* Another backend may have been lost while we looked: its rings are no good. */
	if (pvr_front_life(&net->front) != PVR_FRONT_LIVE) {
		pvr_mutex_unlock(&net->front.control);
		return;
	}
	next = queue->next;
	queue->next = (struct netfront_rings){0};
	queue->facts = net->info;
	pvr_mutex_unlock(&net->front.control);
	if (next.tx_page.at)
		move(queue, &next);
	queue->version = version;
}

/* ---- pages to send from ---- */

void *pvr_netfront_page_get(struct pvr_netfront_queue *queue)
{
	struct netfront_tx *tx = &queue->tx;

	return tx->pages_count ? tx->pool + tx->pages[--tx->pages_count] * PVR_PAGE_SIZE : NULL;
}

void pvr_netfront_page_put(struct pvr_netfront_queue *queue, void *page)
{
	struct netfront_tx *tx = &queue->tx;

	tx->pages[tx->pages_count++] =
		(uint16_t)((size_t)((uint8_t *)page - tx->pool) / PVR_PAGE_SIZE);
}
