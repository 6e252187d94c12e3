/* SPDX-License-Identifier: MIT */
/*
 * Takes packets of the frontend: a batch is copied out of the ring and checked, its pages are
 * mapped by one call (or copied, where that costs less), each packet goes to the outside from those
 * pages with a private copy of its headers in front, all are unmapped by one call, and answered.
 * Nothing sleeps, so nothing is left open.
 */
#include <errno.h>
#include <string.h>

#include "outside.h"
#include "queue.h"

/* ---- taking ---- */

static void put_answer(struct pvr_netback_tx *tx, uint16_t id, int16_t status)
{
	tx->answer[tx->answers++] = (struct netif_tx_response){.id = id, .status = status};
}

/* The page of one slice: a static one, or one to be mapped. */
static void ask_page(struct pvr_netback_queue *queue, const struct pvr_netback_slice *slice)
{
	struct pvr_netback_tx *tx = &queue->tx;
	struct pvr_netback_static *fixed = NULL;
	struct pvr_netback_tx_page *page = &tx->page[tx->pages];

	if (queue->statics.count)
		fixed = pvr_netback_statics_find(&queue->statics, slice->ref);
	page->offset = slice->offset;
	page->length = slice->length;
	page->address = fixed ? (const uint8_t *)fixed->map.address + slice->offset : NULL;
	if (fixed) {
		pvr_netback_count(queue, &queue->counts.grants_static, 1);
	} else {
		tx->map[tx->maps] = (struct pvr_host_map){.domid = queue->vif->spec.domid,
			.readonly = 1,
			.brief = 1,
			.offset = slice->offset,
			.length = slice->length,
			.ref = slice->ref};
		tx->map_page[tx->maps++] = (uint16_t)tx->pages;
	}
	tx->pages++;
}

/* A group to be joined or left is no packet; it is done at once. */
static void change_group(struct pvr_netback_queue *queue, const struct pvr_netback_packet *packet,
	unsigned first_answer)
{
	int result = packet->mcast == XEN_NETIF_EXTRA_TYPE_MCAST_ADD
			     ? pvr_netback_mcast_join(queue->vif, packet->mac)
			     : pvr_netback_mcast_leave(queue->vif, packet->mac);

	for (unsigned i = first_answer; result && i < queue->tx.answers; i++)
		if (queue->tx.answer[i].status == NETIF_RSP_OKAY)
			queue->tx.answer[i].status = NETIF_RSP_ERROR;
}

static void join_batch(struct pvr_netback_queue *queue, const struct pvr_netback_packet *packet,
	unsigned first_answer)
{
	struct pvr_netback_tx *tx = &queue->tx;
	struct pvr_netback_tx_packet *entry;

	if (packet->mcast && !packet->error) {
		change_group(queue, packet, first_answer);
		return;
	}
	entry = &tx->packet[tx->packets++];
	entry->error = packet->error;
	entry->bytes = packet->bytes;
	entry->flags = packet->flags;
	entry->gso_size = packet->gso_size;
	entry->gso_type = packet->gso_type;
	entry->answer = (uint16_t)first_answer;
	entry->answers = (uint16_t)(tx->answers - first_answer);
	entry->first = (uint16_t)tx->pages;
	entry->count = packet->error ? 0 : (uint8_t)packet->count;
	for (unsigned i = 0; i < entry->count; i++)
		ask_page(queue, &packet->slice[i]);
	pvr_netback_credit_charge(&tx->credit, packet->bytes);
}

/*
 * The slots of one packet; each is copied once. The frontend has published the whole packet with
 * its first slot, as Linux's netback demands too.
 */
static int take_packet(struct pvr_netback_queue *queue)
{
	struct pvr_netback_tx *tx = &queue->tx;
	struct pvr_netback_packet packet;
	enum pvr_netback_verdict verdict;
	unsigned first = tx->answers;

	pvr_netback_packet_begin(&packet);
	do {
		union pvr_netback_slot slot;
		int is_extra;

		if (tx->ring.seen == tx->ring.cons)
			return pvr_netback_queue_break(queue, "tx: half a packet");
		pvr_netback_tx_request_take(&tx->ring, &slot);
		pvr_netback_journal_keep_tx(queue->journal, tx->ring.cons - 1, &slot);
		verdict = pvr_netback_packet_feed(&packet, &slot, &is_extra);
		if (verdict == PVR_NETBACK_BROKEN)
			return pvr_netback_queue_break(queue, packet.error);
		put_answer(tx, is_extra ? 0 : slot.request.id,
			is_extra ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
	} while (verdict == PVR_NETBACK_MORE);
	join_batch(queue, &packet, first);
	return 0;
}

static int take_batch(struct pvr_netback_queue *queue, uint64_t now)
{
	struct pvr_netback_tx *tx = &queue->tx;

	while (tx->answers < PVR_NETBACK_TX_BATCH && tx->ring.seen != tx->ring.cons) {
		int result;

		tx->wait_until = pvr_netback_credit_wait(&tx->credit, now);
		if (tx->wait_until) {
			pvr_netback_count(queue, &queue->counts.limited, 1);
			return 0;
		}
		result = take_packet(queue);
		if (result)
			return result;
	}
	return 0;
}

/* ---- pages ---- */

static void map_batch(struct pvr_netback_queue *queue)
{
	struct pvr_netback_tx *tx = &queue->tx;
	unsigned okay, copied = 0;

	if (!tx->maps)
		return;
	okay = pvr_host_map(queue->host, tx->map, tx->maps);
	for (unsigned i = 0; i < tx->maps; i++) {
		struct pvr_netback_tx_page *page = &tx->page[tx->map_page[i]];

		if (tx->map[i].status != GNTST_okay)
			continue;
		page->address = (const uint8_t *)tx->map[i].address + page->offset;
		copied += tx->map[i].copied;
	}
	pvr_netback_count(queue, &queue->counts.grants_mapped, okay - copied);
	pvr_netback_count(queue, &queue->counts.grants_copied, copied);
}

/* Only those that are mapped; in place, for nobody looks at them again. */
static void unmap_batch(struct pvr_netback_queue *queue)
{
	struct pvr_netback_tx *tx = &queue->tx;
	unsigned count = 0;

	for (unsigned i = 0; i < tx->maps; i++)
		if (tx->map[i].status == GNTST_okay)
			tx->map[count++] = tx->map[i];
	if (count)
		pvr_host_unmap(queue->host, tx->map, count);
}

/* ---- passing on ---- */

/*
 * A packet on its way: the header for the outside, a copy of its first bytes, and then the pages.
 * What decides anything is read in the copy, which the guest cannot change.
 */
struct passage {
	struct virtio_net_hdr vnet;
	uint8_t head[PVR_NETBACK_HEAD];
	struct iovec iov[2 + PVR_NETBACK_SLICES_MAX];
	int count;
};

/* 0, or -EFAULT: a page of it is missing. */
static int gather(
	struct pvr_netback_tx *tx, const struct pvr_netback_tx_packet *packet, struct passage *out)
{
	size_t have = 0;

	out->count = 2;
	for (unsigned i = 0; i < packet->count; i++) {
		const struct pvr_netback_tx_page *page = &tx->page[packet->first + i];
		size_t take = PVR_NETBACK_HEAD - have;

		if (!page->address)
			return -EFAULT;
		if (take > page->length)
			take = page->length;
		pvr_copy_once(out->head + have, page->address, take);
		have += take;
		if (take == page->length)
			continue;
		out->iov[out->count++] = (struct iovec){
			(void *)(uintptr_t)(page->address + take), page->length - take};
	}
	out->iov[0] = (struct iovec){&out->vnet, sizeof(out->vnet)};
	out->iov[1] = (struct iovec){out->head, have};
	return 0;
}

/* For an outside that cannot: the checksum field lies in the copy, for the headers do. */
static void complete_checksum(struct passage *out)
{
	size_t start = out->vnet.csum_start;
	uint16_t sum = pvr_netback_checksum(out->iov + 1, out->count - 1, start);

	memcpy(out->head + start + out->vnet.csum_offset, &sum, sizeof(sum));
	memset(&out->vnet, 0, sizeof(out->vnet));
}

static const char *make_header(const struct pvr_netback_queue *queue,
	const struct pvr_netback_tx_packet *packet, struct passage *out)
{
	const struct pvr_netback_outside *outside = queue->vif->outside;
	const char *error = pvr_netback_headers_tx(packet->bytes, packet->flags, packet->gso_type,
		packet->gso_size, out->head, out->iov[1].iov_len, &out->vnet);
	unsigned gso = out->vnet.gso_type == VIRTIO_NET_HDR_GSO_TCPV4   ? PVR_NETBACK_GSO4
		       : out->vnet.gso_type == VIRTIO_NET_HDR_GSO_TCPV6 ? PVR_NETBACK_GSO6
									: 0;

	if (error)
		return error;
	if (gso & ~outside->takes || (gso && !queue->vif->facts.tx_gso))
		return "GSO that was not offered";
	if (out->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !(outside->takes & PVR_NETBACK_CSUM))
		complete_checksum(out);
	return NULL;
}

/* NETIF_RSP_OKAY, or what it is answered with when it is lost. */
static int16_t pass(struct pvr_netback_queue *queue, const struct pvr_netback_tx_packet *packet)
{
	struct pvr_netback_outside *outside = queue->vif->outside;
	struct pvr_netback_stats *counts = &queue->counts;
	struct passage out;
	int lost = PVR_NETBACK_DROP_MALFORMED;

	if (packet->error)
		goto drop;
	lost = PVR_NETBACK_DROP_GRANT;
	if (gather(&queue->tx, packet, &out))
		goto drop;
	lost = PVR_NETBACK_DROP_MALFORMED;
	if (make_header(queue, packet, &out))
		goto drop;
	pvr_netback_count(queue, &counts->copied, out.iov[1].iov_len);
	lost = PVR_NETBACK_DROP_OUTSIDE;
	if (outside->ops->write(outside, queue->index, out.iov, out.count))
		goto drop;
	pvr_netback_count(queue, &counts->tx_packets, 1);
	pvr_netback_count(queue, &counts->tx_bytes, packet->bytes);
	if (packet->gso_type)
		pvr_netback_count(queue, &counts->tx_gso, 1);
	return NETIF_RSP_OKAY;

drop:
	pvr_netback_count(queue, &counts->tx_dropped[lost], 1);
	/* What the outside does with it is no business of the frontend's. */
	return lost == PVR_NETBACK_DROP_OUTSIDE ? NETIF_RSP_DROPPED : NETIF_RSP_ERROR;
}

static void pass_batch(struct pvr_netback_queue *queue)
{
	struct pvr_netback_tx *tx = &queue->tx;

	for (unsigned i = 0; i < tx->packets; i++) {
		const struct pvr_netback_tx_packet *packet = &tx->packet[i];
		int16_t status = pass(queue, packet);

		for (unsigned j = 0; status != NETIF_RSP_OKAY && j < packet->answers; j++)
			if (tx->answer[packet->answer + j].status == NETIF_RSP_OKAY)
				tx->answer[packet->answer + j].status = status;
	}
}

/* A response is written whole; the rest of its slot is still the guest's own request (XSA-216). */
static void answer_batch(struct pvr_netback_tx *tx)
{
	for (unsigned i = 0; i < tx->answers; i++)
		pvr_netback_tx_response_put(&tx->ring, &tx->answer[i]);
}

/* ---- the turn ---- */

int pvr_netback_tx_open(struct pvr_netback_queue *queue)
{
	return !queue->tx.wait_until && !queue->tx.blocked;
}

int pvr_netback_tx_turn(struct pvr_netback_queue *queue, uint64_t now_ns)
{
	struct pvr_netback_outside *outside = queue->vif->outside;
	struct pvr_netback_tx *tx = &queue->tx;
	int pending = pvr_ring_pending(&tx->ring), result;

	if (pending < 0)
		return pvr_netback_queue_break(queue, "tx: an impossible index");
	if (tx->wait_until > now_ns)
		return 0;
	tx->wait_until = 0;
	/* Asked also when nothing is to be sent: what the outside still holds goes on by this. */
	tx->blocked = outside->ops->room && !outside->ops->room(outside, queue->index);
	if (!pending || tx->blocked)
		return 0;
	tx->packets = tx->pages = tx->maps = tx->answers = 0;
	result = take_batch(queue, now_ns);
	pvr_netback_journal_taken(&queue->journal->tx_cons, tx->ring.cons);
	if (result)
		return result;
	map_batch(queue);
	pass_batch(queue);
	unmap_batch(queue);
	answer_batch(tx);
	return (int)tx->answers;
}
