/* SPDX-License-Identifier: MIT */
/*
 * What waits to be sent. Replies are bounded because a client with too many of them is not listened
 * to. Watch events come from others, so they are bounded here: an event that is queued already is
 * not queued again, and one that finds no room marks its watch, which then tells of the watched
 * path itself when there is room. A client that never reads costs PVR_XS_EVENTS_MAX events; one
 * that reads late knows where to look again.
 */
#include "store.h"

static void queue(struct pvr_xs_conn *conn, struct xs_out *out)
{
	bool first = STAILQ_EMPTY(&conn->out);

	STAILQ_INSERT_TAIL(&conn->out, out, link);
	if (first)
		xs_conn_ready(conn);
}

static struct xs_out *message(uint32_t type, uint32_t req_id, uint32_t tx_id, size_t len)
{
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = req_id, .tx_id = tx_id, .len = (uint32_t)len};
	struct xs_out *out = xs_alloc(sizeof(*out) + sizeof(hdr) + len);

	if (!out)
		return NULL;
	memset(out, 0, sizeof(*out));
	out->len = (uint32_t)(sizeof(hdr) + len);
	memcpy(out->bytes, &hdr, sizeof(hdr));
	return out;
}

void xs_reply(struct pvr_xs_conn *conn, uint32_t type, const void *data, size_t len)
{
	struct xs_out *out;

	if (len > XENSTORE_PAYLOAD_MAX) {
		xs_reply_error(conn, -E2BIG);
		return;
	}
	out = message(type, conn->hdr.req_id, conn->hdr.tx_id, len);
	if (!out) {
		/*
		 * A request without an answer would leave the client waiting: end the connection.
		 */
		conn->error = -ENOMEM;
		return;
	}
	if (len)
		memcpy(out->bytes + sizeof(struct xsd_sockmsg), data, len);
	conn->nreplies++;
	conn->dom->other_mem += sizeof(*out) + out->len;
	queue(conn, out);
}

void xs_reply_error(struct pvr_xs_conn *conn, int error)
{
	const char *name = "EINVAL";

	switch (-error) {
#define XS_ERROR_NAME(e)                                                                           \
	case e:                                                                                    \
		name = #e;                                                                         \
		break;
		XSD_ERRORS(XS_ERROR_NAME)
#undef XS_ERROR_NAME
	default:
		break;
	}
	xs_reply(conn, XS_ERROR, name, strlen(name) + 1);
}

static bool event_queue(struct xs_watch *watch, const char *path, size_t path_len)
{
	struct pvr_xs_conn *conn = watch->conn;
	size_t token_len = strlen(watch->token) + 1, len = path_len + token_len;
	struct xs_out *out, *same;
	char *payload;

	if (len > XENSTORE_PAYLOAD_MAX || conn->nevents >= PVR_XS_EVENTS_MAX)
		return false;
	out = message(XS_WATCH_EVENT, 0, 0, len);
	if (!out)
		return false;
	payload = out->bytes + sizeof(struct xsd_sockmsg);
	memcpy(payload, path, path_len);
	memcpy(payload + path_len, watch->token, token_len);
	HASH_FIND(hh, conn->events, payload, len, same);
	if (same) {
		free(out);
		return true;
	}
	if (xs_mem_charge(conn->xs, conn->dom, sizeof(*out) + out->len)) {
		free(out);
		return false;
	}
	HASH_ADD_KEYPTR(hh, conn->events, payload, len, out);
	if (!out->hh.tbl) {
		xs_mem_uncharge(conn->dom, sizeof(*out) + out->len);
		free(out);
		return false;
	}
	out->event = true;
	conn->nevents++;
	queue(conn, out);
	return true;
}

void xs_event(struct xs_watch *watch, const char *path)
{
	path += watch->prefix;
	if (watch->conn->released || event_queue(watch, path, strlen(path) + 1))
		return;
	watch->missed = watch->conn->missed = true;
}

static void pop(struct pvr_xs_conn *conn)
{
	struct xs_out *out = STAILQ_FIRST(&conn->out);

	STAILQ_REMOVE_HEAD(&conn->out, link);
	if (out->event) {
		HASH_DEL(conn->events, out);
		conn->nevents--;
	} else {
		conn->nreplies--;
	}
	xs_mem_uncharge(conn->dom, sizeof(*out) + out->len);
	free(out);
}

void xs_out_drop(struct pvr_xs_conn *conn)
{
	while (!STAILQ_EMPTY(&conn->out))
		pop(conn);
}

size_t pvr_xs_conn_output(struct pvr_xs_conn *conn, const void **bytes)
{
	struct xs_out *out = STAILQ_FIRST(&conn->out);

	if (!out)
		return 0;
	*bytes = out->bytes + out->off;
	return out->len - out->off;
}

void pvr_xs_conn_consume(struct pvr_xs_conn *conn, size_t n)
{
	struct xs_out *out = STAILQ_FIRST(&conn->out);
	bool listened = xs_conn_listens(conn);

	if (!out || n == 0)
		return;
	out->off += (uint32_t)n;
	if (out->off < out->len)
		return;
	pop(conn);
	if (conn->missed)
		xs_watch_refill(conn);
	if (!listened && xs_conn_listens(conn))
		xs_conn_ready(conn);
}
