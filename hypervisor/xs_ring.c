/* SPDX-License-Identifier: MIT */
/*
 * The way to the store for a guest: the ring page in its memory. The page is hostile: indices are
 * read once and checked, bytes are copied before anybody looks at them, and what is ours (how far
 * we have read, how far we have written) is kept here and never read back. Source of the layout:
 * xen/io/xs_wire.h.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hv.h"

static uint32_t index_read(const XENSTORE_RING_IDX *index)
{
	/* STORE-IN, partner: the guest's release of its index. Bytes before it are seen. */
	return atomic_load_explicit((const _Atomic uint32_t *)index, memory_order_acquire);
}

static void index_write(XENSTORE_RING_IDX *index, uint32_t value)
{
	/* STORE-OUT, partner: the guest's acquire of our index. Bytes are in place, or read, before
	 * it. */
	atomic_store_explicit((_Atomic uint32_t *)index, value, memory_order_release);
}

static void ring_ready(void *opaque)
{
	struct hv_xs_ring *ring = opaque;

	hv_later_queue(ring->hv, &ring->later);
}

static int conn_open(struct hv_xs_ring *ring)
{
	static const struct pvr_xs_conn_ops ops = {ring_ready};

	ring->conn = pvr_xs_conn_create(ring->hv->xs, ring->domid, 0, &ops, ring);
	return ring->conn ? 0 : -ENOMEM;
}

static void conn_close(struct hv_xs_ring *ring)
{
	if (ring->conn)
		pvr_xs_conn_destroy(ring->conn);
	ring->conn = NULL;
}

/* The guest broke the rules: it is told so in the page, and not listened to until it reconnects. */
static void ring_break(struct hv_xs_ring *ring, uint32_t error)
{
	hv_log("domain %u: its xenstore ring is broken, error %u", ring->domid, error);
	ring->broken = 1;
	conn_close(ring);
	index_write(&ring->page->error, error);
}

/* The guest asks for a fresh start: no watches, no transactions, empty rings. */
static void ring_reconnect(struct hv_xs_ring *ring)
{
	struct xenstore_domain_interface *page = ring->page;

	conn_close(ring);
	ring->req_cons = ring->rsp_prod = 0;
	page->req_cons = page->req_prod = page->rsp_cons = page->rsp_prod = 0;
	ring->broken = conn_open(ring) != 0;
	page->error = ring->broken ? XENSTORE_ERROR_COMM : XENSTORE_ERROR_NONE;
	index_write(&page->connection, XENSTORE_CONNECTED);
}

/* Requests, at most one ring full. 1: took some, 0: none, or a negative XENSTORE_ERROR_*. */
static int ring_receive(struct hv_xs_ring *ring)
{
	uint8_t bytes[XENSTORE_RING_SIZE];
	uint32_t prod = index_read(&ring->page->req_prod);
	uint32_t have = prod - ring->req_cons;
	uint32_t start = MASK_XENSTORE_IDX(ring->req_cons);
	uint32_t first = have < XENSTORE_RING_SIZE - start ? have : XENSTORE_RING_SIZE - start;

	if (have > XENSTORE_RING_SIZE)
		return -XENSTORE_ERROR_RINGIDX;
	if (!have)
		return 0;
	memcpy(bytes, ring->page->req + start, first);
	memcpy(bytes + first, ring->page->req, have - first);
	ssize_t taken = pvr_xs_conn_feed(ring->conn, bytes, have);

	if (taken < 0)
		return -XENSTORE_ERROR_PROTO;
	ring->req_cons += (uint32_t)taken;
	index_write(&ring->page->req_cons, ring->req_cons);
	return taken > 0;
}

/* Replies and events, until the ring is full. Result as above. */
static int ring_send(struct hv_xs_ring *ring)
{
	uint32_t used = ring->rsp_prod - index_read(&ring->page->rsp_cons);
	const void *bytes;
	size_t n;
	int sent = 0;

	if (used > XENSTORE_RING_SIZE)
		return -XENSTORE_ERROR_RINGIDX;
	while (used < XENSTORE_RING_SIZE && (n = pvr_xs_conn_output(ring->conn, &bytes))) {
		uint32_t start = MASK_XENSTORE_IDX(ring->rsp_prod);
		uint32_t room = XENSTORE_RING_SIZE - used;

		if (room > XENSTORE_RING_SIZE - start)
			room = XENSTORE_RING_SIZE - start;
		if (n > room)
			n = room;
		memcpy(ring->page->rsp + start, bytes, n);
		pvr_xs_conn_consume(ring->conn, n);
		ring->rsp_prod += (uint32_t)n;
		used += (uint32_t)n;
		sent = 1;
	}
	if (sent)
		index_write(&ring->page->rsp_prod, ring->rsp_prod);
	return sent;
}

static void ring_serve(struct hv_later *later)
{
	struct hv_xs_ring *ring = container_of(later, struct hv_xs_ring, later);
	int notify = 0;

	if (index_read(&ring->page->connection) == XENSTORE_RECONNECT) {
		ring_reconnect(ring);
		notify = 1;
	}
	if (!ring->broken) {
		int received = ring_receive(ring);
		int sent = received < 0 ? 0 : ring_send(ring);

		if (received < 0 || sent < 0) {
			ring_break(ring, (uint32_t)(received < 0 ? -received : -sent));
			notify = 1;
		} else if (received > 0) {
			/* There may be more: its turn comes again, after the others'. */
			hv_later_queue(ring->hv, &ring->later);
		}
		notify |= received > 0 || sent > 0;
	}
	if (notify)
		hv_port_send(&ring->hv->dom0.ports, ring->port);
}

static void ring_event(struct hv_source *source, uint32_t events)
{
	struct hv_xs_ring *ring = container_of(source, struct hv_xs_ring, source);

	(void)events;
	hv_later_queue(ring->hv, &ring->later);
}

int hv_xs_ring_open(struct hv_domain *domain, struct hv_xs_ring *ring, evtchn_port_t port)
{
	struct hv *hv = domain->hv;
	int ours =
		hv_port_bind_interdomain(&hv->dom0.ports, &domain->ports, port, HV_CLIENT_DAEMON);

	if (ours < 0)
		return ours;
	*ring = (struct hv_xs_ring){
		.later.run = ring_serve,
		.source = {ring_event, -1},
		.hv = hv,
		.domid = domain->domid,
		.page = (void *)(domain->low + PVR_HV_FRAME_STORE * 4096),
		.port = (evtchn_port_t)ours,
	};
	ring->page->server_features =
		XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
	int err = conn_open(ring);

	if (!err)
		err = hv_source_add(hv, &ring->source,
			hv_port_rx(hv_port_get(&hv->dom0.ports, ring->port)), EPOLLIN | EPOLLET);
	if (err)
		hv_xs_ring_close(ring);
	return err;
}

void hv_xs_ring_close(struct hv_xs_ring *ring)
{
	if (!ring->hv)
		return;
	hv_later_cancel(ring->hv, &ring->later);
	conn_close(ring);
	hv_source_remove(ring->hv, &ring->source); /* the descriptor is the port's */
	hv_port_close(&ring->hv->dom0.ports, ring->port);
	ring->hv = NULL;
}
