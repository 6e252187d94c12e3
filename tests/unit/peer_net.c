/* SPDX-License-Identifier: MIT */
/* A network backend in the test process. */
#include "peer_net.h"
#include "mock_port.h"
#include "mock_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct net_peer net_peer;

static void fault(const char *what)
{
	net_peer.faults++;
	net_peer.fault = what;
}

static void count_use(grant_ref_t ref)
{
	if (ref < PEER_REFS && peer.mapped[ref] == 2)
		net_peer.used_static++;
	else
		net_peer.used_once++;
}

/* ---- what the front sends ---- */

int net_peer_tx_take(unsigned queue, union net_tx_slot *slot)
{
	int pending = pvr_ring_pending(&net_peer.queue[queue].tx);

	if (pending > 0)
		net_tx_request_take(&net_peer.queue[queue].tx, slot);
	return pending;
}

void net_peer_tx_put(unsigned queue, uint16_t id, int16_t status)
{
	const struct netif_tx_response response = {id, status};

	net_tx_response_put(&net_peer.queue[queue].tx, &response);
}

static void take_extra(const struct netif_extra_info *extra)
{
	switch (extra->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		net_peer.last.gso_size = extra->u.gso.size;
		net_peer.last.gso_type = extra->u.gso.type;
		if (!extra->u.gso.size || extra->u.gso.pad || extra->u.gso.features)
			fault("gso");
		break;
	case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
	case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
		net_peer.mcast = *extra;
		break;
	default:
		fault("extra of no kind");
		break;
	}
}

static void copy_slot(const struct netif_tx_request *request, uint32_t length)
{
	struct net_frame *last = &net_peer.last;
	uint8_t *page = peer_map(request->gref, 0);

	if (!page) {
		fault("page not granted");
		return;
	}
	if (peer_map(request->gref, 1))
		fault("page granted for writing");
	if (request->offset + length > 4096 || last->length + length > 65535)
		fault("slot beyond its page, or packet too long");
	else
		memcpy(last->bytes + last->length, page + request->offset, length);
	last->length += length;
	last->slots++;
	count_use(request->gref);
	peer_unmap(request->gref);
}

/* The other slots, taken before anything is copied: the first one's length is what they leave. */
static unsigned take_rest(unsigned queue, union net_tx_slot *slot)
{
	unsigned count = 1;

	while (slot[count - 1].request.flags & NETTXF_more_data) {
		if (count == XEN_NETIF_NR_SLOTS_MIN || net_peer_tx_take(queue, &slot[count]) <= 0) {
			fault("packet of too many slots, or without its end");
			break;
		}
		count++;
	}
	return count;
}

static unsigned take_extras(unsigned queue)
{
	union net_tx_slot slot;
	unsigned count = 0;

	do {
		if (net_peer_tx_take(queue, &slot) <= 0) {
			fault("extras without end");
			break;
		}
		take_extra(&slot.extra);
		count++;
	} while (slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return count;
}

static void serve_packet(unsigned queue)
{
	union net_tx_slot slot[XEN_NETIF_NR_SLOTS_MIN];
	struct net_frame *last = &net_peer.last;
	unsigned extras = 0, count;
	uint32_t rest = 0;

	net_peer_tx_take(queue, &slot[0]);
	last->length = last->slots = last->gso_size = last->gso_type = 0;
	last->flags = slot[0].request.flags;
	net_peer.mcast.type = 0;
	if (last->flags & NETTXF_extra_info)
		extras = take_extras(queue);
	count = take_rest(queue, slot);
	for (unsigned i = 1; i < count; i++)
		rest += slot[i].request.size;
	if (!net_peer.mcast.type) {
		if (rest >= slot[0].request.size)
			fault("first slot has no data");
		for (unsigned i = 0; i < count; i++)
			copy_slot(&slot[i].request, slot[i].request.size - (i ? 0 : rest));
		net_peer.frames++;
	}
	if (last->gso_type && !(last->flags & NETTXF_csum_blank))
		fault("gso without a blank checksum");
	/* As Linux: the extras' answers after the first's. */
	for (unsigned i = 0; i < count; i++) {
		net_peer_tx_put(queue, slot[i].request.id, net_peer.status);
		for (; extras; extras--)
			net_peer_tx_put(queue, 0, NETIF_RSP_NULL);
	}
}

/* ---- what the front receives ---- */

int net_peer_rx_take(unsigned queue, struct netif_rx_request *request)
{
	int pending = pvr_ring_pending(&net_peer.queue[queue].rx);

	if (pending > 0)
		net_rx_request_take(&net_peer.queue[queue].rx, request);
	return pending;
}

void net_peer_rx_put(unsigned queue, const union net_rx_slot *slot)
{
	net_rx_response_put(&net_peer.queue[queue].rx, slot);
}

void net_peer_rx_answer(
	unsigned queue, uint16_t id, uint16_t offset, uint16_t flags, int16_t status)
{
	union net_rx_slot slot = {.response = {id, offset, flags, status}};

	net_peer_rx_put(queue, &slot);
}

void net_peer_tell(unsigned queue)
{
	int tx = pvr_ring_publish_notify(&net_peer.queue[queue].tx);
	int rx = pvr_ring_publish_notify(&net_peer.queue[queue].rx);

	if (tx)
		mock_raise(net_peer.queue[queue].tx_port);
	if (rx)
		mock_raise(net_peer.queue[queue].rx_port);
}

static void give_slot(
	unsigned queue, const uint8_t *bytes, uint32_t length, uint16_t offset, uint16_t flags)
{
	struct netif_rx_request request = {0};
	uint8_t *page;

	if (net_peer_rx_take(queue, &request) <= 0)
		abort();
	page = peer_map(request.gref, 1);
	if (page)
		memcpy(page + offset, bytes, length);
	else
		fault("buffer not granted");
	count_use(request.gref);
	peer_unmap(request.gref);
	net_peer_rx_answer(queue, request.id, offset, flags, (int16_t)length);
}

int net_peer_give(unsigned queue, const void *bytes, uint32_t length, uint32_t slice,
	uint16_t offset, uint16_t flags, const struct netif_extra_info *extra, unsigned extras)
{
	uint32_t needed = (length + slice - 1) / slice + extras, done = 0;

	struct pvr_ring *ring = &net_peer.queue[queue].rx;

	/* Pending counts those known of; all that were posted by now are wanted. */
	ring->seen = atomic_load_explicit(ring->in_prod, memory_order_acquire);
	if (ring->seen - ring->cons < needed)
		return -EAGAIN;
	do {
		uint32_t piece = length - done < slice ? length - done : slice;
		uint16_t more = done + piece < length ? NETRXF_more_data : 0;

		give_slot(queue, (const uint8_t *)bytes + done, piece, offset,
			(uint16_t)(flags | more | (extras ? NETRXF_extra_info : 0)));
		flags = 0;
		for (; extras; extras--, extra++) {
			union net_rx_slot slot = {.extra = *extra};
			struct netif_rx_request unused;

			net_peer_rx_take(queue, &unused);
			slot.extra.flags = extras > 1 ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
			net_peer_rx_put(queue, &slot);
		}
		done += piece;
	} while (done < length);
	net_peer_tell(queue);
	return 0;
}

/* ---- the control ring ---- */

static uint32_t change_grants(const struct xen_netif_ctrl_request *request)
{
	struct xen_netif_gref *list = peer_map(request->data[1], 1);
	uint32_t status = XEN_NETIF_CTRL_STATUS_SUCCESS;

	if (!list || request->data[2] > 512 || request->data[0] >= peer.queues)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (unsigned i = 0; i < request->data[2]; i++) {
		int readonly = list[i].flags & XEN_NETIF_CTRLF_GREF_readonly;

		if (request->type == XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING) {
			peer.mapped[list[i].ref] = 1;
			peer_unmap(list[i].ref);
		} else if (!peer_map(list[i].ref, !readonly) ||
			   (readonly && peer_map(list[i].ref, 1))) {
			status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		} else {
			peer.mapped[list[i].ref] = 2;
		}
	}
	peer_unmap(request->data[1]);
	return status;
}

static uint32_t copy_in(grant_ref_t ref, void *to, size_t bytes)
{
	void *page = peer_map(ref, 0);

	if (!page)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	memcpy(to, page, bytes);
	peer_unmap(ref);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t control(const struct xen_netif_ctrl_request *request, uint32_t *data)
{
	const uint32_t *in = request->data;

	switch (request->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		net_peer.hash_algorithm = in[0];
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		if (net_peer.hash_algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		net_peer.hash_flags = in[0];
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return in[1] > sizeof(net_peer.hash_key) ? XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
							 : copy_in(in[0], net_peer.hash_key, in[1]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		*data = 128;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		net_peer.hash_map_size = in[0];
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		return in[1] + in[2] > net_peer.hash_map_size
			       ? XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
			       : copy_in(in[0], net_peer.hash_map + in[2], in[1] * 4);
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
		*data = net_peer.static_size;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		return change_grants(request);
	default:
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
}

static void answer_control(const struct xen_netif_ctrl_request *request)
{
	struct xen_netif_ctrl_response response = {0};

	net_peer.ctrl_requests++;
	response.id = request->id ^ net_peer.ctrl_lie;
	response.type = request->type;
	response.status = request->type == net_peer.refuse ? XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
							   : control(request, &response.data);
	net_ctrl_response_put(&net_peer.ctrl, &response);
	pvr_ring_publish(&net_peer.ctrl);
	pvr_ring_final_check(&net_peer.ctrl);
}

static void *answer_late(void *arg)
{
	evtchn_port_t port;

	usleep(NET_PEER_LATE_US);
	pthread_mutex_lock(&peer.lock);
	answer_control(arg);
	port = net_peer.ctrl_port;
	pthread_mutex_unlock(&peer.lock);
	free(arg);
	mock_raise(port);
	return NULL;
}

static void begin_late(const struct xen_netif_ctrl_request *request)
{
	struct xen_netif_ctrl_request *copy = malloc(sizeof(*copy));
	pthread_t thread;

	if (!copy) {
		fault("no memory");
		return;
	}
	*copy = *request;
	if (pthread_create(&thread, NULL, answer_late, copy))
		fault("no thread");
	else
		pthread_detach(thread);
}

static void on_control(void *arg)
{
	struct xen_netif_ctrl_request request;
	evtchn_port_t port = 0;

	(void)arg;
	pthread_mutex_lock(&peer.lock);
	while (peer.connected && net_peer.ctrl_port && !net_peer.ctrl_deaf &&
		pvr_ring_pending(&net_peer.ctrl) > 0) {
		net_ctrl_request_take(&net_peer.ctrl, &request);
		if (request.type && request.type == net_peer.slow) {
			begin_late(&request);
			continue;
		}
		answer_control(&request);
		port = net_peer.ctrl_port;
	}
	pthread_mutex_unlock(&peer.lock);
	if (port)
		mock_raise(port);
}

/* ---- states ---- */

void net_peer_attach(unsigned index)
{
	struct net_peer_queue *queue = &net_peer.queue[index];
	void *tx = peer_map(queue->tx_ref, 1), *rx = peer_map(queue->rx_ref, 1);

	if (!tx || !rx || pvr_ring_back_attach(&queue->tx, tx, 256) ||
		pvr_ring_back_attach(&queue->rx, rx, 256))
		abort();
}

static void connect_queue(unsigned index)
{
	struct net_peer_queue *queue = &net_peer.queue[index];
	long port = peer_front(index, "event-channel");

	queue->tx_ref = (grant_ref_t)peer_front(index, "tx-ring-ref");
	queue->rx_ref = (grant_ref_t)peer_front(index, "rx-ring-ref");
	queue->tx_port = (evtchn_port_t)(port >= 0 ? port : peer_front(index, "event-channel-tx"));
	queue->rx_port = (evtchn_port_t)(port >= 0 ? port : peer_front(index, "event-channel-rx"));
	net_peer_attach(index);
	peer.queue[index].ring = &queue->tx;
	peer.queue[index].port = queue->tx_port;
}

static void connect_control(void)
{
	long ref = mock_xs_number(NET_FRONT "/ctrl-ring-ref");
	void *page;

	net_peer.ctrl_port = 0;
	if (ref < 0)
		return;
	net_peer.ctrl_ref = (grant_ref_t)ref;
	net_peer.ctrl_port = (evtchn_port_t)mock_xs_number(NET_FRONT "/event-channel-ctrl");
	page = peer_map(net_peer.ctrl_ref, 1);
	if (!page || pvr_ring_back_attach(&net_peer.ctrl, page, net_ctrl_entries(4096)))
		abort();
	mock_on_send(net_peer.ctrl_port, on_control, NULL);
}

static void connect(void)
{
	if (mock_xs_number(NET_FRONT "/request-rx-copy") != 1)
		abort();
	for (unsigned i = 0; i < peer.queues; i++)
		connect_queue(i);
	connect_control();
}

void net_peer_start(void)
{
	/* Initialised is no state that Linux's backend knows. */
	static const struct peer_kind kind = {
		NET_FRONT, NET_BACK, XenbusStateConnected, connect, serve_packet};

	peer_begin(&kind);
	memset(&net_peer, 0, sizeof(net_peer));
	net_peer.static_size = 512;
	mock_xs_write(NET_FRONT "/mac", "02:00:00:00:00:01");
	peer_node("feature-rx-copy", "1");
	peer_node("feature-sg", "1");
	peer_node("feature-gso-tcpv4", "1");
	peer_node("feature-gso-tcpv6", "1");
	peer_node("feature-ipv6-csum-offload", "1");
	peer_node("feature-split-event-channels", "1");
	peer_node("feature-multicast-control", "1");
	peer_node("feature-ctrl-ring", "1");
	peer_node("multi-queue-max-queues", "4");
	peer_state(XenbusStateInitWait);
}
