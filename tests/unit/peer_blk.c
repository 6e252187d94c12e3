/* SPDX-License-Identifier: MIT */
/* A block backend in the test process. */
#include "peer_blk.h"
#include "mock_port.h"
#include "mock_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blk_peer blk_peer;

/* ---- requests ---- */

static int16_t move_segment(
	uint8_t operation, const struct blkif_request_segment *segment, uint64_t sector)
{
	int reads = operation == BLKIF_OP_READ;
	size_t length = (segment->last_sect - segment->first_sect + 1u) * 512;
	uint8_t *page = peer_map(segment->gref, reads || blk_peer.persistent);

	/*
	 * A page the backend may write although it only needs to read would be a fault of the
	 * front.
	 */
	if (!page || (!reads && !blk_peer.persistent && peer_map(segment->gref, 1)))
		return BLKIF_RSP_ERROR;
	memcpy(blk_peer.page, page, sizeof(blk_peer.page));
	page += segment->first_sect * 512;
	if (segment->last_sect > 7 || sector * 512 + length > sizeof(blk_peer.disk))
		return BLKIF_RSP_ERROR;
	if (reads)
		memcpy(page, blk_peer.disk + sector * 512, length);
	else
		memcpy(blk_peer.disk + sector * 512, page, length);
	if (!blk_peer.persistent)
		peer_unmap(segment->gref);
	return BLKIF_RSP_OKAY;
}

static int16_t move_all(uint8_t operation, const struct blkif_request_segment *segments,
	unsigned count, uint64_t sector)
{
	int16_t status = blk_peer.status;

	if (count > blk_peer.most_segments)
		blk_peer.most_segments = count;
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
	void *page = peer_map(ref, 0);

	response->id = request->id;
	response->operation = request->indirect_op;
	if (!page || request->nr_segments > 256 || peer_map(ref, 1))
		return BLKIF_RSP_ERROR;
	memcpy(segments, page, sizeof(segments));
	peer_unmap(ref);
	return move_all(
		request->indirect_op, segments, request->nr_segments, request->sector_number);
}

static int16_t execute(const struct blkif_request *request, struct blkif_response *response)
{
	blk_peer.ops[request->operation & 7]++;
	response->id = request->id;
	response->operation = request->operation;
	if (request->operation == BLKIF_OP_INDIRECT)
		return execute_indirect((const void *)request, response);
	if (request->operation == BLKIF_OP_DISCARD) {
		memcpy(&blk_peer.discard, request, sizeof(blk_peer.discard));
		return blk_peer.status;
	}
	if (request->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_ERROR;
	return move_all(
		request->operation, request->seg, request->nr_segments, request->sector_number);
}

static void serve(unsigned queue)
{
	struct blkif_request request;
	struct blkif_response response;

	blk_request_take(&blk_peer.queue[queue].ring, &request);
	memset(&response, 0, sizeof(response));
	response.status = execute(&request, &response);
	blk_response_put(&blk_peer.queue[queue].ring, &response);
	blk_peer.serves++;
}

int blk_peer_take(struct blkif_request *request)
{
	int pending = pvr_ring_pending(&blk_peer.queue[0].ring);

	if (pending > 0)
		blk_request_take(&blk_peer.queue[0].ring, request);
	return pending;
}

void blk_peer_answer(uint64_t id, uint8_t operation, int16_t status)
{
	struct blkif_response response;

	memset(&response, 0, sizeof(response));
	response.id = id;
	response.operation = operation;
	response.status = status;
	blk_response_put(&blk_peer.queue[0].ring, &response);
	pvr_ring_publish(&blk_peer.queue[0].ring);
	mock_raise(blk_peer.queue[0].port);
}

/* ---- states ---- */

void blk_peer_attach(unsigned index)
{
	struct blk_peer_queue *queue = &blk_peer.queue[index];
	char *first = NULL;

	for (unsigned i = 0; i < queue->pages; i++) {
		char *page = peer_map(queue->ref[i], 1);

		/* A backend puts them side by side; here the front's own pages are. */
		first = i ? first : page;
		if (!page || page != first + i * 4096)
			abort();
	}
	if (pvr_ring_back_attach(&queue->ring, (void *)first, blk_entries(queue->pages * 4096u)))
		abort();
}

static void connect_queue(unsigned index)
{
	struct blk_peer_queue *queue = &blk_peer.queue[index];
	long order = mock_xs_number(BLK_FRONT "/ring-page-order");
	char name[16];

	queue->pages = order < 0 ? 1 : 1u << order;
	for (unsigned i = 0; i < queue->pages; i++) {
		snprintf(name, sizeof(name), order < 0 ? "ring-ref" : "ring-ref%u", i);
		queue->ref[i] = (grant_ref_t)peer_front(index, name);
	}
	queue->port = (evtchn_port_t)peer_front(index, "event-channel");
	blk_peer_attach(index);
	peer.queue[index].ring = &queue->ring;
	peer.queue[index].port = queue->port;
}

static void connect(void)
{
	char protocol[16];

	mock_xs_read(BLK_FRONT "/protocol", protocol, sizeof(protocol));
	if (strcmp(protocol, XEN_IO_PROTO_ABI_NATIVE))
		abort();
	for (unsigned i = 0; i < peer.queues; i++)
		connect_queue(i);
	blk_peer.persistent = mock_xs_number(BLK_FRONT "/feature-persistent") == 1 &&
			      mock_xs_number(BLK_BACK "/feature-persistent") == 1;
}

void blk_peer_start(void)
{
	static const struct peer_kind kind = {
		BLK_FRONT, BLK_BACK, XenbusStateInitialised, connect, serve};

	peer_begin(&kind);
	memset(&blk_peer, 0, sizeof(blk_peer));
	mock_xs_write(BLK_FRONT "/virtual-device", "51712");
	peer_node("sectors", "2048");
	peer_node("sector-size", "512");
	peer_node("feature-flush-cache", "1");
	peer_state(XenbusStateInitWait);
}
