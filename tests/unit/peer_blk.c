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

/* ---- pages ---- */

static void *map(grant_ref_t ref, int write)
{
	void *page = mock_grant_map(ref, 0, write);

	if (page)
		peer.mapped[ref % PEER_REFS] = 1;
	return page;
}

static void unmap(grant_ref_t ref)
{
	mock_grant_unmap(ref);
	peer.mapped[ref % PEER_REFS] = 0;
}

void peer_kill(void)
{
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < PEER_REFS; i++)
		if (peer.mapped[i])
			unmap(i);
	peer.connected = 0;
	pthread_mutex_unlock(&mutex);
}

/* ---- requests ---- */

static int16_t move_segment(
	uint8_t operation, const struct blkif_request_segment *segment, uint64_t sector)
{
	int reads = operation == BLKIF_OP_READ;
	size_t length = (segment->last_sect - segment->first_sect + 1u) * 512;
	uint8_t *page = map(segment->gref, reads || peer.persistent);

	/*
	 * A page the backend may write although it only needs to read would be a fault of the
	 * front.
	 */
	if (!page || (!reads && !peer.persistent && map(segment->gref, 1)))
		return BLKIF_RSP_ERROR;
	memcpy(peer.page, page, sizeof(peer.page));
	page += segment->first_sect * 512;
	if (segment->last_sect > 7 || sector * 512 + length > sizeof(peer.disk))
		return BLKIF_RSP_ERROR;
	if (reads)
		memcpy(page, peer.disk + sector * 512, length);
	else
		memcpy(peer.disk + sector * 512, page, length);
	if (!peer.keep_grants && !peer.persistent)
		unmap(segment->gref);
	return BLKIF_RSP_OKAY;
}

static int16_t move_all(uint8_t operation, const struct blkif_request_segment *segments,
	unsigned count, uint64_t sector)
{
	int16_t status = peer.status;

	if (count > peer.most_segments)
		peer.most_segments = count;
	for (unsigned i = 0; i < count && !status; i++) {
		status = move_segment(operation, &segments[i], sector);
		sector += segments[i].last_sect - segments[i].first_sect + 1u;
	}
	return status;
}

static int16_t execute_indirect(
	const struct blkif_request_indirect *request, struct blkif_response *response)
{
	struct blkif_request_segment segments[512];
	grant_ref_t ref = request->indirect_grefs[0];
	void *page = map(ref, 0);

	response->id = request->id;
	response->operation = request->indirect_op;
	if (!page || request->nr_segments > 256 || map(ref, 1))
		return BLKIF_RSP_ERROR;
	memcpy(segments, page, sizeof(segments));
	unmap(ref);
	return move_all(
		request->indirect_op, segments, request->nr_segments, request->sector_number);
}

static int16_t execute(const struct blkif_request *request, struct blkif_response *response)
{
	peer.ops[request->operation & 7]++;
	response->id = request->id;
	response->operation = request->operation;
	if (request->operation == BLKIF_OP_INDIRECT)
		return execute_indirect((const void *)request, response);
	if (request->operation == BLKIF_OP_DISCARD) {
		memcpy(&peer.discard, request, sizeof(peer.discard));
		return peer.status;
	}
	if (request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_ERROR;
	return move_all(
		request->operation, request->seg, request->nr_segments, request->sector_number);
}

static int serve_once(struct peer_queue *queue)
{
	int pending = pvr_ring_pending(&queue->ring);

	for (int i = 0; i < pending; i++) {
		struct blkif_request request;
		struct blkif_response response;

		peer_request_take(&queue->ring, &request);
		memset(&response, 0, sizeof(response));
		response.status = execute(&request, &response);
		peer_response_put(&queue->ring, &response);
		peer.serves++;
	}
	return pending;
}

static int serve(struct peer_queue *queue)
{
	int total = 0, n = 0, notify = 0;

	pthread_mutex_lock(&mutex);
	if (peer.connected)
		do {
			while ((n = serve_once(queue)) > 0)
				total += n;
			notify |= pvr_ring_publish_notify(&queue->ring);
		} while (n == 0 && pvr_ring_final_check(&queue->ring) > 0);
	pthread_mutex_unlock(&mutex);
	if (notify)
		mock_raise(queue->port);
	return n < 0 ? n : total;
}

int peer_serve(void)
{
	int total = 0;

	for (unsigned i = 0; i < peer.queues; i++) {
		int n = serve(&peer.queue[i]);

		if (n < 0)
			return n;
		total += n;
	}
	return total;
}

static void on_event(void *arg)
{
	if (!peer.manual)
		serve(arg);
}

int peer_take(struct blkif_request *request)
{
	int pending = pvr_ring_pending(&peer.queue[0].ring);

	if (pending > 0)
		peer_request_take(&peer.queue[0].ring, request);
	return pending;
}

void peer_answer(uint64_t id, uint8_t operation, int16_t status)
{
	struct blkif_response response;

	memset(&response, 0, sizeof(response));
	response.id = id;
	response.operation = operation;
	response.status = status;
	peer_response_put(&peer.queue[0].ring, &response);
	pvr_ring_publish(&peer.queue[0].ring);
	mock_raise(peer.queue[0].port);
}

/* ---- states ---- */

/* A number below the front's directory, or below that of one of its queues. */
static long front_number(unsigned queue, const char *name)
{
	char path[128];

	if (peer.queues > 1)
		snprintf(path, sizeof(path), PEER_FRONT "/queue-%u/%s", queue, name);
	else
		snprintf(path, sizeof(path), PEER_FRONT "/%s", name);
	return mock_xs_number(path);
}

void peer_attach(unsigned index)
{
	struct peer_queue *queue = &peer.queue[index];
	char *first = NULL;

	for (unsigned i = 0; i < queue->pages; i++) {
		char *page = map(queue->ref[i], 1);

		/* A backend puts them side by side; here the front's own pages are. */
		first = i ? first : page;
		if (!page || page != first + i * 4096)
			abort();
	}
	if (pvr_ring_back_attach(&queue->ring, (void *)first, peer_entries(queue->pages * 4096u)))
		abort();
}

static void connect_queue(unsigned index)
{
	struct peer_queue *queue = &peer.queue[index];
	long order = mock_xs_number(PEER_FRONT "/ring-page-order");
	char name[16];

	queue->pages = order < 0 ? 1 : 1u << order;
	for (unsigned i = 0; i < queue->pages; i++) {
		snprintf(name, sizeof(name), order < 0 ? "ring-ref" : "ring-ref%u", i);
		queue->ref[i] = (grant_ref_t)front_number(index, name);
	}
	queue->port = (evtchn_port_t)front_number(index, "event-channel");
	peer_attach(index);
	mock_on_send(queue->port, on_event, queue);
}

static void connect(void)
{
	long queues = mock_xs_number(PEER_FRONT "/multi-queue-num-queues");
	char protocol[16];

	mock_xs_read(PEER_FRONT "/protocol", protocol, sizeof(protocol));
	if (strcmp(protocol, XEN_IO_PROTO_ABI_NATIVE) || queues > (long)PEER_QUEUES)
		abort();
	pthread_mutex_lock(&mutex);
	peer.queues = queues < 1 ? 1 : (unsigned)queues;
	for (unsigned i = 0; i < peer.queues; i++)
		connect_queue(i);
	peer.persistent = mock_xs_number(PEER_FRONT "/feature-persistent") == 1 &&
			  mock_xs_number(PEER_BACK "/feature-persistent") == 1;
	peer.connected = 1;
	peer.connects++;
	pthread_mutex_unlock(&mutex);
	peer_state(XenbusStateConnected);
}

static void disconnect(enum xenbus_state state)
{
	if (peer.connected && state == XenbusStateClosed && !peer.keep_grants)
		peer_kill();
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
