/* SPDX-License-Identifier: MIT */
/*
 * The frontend's empty buffers: taken off the rx ring, mapped, and answered in their order. The port may
 * copy instead (`brief`), and then by the unmapping: such answers are put into the ring after that.
 */
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
	unsigned maps = 0, okay = 0;

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
		map[maps] = (struct pvr_host_map){
			.domid = queue->vif->spec.domid, .brief = 1, .ref = request.gref};
		want[maps++] = buffer;
	}
	pvr_netback_journal_taken(&queue->journal->rx_cons, rx->ring.cons);
	if (maps)
		okay = pvr_host_map(queue->host, map, maps);
	for (unsigned i = 0; i < maps; i++) {
		want[i]->map = map[i];
		okay -= map[i].copied; /* not yet, and perhaps never */
	}
	pvr_netback_count(queue, &queue->counts.grants_mapped, okay);
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

/* Its page is to be unmapped by the next flush: 1 + the index there, or 0. */
static uint8_t release(struct pvr_netback_rx *rx, struct pvr_netback_buffer *buffer)
{
	if (buffer->fixed)
		buffer->fixed->users--;
	else if (buffer->map.status == GNTST_okay) {
		rx->unmap[rx->unmaps++] = buffer->map;
		return (uint8_t)rx->unmaps;
	}
	return 0;
}

void pvr_netback_rx_answer(
	struct pvr_netback_queue *queue, union pvr_netback_rx_response *response, int is_extra)
{
	struct pvr_netback_rx *rx = &queue->rx;
	struct pvr_netback_buffer *buffer = pvr_netback_rx_buffer(rx, 0);
	struct pvr_netback_answer *answer;

	if (rx->answers == PVR_NETBACK_RX_AHEAD || rx->unmaps == PVR_NETBACK_RX_AHEAD)
		pvr_netback_rx_flush(queue);
	if (!is_extra) {
		response->response.id = buffer->id;
		if (response->response.status > 0) {
			buffer->map.offset = response->response.offset;
			buffer->map.length = (uint16_t)response->response.status;
		}
	}
	rx->head++;
	/* Nothing is to be learnt of a page that is really mapped: between packets the ring's lines come while we work. */
	if (!rx->answers && !buffer->map.copied) {
		(void)release(rx, buffer);
		pvr_netback_rx_response_put(&rx->ring, response);
		return;
	}
	answer = &rx->answer[rx->answers++];
	*answer = (struct pvr_netback_answer){*response, is_extra != 0, release(rx, buffer)};
}

/*
 * What a page's unmapping says of its answer. A piece that did not arrive has an error in place of its
 * length; its flags stay, for the frontend counts the pieces by them. The packet is lost once.
 */
static void judge(struct pvr_netback_queue *queue, struct pvr_netback_answer *answer)
{
	struct pvr_netback_rx *rx = &queue->rx;
	const struct pvr_host_map *map = answer->unmap ? &rx->unmap[answer->unmap - 1u] : NULL;

	if (map && map->status != GNTST_okay) {
		answer->response.response.status = NETIF_RSP_ERROR;
		pvr_netback_count(
			queue, &queue->counts.rx_dropped[PVR_NETBACK_DROP_GRANT], !rx->lost);
		rx->lost = 1;
	} else if (map && map->copied) {
		pvr_netback_count(queue, &queue->counts.grants_copied, 1);
	}
	if (!(answer->response.response.flags & NETRXF_more_data))
		rx->lost = 0;
}

void pvr_netback_rx_flush(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;

	if (rx->unmaps)
		pvr_host_unmap(queue->host, rx->unmap, rx->unmaps);
	for (unsigned i = 0; i < rx->answers; i++) {
		if (!rx->answer[i].is_extra)
			judge(queue, &rx->answer[i]);
		pvr_netback_rx_response_put(&rx->ring, &rx->answer[i].response);
	}
	rx->unmaps = rx->answers = 0;
}

void pvr_netback_rx_end(struct pvr_netback_queue *queue)
{
	struct pvr_netback_rx *rx = &queue->rx;

	pvr_netback_rx_flush(queue);
	for (; rx->head != rx->tail; rx->head++)
		(void)release(rx, pvr_netback_rx_buffer(rx, 0));
	pvr_netback_rx_flush(queue);
}
