/* SPDX-License-Identifier: MIT */
/* What the network frontend's tests share: an interface, opened and closed, and what its calls saw. */
#ifndef PVR_NET_RIG_H
#define PVR_NET_RIG_H

#include "mock_port.h"
#include "mock_store.h"
#include "peer_net.h"
#include "suite.h"

#include <pvring/grant.h>
#include <pvring/netfront.h>

#include "../../netfront/internal.h"

#include <errno.h>
#include <string.h>

static struct pvr_netfront *net;
static struct pvr_netfront_queue *queue;
static unsigned pages_before;
static uint32_t grants_before;

static struct net_seen {
	unsigned received, sent;
	int error; /* of the latest that was sent */
	int errors[1024];
	struct pvr_net_packet packet; /* the latest received */
	uint8_t bytes[65536];
	void *token;
} seen;

static inline uint64_t soon(void)
{
	return pvr_port_now_ns() + 20000000000u;
}

static inline void on_received(
	void *user, struct pvr_netfront_queue *from, const struct pvr_net_packet *packet)
{
	uint32_t at = 0;

	(void)user;
	(void)from;
	seen.received++;
	seen.packet = *packet;
	for (uint32_t i = 0; i < packet->count; i++) {
		memcpy(seen.bytes + at, packet->slice[i].address, packet->slice[i].length);
		at += packet->slice[i].length;
	}
	CU_ASSERT_EQUAL(at, packet->bytes);
}

static inline void on_sent(void *user, struct pvr_netfront_queue *from, void *token, int error)
{
	(void)user;
	(void)from;
	seen.errors[seen.sent++ % 1024] = error;
	seen.error = error;
	seen.token = token;
}

static const struct pvr_netfront_calls calls = {.received = on_received, .sent = on_sent};

static inline void open_net(const struct pvr_netfront_options *options)
{
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	memset(&seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL_FATAL(pvr_netfront_open(NET_PATH, options, &calls, soon(), &net), 0);
	queue = pvr_netfront_queue(net, 0);
}

/* Whatever was done, closing gives everything back. */
static inline void close_net(void)
{
	pvr_netfront_close(net);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateClosed);
	CU_ASSERT_EQUAL(mock_port_open(net_peer.queue[0].tx_port), 0);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
	CU_ASSERT_EQUAL(net_peer.faults, 0);
	if (net_peer.faults)
		CU_FAIL_FATAL(net_peer.fault);
}

/* A frame whose bytes tell where they belong. */
static inline void fill_frame(uint8_t *bytes, uint32_t length, unsigned seed)
{
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
	if (length > 13) {
		bytes[12] = 0x08;
		bytes[13] = 0x00;
	}
}

static inline struct pvr_net_packet packet_of(void *address, uint32_t length)
{
	struct pvr_net_packet packet = {.count = 1, .bytes = length, .token = address};

	packet.slice[0] = (struct pvr_net_slice){address, length};
	return packet;
}

/* The indices of queue 0's rings are about to wrap; what was posted is posted anew. */
static inline void near_the_wrap(void)
{
	struct netfront_rings *live = &queue->live;

	CU_ASSERT_EQUAL(netfront_rx_end(queue, 0), 0);
	pvr_ring_front_init(&live->tx, live->tx_page.at, 256, UINT32_MAX - 2);
	pvr_ring_front_init(&live->rx, live->rx_page.at, 256, UINT32_MAX - 130);
	net_peer_attach(0);
	netfront_rx_post(queue);
}

/* Until `count` packets were received. */
static inline void receive(unsigned count)
{
	while (seen.received < count) {
		CU_ASSERT_FATAL(pvr_netfront_poll(queue, 64) >= 0);
		if (seen.received < count)
			CU_ASSERT_EQUAL_FATAL(pvr_netfront_wait(queue, soon()), 0);
	}
}

static inline void drain_sent(unsigned count)
{
	while (seen.sent < count) {
		CU_ASSERT_FATAL(pvr_netfront_poll(queue, 64) >= 0);
		if (seen.sent < count)
			CU_ASSERT_EQUAL_FATAL(pvr_netfront_wait(queue, soon()), 0);
	}
}

#endif
