/* SPDX-License-Identifier: MIT */
/* The frontend of the netback tests, and its probe. See guest_net.h. */
#include "guest_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define ETH 14u

struct net net;

/* ---- the probe ---- */

static int probe_open(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
	char error[PVR_NETBACK_LINE])
{
	struct pvr_netback_outside *probe = calloc(1, sizeof(*probe));

	(void)error;
	CU_ASSERT_PTR_NOT_NULL_FATAL(probe);
	probe->queues_max = spec->queues;
	probe->takes = net.takes;
	probe->packet_max = 65535;
	*outside = probe;
	return 0;
}

static void probe_close(struct pvr_netback_outside *outside)
{
	free(outside);
}

static int probe_connect(struct pvr_netback_outside *outside, unsigned queues, unsigned gives)
{
	(void)outside;
	(void)queues;
	(void)gives;
	return 0;
}

static void probe_disconnect(struct pvr_netback_outside *outside)
{
	(void)outside;
}

static int probe_write(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	(void)outside;
	(void)queue;
	if (net.refuse)
		return -EIO;
	CU_ASSERT_EQUAL_FATAL(iov[0].iov_len, sizeof(net.last.vnet));
	memcpy(&net.last.vnet, iov[0].iov_base, sizeof(net.last.vnet));
	net.last.bytes = 0;
	for (int i = 1; i < count; i++) {
		CU_ASSERT_FATAL(net.last.bytes + iov[i].iov_len <= sizeof(net.last.data));
		memcpy(net.last.data + net.last.bytes, iov[i].iov_base, iov[i].iov_len);
		net.last.bytes += iov[i].iov_len;
	}
	net.written++;
	return 0;
}

static ssize_t probe_read(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	size_t done = 0;

	(void)outside;
	if (queue != 0 || !net.to_give)
		return -EAGAIN;
	net.to_give--;
	memcpy(iov[0].iov_base, &net.give.vnet, sizeof(net.give.vnet));
	for (int i = 1; i < count && done < net.give.bytes; i++) {
		size_t part = net.give.bytes - done;

		if (part > iov[i].iov_len)
			part = iov[i].iov_len;
		memcpy(iov[i].iov_base, net.give.data + done, part);
		done += part;
	}
	return (ssize_t)(sizeof(net.give.vnet) + done);
}

static int probe_room(struct pvr_netback_outside *outside, unsigned queue)
{
	(void)outside;
	(void)queue;
	return !net.full;
}

static int probe_ready(struct pvr_netback_outside *outside, unsigned queue)
{
	(void)outside;
	return queue == 0 && net.to_give > 0;
}

static const struct pvr_netback_outside_ops probe_ops = {
	.type = "probe",
	.open = probe_open,
	.close = probe_close,
	.connect = probe_connect,
	.disconnect = probe_disconnect,
	.write = probe_write,
	.read = probe_read,
	.room = probe_room,
	.ready = probe_ready,
};

/* ---- it comes and goes ---- */

void net_reset(void)
{
	mock_host_reset();
	memset(&net, 0, sizeof(net));
	net.now = 1000000000;
	net.takes = PVR_NETBACK_CSUM | PVR_NETBACK_GSO4 | PVR_NETBACK_GSO6;
	net.spec = (struct pvr_netback_spec){
		.domid = MOCK_DOMID, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .queues = 1};
	net.facts = (struct pvr_netback_facts){.queues = 1,
		.sg = 1,
		.gso4 = 1,
		.gso6 = 1,
		.csum4 = 1,
		.csum6 = 1,
		.rx_notify = 1,
		.tx_gso = 1,
		.control = 1};
	for (unsigned i = 0; i < NET_PAGES; i++)
		net.data[i] = mock_grant(NET_DATA + i, 1);
	for (unsigned i = 0; i < NET_BUFFERS; i++)
		net.buffer[i] = mock_grant(NET_DATA + NET_PAGES + i, 0);
}

static grant_ref_t make_ring(
	unsigned frame, struct pvr_ring *ring, uint32_t entries, struct pvr_sring **shared)
{
	*shared = mock_page(frame);
	memset(*shared, 0x5a, 4096); /* what a response leaves undefined shows */
	pvr_ring_front_init(ring, *shared, entries, NET_START);
	return mock_grant(frame, 0);
}

static void make_back(struct net_queue *queue, unsigned index)
{
	const struct pvr_netback_offer offer = {
		queue->tx_ref, queue->rx_ref, queue->tx_port, queue->rx_port};

	queue->back = pvr_netback_queue_create(net.vif, index, &offer);
	CU_ASSERT_PTR_NOT_NULL_FATAL(queue->back);
}

static void open_queue(unsigned index)
{
	struct net_queue *queue = &net.queue[index];

	queue->tx_ref =
		make_ring(1 + index * 2, &queue->tx, net_tx_entries(4096), &queue->tx_shared);
	queue->rx_ref =
		make_ring(2 + index * 2, &queue->rx, net_rx_entries(4096), &queue->rx_shared);
	queue->tx_port = mock_port();
	queue->rx_port = index ? queue->tx_port : mock_port(); /* the first is split */
	make_back(queue, index);
}

void net_open(const char *type, const char *params)
{
	char error[PVR_NETBACK_LINE] = "";
	struct pvr_sring *shared;

	net.spec.type = type;
	net.spec.params = params;
	net.spec.queues = net.facts.queues;
	if (type)
		CU_ASSERT_EQUAL_FATAL(pvr_netback_outside_open(&net.spec, &net.outside, error), 0);
	if (!type) {
		probe_open(&net.spec, &net.outside, error);
		net.outside->ops = &probe_ops;
	}
	net.facts.control_ref = make_ring(10, &net.ctrl, net_ctrl_entries(4096), &shared);
	net.facts.control_port = mock_port();
	CU_ASSERT_EQUAL_FATAL(pvr_netback_outside_connect(net.outside, &net.facts), 0);
	CU_ASSERT_EQUAL_FATAL(pvr_host_open(NULL, &net.host), 0);
	net.vif = pvr_netback_vif_create(&net.spec, &net.facts, net.outside, &net.stats);
	CU_ASSERT_PTR_NOT_NULL_FATAL(net.vif);
	net.vif->journal = net.journal;
	for (unsigned i = 0; i < net.facts.queues; i++)
		open_queue(i);
	for (unsigned i = 0; i < net.facts.queues; i++)
		CU_ASSERT_EQUAL_FATAL(pvr_netback_queue_connect(net.queue[i].back, net.host), 0);
}

int net_take_over(void)
{
	int result = 0;

	mock_host_die();
	for (unsigned i = 0; i < net.facts.queues; i++)
		pvr_netback_queue_destroy(net.queue[i].back);
	pvr_netback_vif_destroy(net.vif);
	pvr_host_close(net.host);
	CU_ASSERT_EQUAL_FATAL(pvr_host_open(NULL, &net.host), 0);
	net.vif = pvr_netback_vif_create(&net.spec, &net.facts, net.outside, &net.stats);
	CU_ASSERT_PTR_NOT_NULL_FATAL(net.vif);
	net.vif->journal = net.journal;
	net.vif->journal.again = 1;
	for (unsigned i = 0; i < net.facts.queues; i++)
		make_back(&net.queue[i], i);
	for (unsigned i = 0; !result && i < net.facts.queues; i++)
		result = pvr_netback_queue_connect(net.queue[i].back, net.host);
	return result;
}

void net_close(void)
{
	for (unsigned i = 0; i < net.facts.queues; i++)
		pvr_netback_queue_disconnect(net.queue[i].back);
	for (unsigned i = 0; i < net.facts.queues; i++)
		pvr_netback_queue_destroy(net.queue[i].back);
	pvr_netback_vif_destroy(net.vif);
	pvr_netback_outside_disconnect(net.outside);
	net.outside->ops->close(net.outside);
	pvr_host_close(net.host);
	CU_ASSERT_EQUAL(mock_host_held(), 0);
}

int net_turn(void)
{
	int work = 0, error = 0;

	for (unsigned i = 0; i < net.facts.queues; i++) {
		int result = pvr_netback_queue_turn(net.queue[i].back, net.now);

		if (result < 0 && !error)
			error = result;
		work += result;
		pvr_netback_queue_publish(net.queue[i].back);
	}
	return error ? error : work;
}

/* ---- tx ---- */

union pvr_netback_slot net_request(
	unsigned page, uint16_t offset, uint16_t size, uint16_t flags, uint16_t id)
{
	return (union pvr_netback_slot){.request = {.gref = net.data[page],
						.offset = offset,
						.flags = flags,
						.id = id,
						.size = size}};
}

void net_send(unsigned queue, union pvr_netback_slot slot)
{
	CU_ASSERT_FATAL(pvr_ring_free(&net.queue[queue].tx) > 0);
	net_tx_request_put(&net.queue[queue].tx, &slot);
}

void net_publish(unsigned queue)
{
	pvr_ring_publish(&net.queue[queue].tx);
	pvr_ring_publish(&net.queue[queue].rx);
}

unsigned net_answers(unsigned queue)
{
	int pending = pvr_ring_pending(&net.queue[queue].tx);

	CU_ASSERT_FATAL(pending >= 0);
	return (unsigned)pending;
}

struct netif_tx_response net_answer(unsigned queue)
{
	struct netif_tx_response response;

	CU_ASSERT_FATAL(net_answers(queue) > 0);
	net_tx_response_take(&net.queue[queue].tx, &response);
	return response;
}

uint8_t *net_data(unsigned page)
{
	return mock_page(NET_DATA + page);
}

/* ---- rx ---- */

uint8_t *net_buffer(unsigned n)
{
	return mock_page(NET_DATA + NET_PAGES + n);
}

void net_post(unsigned queue, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct netif_rx_request request = {
			.id = (uint16_t)(first + i), .gref = net.buffer[first + i]};

		CU_ASSERT_FATAL(pvr_ring_free(&net.queue[queue].rx) > 0);
		net_rx_request_put(&net.queue[queue].rx, &request);
	}
	net_publish(queue);
}

unsigned net_received(unsigned queue)
{
	int pending = pvr_ring_pending(&net.queue[queue].rx);

	CU_ASSERT_FATAL(pending >= 0);
	return (unsigned)pending;
}

union pvr_netback_rx_response net_take(unsigned queue)
{
	union pvr_netback_rx_response response;

	CU_ASSERT_FATAL(net_received(queue) > 0);
	net_rx_response_take(&net.queue[queue].rx, &response);
	return response;
}

/* ---- control ---- */

struct xen_netif_ctrl_response net_control(
	uint16_t type, uint32_t data0, uint32_t data1, uint32_t data2)
{
	static uint16_t id = 0xfff0;
	struct xen_netif_ctrl_request request = {
		.id = ++id, .type = type, .data = {data0, data1, data2}};
	struct xen_netif_ctrl_response response;

	net_ctrl_request_put(&net.ctrl, &request);
	pvr_ring_publish(&net.ctrl);
	CU_ASSERT_FATAL(net_turn() > 0);
	CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&net.ctrl), 1);
	net_ctrl_response_take(&net.ctrl, &response);
	CU_ASSERT_EQUAL(response.id, request.id);
	CU_ASSERT_EQUAL(response.type, type);
	return response;
}

/* ---- packets ---- */

/* The plain way, byte by byte, to judge the other by. */
static unsigned sum_words(unsigned sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (unsigned)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned pseudo(const uint8_t *packet, size_t bytes)
{
	int v4 = packet[ETH] >> 4 == 4;
	size_t l4 = ETH + (v4 ? 20 : 40);
	unsigned sum = sum_words(0, packet + ETH + (v4 ? 12 : 8), v4 ? 8 : 32);
	uint8_t tail[4] = {0, v4 ? packet[ETH + 9] : packet[ETH + 6], (uint8_t)((bytes - l4) >> 8),
		(uint8_t)(bytes - l4)};

	return sum_words(sum, tail, 4);
}

size_t net_make(uint8_t *to, int version, int protocol, size_t bytes)
{
	size_t l4 = ETH + (version == 4 ? 20u : 40u), length, csum;
	unsigned sum;

	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	to[0] = 2; /* no group */
	to[12] = version == 4 ? 0x08 : 0x86;
	to[13] = version == 4 ? 0x00 : 0xdd;
	length = bytes - (version == 4 ? ETH : l4);
	to[ETH] = version == 4 ? 0x45 : 0x60;
	to[ETH + (version == 4 ? 2 : 4)] = (uint8_t)(length >> 8);
	to[ETH + (version == 4 ? 3 : 5)] = (uint8_t)length;
	to[ETH + (version == 4 ? 9 : 6)] = (uint8_t)protocol;
	if (version == 4)
		to[ETH + 6] = to[ETH + 7] = 0;
	if (protocol == IPPROTO_TCP)
		to[l4 + 12] = 0x50;
	csum = l4 + (protocol == IPPROTO_TCP ? 16 : 6);
	sum = pseudo(to, bytes);
	to[csum] = (uint8_t)(sum >> 8);
	to[csum + 1] = (uint8_t)sum;
	return csum;
}

unsigned net_sum_error(const uint8_t *packet, size_t bytes)
{
	size_t l4 = ETH + (packet[ETH] >> 4 == 4 ? 20 : 40);

	return sum_words(pseudo(packet, bytes), packet + l4, bytes - l4) ^ 0xffff;
}

uint64_t net_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}
