/* SPDX-License-Identifier: MIT */
/* A block backend in the test process. */
#include "peer_blk.h"
#include "mock_port.h"
#include "mock_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer peer;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void peer_node(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PEER_BACK "/%s", name);
	if (value)
		mock_xs_write(path, value);
	else
		mock_xs_rm(path);
}

void peer_state(enum xenbus_state state)
{
	peer_node("state", (const char[]){(char)('0' + state), '\0'});
}

/* ---- requests ---- */

static int16_t move_segment(const struct blkif_request *request,
	const struct blkif_request_segment *segment, uint64_t sector)
{
	int reads = request->operation == BLKIF_OP_READ;
	size_t length = (segment->last_sect - segment->first_sect + 1u) * 512;
	uint8_t *page = mock_grant_map(segment->gref, 0, reads);

	/*
	 * A page the backend may write although it only needs to read would be a fault of the
	 * front.
	 */
	if (!page || (!reads && mock_grant_map(segment->gref, 0, 1)))
		return BLKIF_RSP_ERROR;
	page += segment->first_sect * 512;
	if (segment->last_sect > 7 || sector * 512 + length > sizeof(peer.disk))
		return BLKIF_RSP_ERROR;
	if (reads)
		memcpy(page, peer.disk + sector * 512, length);
	else
		memcpy(peer.disk + sector * 512, page, length);
	if (!peer.keep_grants)
		mock_grant_unmap(segment->gref);
	return BLKIF_RSP_OKAY;
}

static int16_t execute(const struct blkif_request *request)
{
	uint64_t sector = request->sector_number;
	int16_t status = peer.status;

	for (unsigned i = 0; i < request->nr_segments && !status; i++) {
		status = move_segment(request, &request->seg[i], sector);
		sector += request->seg[i].last_sect - request->seg[i].first_sect + 1u;
	}
	return status;
}

static int serve_once(void)
{
	int pending = pvr_ring_pending(&peer.ring);

	for (int i = 0; i < pending; i++) {
		struct blkif_request request;
		struct blkif_response response;

		peer_request_take(&peer.ring, &request);
		memset(&response, 0, sizeof(response));
		response.id = request.id;
		response.operation = request.operation;
		response.status = execute(&request);
		peer_response_put(&peer.ring, &response);
		peer.serves++;
	}
	return pending;
}

int peer_serve(void)
{
	int total = 0, n, notify = 0;

	pthread_mutex_lock(&mutex);
	do {
		while ((n = serve_once()) > 0)
			total += n;
		notify |= pvr_ring_publish_notify(&peer.ring);
	} while (n == 0 && pvr_ring_final_check(&peer.ring) > 0);
	pthread_mutex_unlock(&mutex);
	if (notify)
		mock_raise(peer.port);
	return n < 0 ? n : total;
}

static void on_event(void *arg)
{
	(void)arg;
	if (!peer.manual)
		peer_serve();
}

int peer_take(struct blkif_request *request)
{
	int pending = pvr_ring_pending(&peer.ring);

	if (pending > 0)
		peer_request_take(&peer.ring, request);
	return pending;
}

void peer_answer(uint64_t id, uint8_t operation, int16_t status)
{
	struct blkif_response response;

	memset(&response, 0, sizeof(response));
	response.id = id;
	response.operation = operation;
	response.status = status;
	peer_response_put(&peer.ring, &response);
	pvr_ring_publish(&peer.ring);
	mock_raise(peer.port);
}

/* ---- states ---- */

static void connect(void)
{
	char protocol[16];
	void *page;

	peer.ring_ref = (grant_ref_t)mock_xs_number(PEER_FRONT "/ring-ref");
	peer.port = (evtchn_port_t)mock_xs_number(PEER_FRONT "/event-channel");
	mock_xs_read(PEER_FRONT "/protocol", protocol, sizeof(protocol));
	if (strcmp(protocol, XEN_IO_PROTO_ABI_NATIVE))
		abort();
	page = mock_grant_map(peer.ring_ref, 0, 1);
	if (!page || pvr_ring_back_attach(&peer.ring, page, peer_entries(4096)))
		abort();
	mock_on_send(peer.port, on_event, NULL);
	peer.connected = 1;
	peer_state(XenbusStateConnected);
}

static void disconnect(enum xenbus_state state)
{
	if (peer.connected && state == XenbusStateClosed)
		mock_grant_unmap(peer.ring_ref);
	if (state == XenbusStateClosed)
		peer.connected = 0;
	if (mock_xs_number(PEER_BACK "/state") != (long)state)
		peer_state(state);
}

/* What Linux's backend does with each state of the front. */
static void on_request(void *arg)
{
	long front = mock_xs_number(PEER_FRONT "/state");
	long back = mock_xs_number(PEER_BACK "/state");

	(void)arg;
	if (peer.deaf)
		return;
	switch (front) {
	case XenbusStateInitialising:
		if (back == XenbusStateClosed)
			peer_state(XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
		if (back == XenbusStateInitWait)
			connect();
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		if (back != -1 && back != XenbusStateClosed)
			disconnect((enum xenbus_state)front);
		break;
	default:
		break;
	}
}

void peer_start(void)
{
	mock_start_with_xs();
	memset(&peer, 0, sizeof(peer));
	mock_xs_mkdir(PEER_BACK, "n0,r7");
	mock_xs_write(PEER_FRONT "/backend", PEER_BACK);
	mock_xs_write(PEER_FRONT "/backend-id", "0");
	mock_xs_write(PEER_FRONT "/virtual-device", "51712");
	mock_xs_write(PEER_FRONT "/state", "1");
	peer_node("sectors", "2048");
	peer_node("sector-size", "512");
	peer_node("feature-flush-cache", "1");
	peer_state(XenbusStateInitWait);
	mock_xs_on_request(on_request, NULL);
}
