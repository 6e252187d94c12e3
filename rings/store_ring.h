/* SPDX-License-Identifier: MIT */
/*
 * The byte streams of the xenstore ring page, guest's side: two rings of 1024 bytes. Indices of
 * ours are kept privately, xenstored's are checked each time. One thread at a time.
 */
#ifndef PVR_RINGS_STORE_RING_H
#define PVR_RINGS_STORE_RING_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/xs_wire.h>

struct pvr_store_ring {
	struct xenstore_domain_interface *page;
	XENSTORE_RING_IDX req_prod; /* ours */
	XENSTORE_RING_IDX rsp_cons;
};

/* Take over where an earlier user of the page stopped. */
void pvr_store_ring_init(struct pvr_store_ring *ring, struct xenstore_domain_interface *page);

/* Write up to size bytes; how many, or -EPROTO when req_cons cannot be. */
int pvr_store_ring_put(struct pvr_store_ring *ring, const void *bytes, size_t size);

/* Bytes that can be read now, or -EPROTO when rsp_prod cannot be. */
int pvr_store_ring_pending(const struct pvr_store_ring *ring);

/*
 * Read size bytes, no more than are pending. Nonzero when the ring was full: xenstored waits for an
 * event before it goes on.
 */
int pvr_store_ring_take(struct pvr_store_ring *ring, void *bytes, size_t size);

#endif
