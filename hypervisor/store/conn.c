/* SPDX-License-Identifier: MIT */
/*
 * A connection: bytes in, cut anywhere, become messages; see output.c for the way out.
 */
#include "store.h"

void xs_conn_ready(struct pvr_xs_conn *conn)
{
	if (conn->ops.ready)
		conn->ops.ready(conn->opaque);
}

void xs_conn_setup(struct pvr_xs_conn *conn, struct pvr_xs *xs, struct xs_dom *dom, bool privileged)
{
	memset(conn, 0, sizeof(*conn));
	conn->xs = xs;
	conn->dom = dom;
	conn->privileged = privileged;
	dom->privileged |= privileged;
	TAILQ_INIT(&conn->watches);
	LIST_INIT(&conn->txs);
	STAILQ_INIT(&conn->out);
	dom->conns++;
}

struct pvr_xs_conn *pvr_xs_conn_create(struct pvr_xs *xs, uint16_t domid, int privileged,
	const struct pvr_xs_conn_ops *ops, void *opaque)
{
	struct pvr_xs_conn *conn = xs_alloc(sizeof(*conn));
	struct xs_dom *dom = conn ? xs_dom_get(xs, domid) : NULL;

	if (!dom) {
		free(conn);
		return NULL;
	}
	xs_conn_setup(conn, xs, dom, privileged != 0);
	if (ops)
		conn->ops = *ops;
	conn->opaque = opaque;
	LIST_INSERT_HEAD(&xs->conns, conn, link);
	return conn;
}

void pvr_xs_conn_destroy(struct pvr_xs_conn *conn)
{
	struct pvr_xs *xs = conn->xs;
	struct xs_dom *dom = conn->dom;

	xs_watch_drop(conn);
	xs_tx_drop(conn);
	xs_out_drop(conn);
	LIST_REMOVE(conn, link);
	free(conn);
	dom->conns--;
	xs_dom_put(xs, dom);
}

bool xs_conn_listens(const struct pvr_xs_conn *conn)
{
	return !conn->released && conn->nreplies < conn->xs->quota.outstanding &&
	       !xs_dom_held(conn->xs, conn->dom);
}

/* Bytes missing of the header or, when that is complete, of the payload. */
static size_t missing(const struct pvr_xs_conn *conn)
{
	size_t header = sizeof(conn->hdr);

	return conn->have < header ? header - conn->have : header + conn->hdr.len - conn->have;
}

static void take(struct pvr_xs_conn *conn, const char *bytes, size_t n)
{
	size_t header = sizeof(conn->hdr);

	if (conn->have < header)
		memcpy((char *)&conn->hdr + conn->have, bytes, n);
	else
		memcpy(conn->payload + (conn->have - header), bytes, n);
	conn->have += (uint32_t)n;
}

/* What there is to do when a header or a payload may have become complete. */
static void step(struct pvr_xs_conn *conn)
{
	if (conn->have < sizeof(conn->hdr))
		return;
	if (conn->hdr.len > XENSTORE_PAYLOAD_MAX) {
		conn->error = -EPROTO;
		return;
	}
	if (missing(conn))
		return;
	xs_request_run(conn);
	conn->have = 0;
	if (conn->missed)
		xs_watch_refill(conn);
}

ssize_t pvr_xs_conn_feed(struct pvr_xs_conn *conn, const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;

	while (at < end && !conn->error && xs_conn_listens(conn)) {
		size_t n = missing(conn);

		if (n > (size_t)(end - at))
			n = (size_t)(end - at);
		take(conn, at, n);
		at += n;
		step(conn);
	}
	if (conn->error)
		return conn->error;
	return at - (const char *)bytes;
}

size_t pvr_xs_conn_wants(const struct pvr_xs_conn *conn)
{
	return conn->error || !xs_conn_listens(conn) ? 0 : missing(conn);
}
