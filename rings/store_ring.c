/* SPDX-License-Identifier: MIT */
/* The byte streams of the xenstore ring page. Layout: Xen's public io/xs_wire.h. */
#include "store_ring.h"

#include <errno.h>
#include <string.h>

void pvr_store_ring_init(struct pvr_store_ring *ring, struct xenstore_domain_interface *page)
{
	ring->page = page;
	ring->req_prod = __atomic_load_n(&page->req_prod, __ATOMIC_RELAXED);
	ring->rsp_cons = __atomic_load_n(&page->rsp_cons, __ATOMIC_RELAXED);
}

/* How much of size lies in one piece from index on. */
static size_t piece(XENSTORE_RING_IDX index, size_t size)
{
	size_t room = XENSTORE_RING_SIZE - MASK_XENSTORE_IDX(index);

	return size < room ? size : room;
}

int pvr_store_ring_put(struct pvr_store_ring *ring, const void *bytes, size_t size)
{
	struct xenstore_domain_interface *page = ring->page;
	/*
	 * REQ-FREE (acquire), partner: xenstored's store of req_cons; else we overwrite what it
	 * still copies.
	 */
	uint32_t used = ring->req_prod - __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);
	size_t first;

	if (used > XENSTORE_RING_SIZE)
		return -EPROTO;
	if (size > XENSTORE_RING_SIZE - used)
		size = XENSTORE_RING_SIZE - used;
	first = piece(ring->req_prod, size);
	memcpy(page->req + MASK_XENSTORE_IDX(ring->req_prod), bytes, first);
	memcpy(page->req, (const char *)bytes + first, size - first);
	ring->req_prod += (uint32_t)size;
	/*
	 * REQ-PUBLISH (release), partner: xenstored's load of req_prod; else it reads bytes not yet
	 * written.
	 */
	__atomic_store_n(&page->req_prod, ring->req_prod, __ATOMIC_RELEASE);
	return (int)size;
}

int pvr_store_ring_pending(const struct pvr_store_ring *ring)
{
	/*
	 * RSP-REFRESH (acquire), partner: xenstored's store of rsp_prod; else we read bytes not yet
	 * written.
	 */
	uint32_t prod = __atomic_load_n(&ring->page->rsp_prod, __ATOMIC_ACQUIRE);

	return prod - ring->rsp_cons > XENSTORE_RING_SIZE ? -EPROTO : (int)(prod - ring->rsp_cons);
}

int pvr_store_ring_take(struct pvr_store_ring *ring, void *bytes, size_t size)
{
	struct xenstore_domain_interface *page = ring->page;
	XENSTORE_RING_IDX old = ring->rsp_cons;
	size_t first = piece(old, size);

	memcpy(bytes, page->rsp + MASK_XENSTORE_IDX(old), first);
	memcpy((char *)bytes + first, page->rsp, size - first);
	ring->rsp_cons = old + (uint32_t)size;
	/*
	 * RSP-FREE, partner: xenstored's store of rsp_prod and then load of rsp_cons, before it
	 * waits for room. Store then load on both sides, hence sequentially consistent: else it
	 * could see a full ring and we one that was not, and nobody sends the event.
	 */
	__atomic_store_n(&page->rsp_cons, ring->rsp_cons, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&page->rsp_prod, __ATOMIC_SEQ_CST) - old >= XENSTORE_RING_SIZE;
}
