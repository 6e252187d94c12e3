/* SPDX-License-Identifier: MIT */
/* From the outside to the frontend's buffers: shapes of packets, few buffers, and none. */
#include "guest_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define SECOND 1000000000ull

static void set_up(void)
{
	net_reset();
	net_open(NULL, NULL);
}

static void give(int version, int protocol, size_t bytes, uint8_t flags, uint8_t gso_type)
{
	size_t csum = net_make(net.give.data, version, protocol, bytes),
	       l4 = version == 4 ? 34 : 54;

	memset(&net.give.vnet, 0, sizeof(net.give.vnet));
	net.give.bytes = bytes;
	net.give.vnet.flags = flags;
	if (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		net.give.vnet.csum_start = (uint16_t)l4;
		net.give.vnet.csum_offset = (uint16_t)(csum - l4);
	}
	net.give.vnet.gso_type = gso_type;
	if (gso_type) {
		net.give.vnet.gso_size = 1400;
		net.give.vnet.hdr_len = (uint16_t)(l4 + 20);
	}
	net.to_give = 1;
}

/* What came with the next packet. */
struct got {
	unsigned slots, extras, flags, offset;
	struct netif_extra_info extra[4];
	size_t bytes;
	uint8_t data[NET_PACKET];
};
static struct got got;

/* Takes one packet off the rx ring; each response has the id of the buffer that stood in its slot.
 */
static void take(unsigned queue)
{
	union pvr_netback_rx_response response;
	unsigned more = 1;

	memset(&got, 0, sizeof(got));
	while (more) {
		response = net_take(queue);
		CU_ASSERT_FATAL(response.response.status >= 0);
		CU_ASSERT_FATAL(response.response.status + response.response.offset <= 4096);
		if (got.slots++ == 0) {
			got.flags = response.response.flags;
			got.offset = response.response.offset;
		}
		memcpy(got.data + got.bytes,
			net_buffer(response.response.id) + response.response.offset,
			(size_t)response.response.status);
		got.bytes += (size_t)response.response.status;
		more = response.response.flags & NETRXF_more_data;
		if (got.slots == 1 && response.response.flags & NETRXF_extra_info) {
			union pvr_netback_rx_response extra;

			do {
				extra = net_take(queue);
				CU_ASSERT_FATAL(got.extras < 4);
				got.extra[got.extras++] = extra.extra;
			} while (extra.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
		}
	}
}

static void same(void)
{
	CU_ASSERT_EQUAL(got.bytes, net.give.bytes);
	CU_ASSERT_EQUAL(memcmp(got.data, net.give.data, net.give.bytes), 0);
}

static void small_packets(void)
{
	set_up();
	net_post(0, 0, 60);
	give(4, IPPROTO_UDP, 60, 0, 0);
	net.to_give = 3;
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL(net_received(0), 3);
	for (unsigned i = 0; i < 3; i++) {
		take(0);
		same();
		CU_ASSERT_EQUAL(got.flags, 0);
	}
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_packets), 3);
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_bytes), 180);
	CU_ASSERT_EQUAL(net_count(&net.stats.copied), 0); /* read straight into the pages */
	net_close();
}

static void flags(void)
{
	set_up();
	net_post(0, 0, 60);
	give(6, IPPROTO_TCP, 1000, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	net_turn();
	take(0);
	same();
	CU_ASSERT_EQUAL(got.flags, NETRXF_csum_blank | NETRXF_data_validated);
	give(6, IPPROTO_TCP, 1000, VIRTIO_NET_HDR_F_DATA_VALID, 0);
	net_turn();
	take(0);
	CU_ASSERT_EQUAL(got.flags, NETRXF_data_validated);
	net_close();
}

/* GSO packets of all sizes: extra info after the first slot, data in the buffers around it. */
static void gso_packets(void)
{
	static const size_t sizes[] = {2000, 4096, 4097, 8192, 30000, 65535};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		set_up();
		net_post(0, 0, 60);
		give(4, IPPROTO_TCP, sizes[i], VIRTIO_NET_HDR_F_NEEDS_CSUM,
			VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
		net_turn();
		take(0);
		same();
		CU_ASSERT_EQUAL(got.slots, (sizes[i] + 4095) / 4096);
		CU_ASSERT_EQUAL(got.extras, 1);
		CU_ASSERT_EQUAL(got.extra[0].type, XEN_NETIF_EXTRA_TYPE_GSO);
		CU_ASSERT_EQUAL(got.extra[0].u.gso.size, 1400);
		CU_ASSERT_EQUAL(got.extra[0].u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
		CU_ASSERT_EQUAL(net_received(0), 0);
		CU_ASSERT_EQUAL(net_count(&net.stats.copied), 0);
		net_close();
	}
}

/* Large ones with and without an extra info in turn: what was guessed wrong is put right. */
static void guesses(void)
{
	set_up();
	for (unsigned i = 0; i < 4; i++) {
		int gso = i < 1 || i > 2;

		net_post(0, 30 * i, 30);
		give(4, IPPROTO_TCP, 9000 + i, gso ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
			gso ? VIRTIO_NET_HDR_GSO_TCPV4 : 0);
		net_turn();
		take(0);
		same();
		CU_ASSERT_EQUAL(got.extras, gso ? 1 : 0);
	}
	/* Two wrong guesses moved two pages each. */
	CU_ASSERT_EQUAL(net_count(&net.stats.copied), 4 * 4096);
	net_close();
}

/* Fewer buffers than the largest packet might need: held until there are enough for this one. */
static void few_buffers(void)
{
	set_up();
	net_post(0, 0, 3);
	give(4, IPPROTO_TCP, 20000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
	net_turn();
	CU_ASSERT_EQUAL(net.to_give, 0);
	CU_ASSERT_EQUAL(net_received(0), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_arm(net.queue[0].back), 0);
	net_post(0, 3, 2);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 1);
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 0);
	net_post(0, 5, 1);
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 6);
	take(0);
	same();
	CU_ASSERT_EQUAL(got.extras, 1);
	net_close();
}

static void drops(unsigned why, unsigned count)
{
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[why]), count);
}

/* A frontend without features gets what it can take, and its checksums complete. */
static void a_plain_frontend(void)
{
	net_reset();
	net.facts = (struct pvr_netback_facts){.queues = 1, .rx_notify = 1, .control = 0};
	net_open(NULL, NULL);
	net_post(0, 0, 10);
	for (int version = 4; version <= 6; version += 2) {
		give(version, IPPROTO_UDP, 1001, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
		net_turn();
		take(0);
		CU_ASSERT_EQUAL(got.flags, 0);
		CU_ASSERT_EQUAL(net_sum_error(got.data, got.bytes), 0);
	}
	give(4, IPPROTO_TCP, 4097, 0, 0);
	net_turn();
	drops(PVR_NETBACK_DROP_TOO_BIG, 1);
	give(4, IPPROTO_TCP, 3000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
	net_turn();
	drops(PVR_NETBACK_DROP_TOO_BIG, 2);
	CU_ASSERT_EQUAL(net_received(0), 0);
	net_close();
}

/* A blank checksum that is not where a frontend looks for it: within a tunnel. */
static void a_checksum_elsewhere(void)
{
	set_up();
	net_post(0, 0, 60);
	give(4, IPPROTO_UDP, 1000, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	net.give.vnet.csum_start = 100;
	net.give.vnet.csum_offset = 6;
	net.give.data[106] = net.give.data[107] = 0;
	net_turn();
	take(0);
	CU_ASSERT_EQUAL(got.flags, 0);
	struct iovec iov = {got.data, got.bytes};
	/* A right sum over itself comes to all ones, whose complement this reports as such. */
	CU_ASSERT_EQUAL(pvr_netback_checksum(&iov, 1, 100), 0xffff);
	net_close();
}

static void odd_packets(void)
{
	set_up();
	net_post(0, 0, 60);
	give(4, IPPROTO_UDP, 60, 0, 0);
	net.give.bytes = 13;
	net_turn();
	drops(PVR_NETBACK_DROP_MALFORMED, 1);
	give(4, IPPROTO_UDP, 3000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP);
	net_turn();
	drops(PVR_NETBACK_DROP_TOO_BIG, 1);
	CU_ASSERT_EQUAL(net_received(0), 0);
	net_close();
}

static void headroom(void)
{
	net_reset();
	net.facts.headroom = 256;
	net_open(NULL, NULL);
	net_post(0, 0, 60);
	give(4, IPPROTO_TCP, 9000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
	net_turn();
	take(0);
	same();
	CU_ASSERT_EQUAL(got.offset, 256);
	CU_ASSERT_EQUAL(got.extras, 2);
	CU_ASSERT_EQUAL(got.extra[1].type, XEN_NETIF_EXTRA_TYPE_XDP);
	CU_ASSERT_EQUAL(got.extra[1].u.xdp.headroom, 256);
	net_close();
}

static void multicast_filter(void)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};

	set_up();
	net_post(0, 0, 60);
	give(4, IPPROTO_UDP, 60, 0, 0);
	memcpy(net.give.data, group, 6);
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 1);
	take(0);
	atomic_store(&net.vif->multicast_control, 1);
	net.to_give = 1;
	net_turn();
	drops(PVR_NETBACK_DROP_FILTERED, 1);
	pvr_netback_mcast_join(net.vif, group);
	net.to_give = 1;
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 1);
	take(0);
	memset(net.give.data, 0xff, 6); /* a broadcast is for everybody */
	net.to_give = 1;
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 1);
	net_close();
}

/* A guest that posts no buffers: what waits is dropped in time, and the carrier goes; both come
 * back. */
static void xsa_392_no_buffers(void)
{
	set_up();
	give(4, IPPROTO_UDP, 60, 0, 0);
	net.to_give = 5;
	CU_ASSERT_EQUAL(net_turn(), 0);
	CU_ASSERT_EQUAL(net.to_give, 5);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_due(net.queue[0].back), net.now + 10 * SECOND);
	net.now += 10 * SECOND;
	net_turn();
	CU_ASSERT_EQUAL(net.to_give, 0);
	drops(PVR_NETBACK_DROP_NO_BUFFER, 5);
	/* However much there is, one look drops only so many. */
	net.to_give = 100000;
	net.now += 10 * SECOND;
	net_turn();
	drops(PVR_NETBACK_DROP_NO_BUFFER, 5 + PVR_NETBACK_RX_DRAIN);
	CU_ASSERT_EQUAL(net_count(&net.stats.carrier), 1);
	net.now += 40 * SECOND;
	net_turn();
	CU_ASSERT_EQUAL(net_count(&net.stats.carrier), 0);
	CU_ASSERT_EQUAL(net_count(&net.stats.stalls), 1);
	CU_ASSERT_EQUAL(net.queue[0].back->carrier_changed, 1);
	CU_ASSERT_EQUAL(atomic_load(&net.vif->stalled), 1);
	net.queue[0].back->carrier_changed = 0;
	net.to_give = 1;
	net_post(0, 0, 30);
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 1);
	CU_ASSERT_EQUAL(net_count(&net.stats.carrier), 1);
	CU_ASSERT_EQUAL(net.queue[0].back->carrier_changed, 1);
	CU_ASSERT_EQUAL(pvr_netback_queue_due(net.queue[0].back), UINT64_MAX);
	net_close();
}

/* One that sends no events for its buffers is looked at often, and not judged. */
static void without_rx_notify(void)
{
	net_reset();
	net.facts.rx_notify = 0;
	net_open(NULL, NULL);
	give(4, IPPROTO_UDP, 60, 0, 0);
	net_turn();
	CU_ASSERT_EQUAL(pvr_netback_queue_due(net.queue[0].back), net.now + 30000000);
	net.now += 120 * SECOND;
	net_turn();
	drops(PVR_NETBACK_DROP_NO_BUFFER, 1);
	CU_ASSERT_EQUAL(net_count(&net.stats.carrier), 1);
	net_close();
}

/*
 * Any buffer that cannot be mapped is answered, with those before it, and the next packet comes whole. Where
 * the port copies it is found later: test_netback_brief.c.
 */
static void bad_buffers(void)
{
	if (mock_copies())
		return;
	for (unsigned bad = 1; bad <= 30; bad += 7) {
		unsigned errors = 0;

		set_up();
		mock_fail_map(bad);
		net_post(0, 0, 60);
		give(4, IPPROTO_TCP, 20000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
		net_turn();
		while (errors < bad) {
			union pvr_netback_rx_response response = net_take(0);

			CU_ASSERT_EQUAL(response.response.status, NETIF_RSP_ERROR);
			CU_ASSERT_EQUAL(response.response.id, errors);
			errors++;
		}
		take(0);
		same();
		net_close();
	}
}

static void xsa_216_every_byte_is_set(void)
{
	set_up();
	net_post(0, 0, 60);
	give(4, IPPROTO_TCP, 9000, VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4);
	net_turn();
	take(0);
	CU_ASSERT_EQUAL(got.extra[0].flags, 0);
	CU_ASSERT_EQUAL(got.extra[0].u.gso.pad, 0);
	CU_ASSERT_EQUAL(got.extra[0].u.gso.features, 0);
	net_close();
}

static void an_impossible_index(void)
{
	set_up();
	net.queue[0].rx.prod += 257;
	net_publish(0);
	CU_ASSERT_EQUAL(net_turn(), -EPROTO);
	CU_ASSERT_STRING_EQUAL(net.queue[0].back->error, "rx: an impossible index");
	net_close();
}

/* The mirror and the source, which are real outsides. */
static void loop_and_null(void)
{
	net_reset();
	net_open("loop", NULL);
	net_post(0, 0, 60);
	net_make(net_data(0), 4, IPPROTO_TCP, 3000);
	net.give.bytes = 3000;
	memcpy(net.give.data, net_data(0), 3000);
	net_send(0, net_request(0, 0, 3000, NETTXF_csum_blank, 1));
	net_publish(0);
	net_turn();
	take(0);
	same();
	CU_ASSERT_EQUAL(got.flags, NETRXF_csum_blank | NETRXF_data_validated);
	net_close();
	net_reset();
	net_open("null", "64");
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 0);
	net_post(0, 0, 100);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 1);
	while (net_turn() > 0)
		;
	CU_ASSERT_EQUAL(net_received(0), 100);
	take(0);
	CU_ASSERT_EQUAL(got.bytes, 64);
	CU_ASSERT_EQUAL(memcmp(got.data, net.spec.mac, 6), 0);
	net_close();
}

PVR_SUITE(netback_rx, CASE(small_packets), CASE(flags), CASE(gso_packets), CASE(guesses),
	CASE(few_buffers), CASE(a_plain_frontend), CASE(a_checksum_elsewhere), CASE(odd_packets),
	CASE(headroom), CASE(multicast_filter), CASE(xsa_392_no_buffers), CASE(without_rx_notify),
	CASE(bad_buffers), CASE(xsa_216_every_byte_is_set), CASE(an_impossible_index),
	CASE(loop_and_null))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_rx_copied, netback_rx, mock_copy_begin, mock_copy_end)
