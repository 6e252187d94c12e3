/* SPDX-License-Identifier: MIT */
/* The frontend's empty buffers: taken off the rx ring, mapped, and answered in their order. */
#include <string.h>

#include "queue.h"

static int is_mapped(const struct pvr_netback_buffer *buffer)
{
	return buffer->fixed || buffer->map.status == GNTST_okay;
}

/* A static page serves if it may be written; otherwise its reference is mapped like any other. */
static struct pvr_netback_static *find_static(struct pvr_netback_queue *queue, grant_ref_t ref)
{
	struct pvr_netback_static *fixed = NULL;

	if (queue->statics.count)
		fixed = pvr_netback_statics_find(&queue->statics, ref);
	if (!fixed || fixed->map.readonly)
		return NULL;
	fixed->users++;
	pvr_netback_count(queue, &queue->counts.grants_static, 1);
	return fixed;
}

static void take(struct pvr_netback_queue *queue, unsigned count)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct pvr_host_map map[PVR_NETBACK_RX_AHEAD];
	struct pvr_netback_buffer *want[PVR_NETBACK_RX_AHEAD];
	unsigned maps = 0;

	for (unsigned i = 0; i < count; i++) {
		struct pvr_netback_buffer *buffer = &rx->buffer[rx->tail++ % PVR_NETBACK_RX_AHEAD];
		struct netif_rx_request request;

		pvr_netback_rx_request_take(&rx->ring, &request);
		pvr_netback_journal_keep_rx(queue->journal, rx->ring.cons - 1, &request);
		buffer->id = request.id;
		buffer->fixed = find_static(queue, request.gref);
		if (buffer->fixed) {
			buffer->map = buffer->fixed->map;
			continue;
		}
		map[maps] =
			(struct pvr_host_map){.domid = queue->vif->spec.domid, .ref = request.gref};
		want[maps++] = buffer;
	}
	pvr_netback_journal_taken(&queue->journal->rx_cons, rx->ring.cons);
	if (maps)
		pvr_netback_count(
			queue, &queue->counts.grants_mapped, pvr_host_map(queue->host, map, maps));
	for (unsigned i = 0; i < maps; i++)
		want[i]->map = map[i];
}

int pvr_netback_rx_fill(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;
	unsigned had = pvr_netback_rx_have(rx), room = PVR_NETBACK_RX_AHEAD - had, bad = 0;
	int pending;

	/* Many by one call rather than one after each packet. */
	if (had > PVR_NETBACK_RX_AHEAD / 2)
		return 0;
	pending = pvr_ring_pending(&rx->ring);
	if (pending < 0)
		return pvr_netback_queue_break(queue, "rx: an impossible index");
	if (pending == 0)
		return 0;
	take(queue, (unsigned)pending < room ? (unsigned)pending : room);
	for (unsigned i = had; i < pvr_netback_rx_have(rx); i++)
		if (!is_mapped(pvr_netback_rx_buffer(rx, i)))
			bad = i + 1;
	for (unsigned i = 0; i < bad; i++) {
		union pvr_netback_rx_response response = {.response.status = NETIF_RSP_ERROR};

		pvr_netback_rx_answer(queue, &response, 0);
	}
	return (int)bad;
}

static void release(struct pvr_netback_queue *queue, struct pvr_netback_buffer *buffer)
{
	struct pvr_netback_rx *rx = &queue->rx;

	if (buffer->fixed) {
		buffer->fixed->users--;
	} else if (buffer->map.status == GNTST_okay) {
		if (rx->unmaps == PVR_NETBACK_RX_AHEAD)
			pvr_netback_rx_flush(queue);
		rx->unmap[rx->unmaps++] = buffer->map;
	}
}

void pvr_netback_rx_answer(
	struct pvr_netback_queue *queue, union pvr_netback_rx_response *response, int is_extra)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct pvr_netback_buffer *buffer = pvr_netback_rx_buffer(rx, 0);

	if (!is_extra)
		response->response.id = buffer->id;
	pvr_netback_rx_response_put(&rx->ring, response);
	release(queue, buffer);
	rx->head++;
}

void pvr_netback_rx_flush(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;

	if (rx->unmaps)
		pvr_host_unmap(queue->host, rx->unmap, rx->unmaps);
	rx->unmaps = 0;
}

void pvr_netback_rx_end(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;

	for (; rx->head != rx->tail; rx->head++)
		release(queue, pvr_netback_rx_buffer(rx, 0));
	pvr_netback_rx_flush(queue);
}
