/* SPDX-License-Identifier: MIT */
/* What the network frontend and its backend agree on, one feature at a time. */
#include "net_rig.h"

static void open_without(uint32_t without)
{
	open_net(&(struct pvr_netfront_options){.without = without});
}

static void send_one(struct pvr_net_packet packet)
{
	unsigned before = seen.sent;

	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	pvr_netfront_kick(queue);
	drain_sent(before + 1);
	CU_ASSERT_EQUAL(seen.error, 0);
}

static int try_send(struct pvr_net_packet packet)
{
	return pvr_netfront_send(queue, &packet);
}

/* A packet given by the backend is received, or dropped. */
static void give_one(uint32_t length, uint32_t slice, uint16_t flags,
	const struct netif_extra_info *extra, unsigned extras, int received)
{
	static uint8_t frame[65536];
	unsigned before = seen.received;

	fill_frame(frame, length, length);
	CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, length, slice, 0, flags, extra, extras), 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
	CU_ASSERT_EQUAL(seen.received, before + (unsigned)received);
	if (received)
		CU_ASSERT_EQUAL(memcmp(seen.bytes, frame, length), 0);
}

static void without_sg(void)
{
	struct pvr_net_packet packet;

	net_peer_start();
	open_without(PVR_NETFRONT_NO_SG);
	CU_ASSERT_EQUAL(peer_front(0, "feature-sg"), 0);
	CU_ASSERT_EQUAL(peer_front(0, "feature-gso-tcpv4"), 0);
	CU_ASSERT_EQUAL(peer_front(0, "feature-gso-tcpv6"), 0);
	CU_ASSERT(!pvr_netfront_info(net)->sg && !pvr_netfront_info(net)->gso4);
	packet = packet_of(pvr_netfront_page_get(queue), 100);
	send_one(packet);
	packet.count = 2, packet.bytes = 200, packet.slice[1] = packet.slice[0];
	CU_ASSERT_EQUAL(try_send(packet), -EINVAL);
	give_one(100, 100, 0, NULL, 0, 1);
	give_one(100, 50, 0, NULL, 0, 0);
	close_net();
	net_peer_start();
	peer_node("feature-sg", "0");
	open_without(0);
	CU_ASSERT(!pvr_netfront_info(net)->sg && !pvr_netfront_info(net)->gso6);
	CU_ASSERT_EQUAL(peer_front(0, "feature-sg"), 1);
	give_one(100, 50, 0, NULL, 0, 1); /* the other direction */
	close_net();
}

static void gso_sent(void)
{
	struct pvr_net_packet packet = {.gso_size = 1448, .gso_type = XEN_NETIF_GSO_TYPE_TCPV6};

	net_peer_start();
	open_without(0);
	near_the_wrap();
	for (packet.count = 0; packet.count < 16; packet.count++) {
		uint8_t *page = pvr_netfront_page_get(queue);

		memset(page, (int)packet.count, 4096);
		packet.slice[packet.count] = (struct pvr_net_slice){page, 4095};
		packet.bytes += 4095;
	}
	for (unsigned i = 0; i < 100; i++) {
		packet.gso_type = i % 2 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
		send_one(packet);
		CU_ASSERT_EQUAL(net_peer.last.gso_size, 1448);
		CU_ASSERT_EQUAL(net_peer.last.gso_type, packet.gso_type);
		CU_ASSERT_EQUAL(net_peer.last.length, 16 * 4095);
		CU_ASSERT(net_peer.last.flags & NETTXF_csum_blank);
		CU_ASSERT_EQUAL(net_peer.last.bytes[15 * 4095], 15);
	}
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	packet.gso_size = 0;
	CU_ASSERT_EQUAL(try_send(packet), -EINVAL);
	close_net();
}

static void gso_received(void)
{
	struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
	const uint16_t blank = NETRXF_csum_blank | NETRXF_data_validated;

	net_peer_start();
	open_without(0);
	near_the_wrap();
	extra.u.gso.size = 1448;
	for (extra.u.gso.type = 1; extra.u.gso.type <= 2; extra.u.gso.type++) {
		give_one(60000, 4000, blank, &extra, 1, 1);
		CU_ASSERT_EQUAL(seen.packet.gso_type, extra.u.gso.type);
		CU_ASSERT_EQUAL(seen.packet.gso_size, 1448);
		CU_ASSERT_EQUAL(seen.packet.flags, PVR_NET_CSUM_BLANK | PVR_NET_DATA_VALIDATED);
	}
	give_one(6000, 4000, blank, &extra, 1, 0); /* type 3 */
	extra.u.gso.type = 1;
	give_one(6000, 4000, 0, &extra, 1, 0); /* its checksum is not blank */
	extra.u.gso.size = 0;
	give_one(6000, 4000, blank, &extra, 1, 0);
	give_one(6000, 4000, NETRXF_gso_prefix, NULL, 0, 0);
	close_net();
	net_peer_start();
	open_without(PVR_NETFRONT_NO_GSO);
	CU_ASSERT_EQUAL(peer_front(0, "feature-gso-tcpv4"), 0);
	CU_ASSERT_EQUAL(peer_front(0, "feature-gso-tcpv6"), 0);
	CU_ASSERT(!pvr_netfront_info(net)->gso4 && !pvr_netfront_info(net)->gso6);
	extra.u.gso.size = 1448;
	give_one(6000, 4000, blank, &extra, 1, 0);
	close_net();
}

static void checksums(void)
{
	struct pvr_net_packet packet;
	uint8_t *page;

	net_peer_start();
	open_without(0);
	page = pvr_netfront_page_get(queue);
	packet = packet_of(page, 100);
	packet.flags = PVR_NET_CSUM_BLANK;
	send_one(packet);
	CU_ASSERT_EQUAL(net_peer.last.flags, NETTXF_csum_blank | NETTXF_data_validated);
	packet.flags = PVR_NET_DATA_VALIDATED;
	send_one(packet);
	CU_ASSERT_EQUAL(net_peer.last.flags, NETTXF_data_validated);
	give_one(100, 100, NETRXF_csum_blank, NULL, 0, 1);
	CU_ASSERT_EQUAL(seen.packet.flags, PVR_NET_CSUM_BLANK);
	give_one(100, 100, NETRXF_data_validated, NULL, 0, 1);
	CU_ASSERT_EQUAL(seen.packet.flags, PVR_NET_DATA_VALIDATED);
	close_net();
}

/* Only one of the two: what the packet is decides. */
static void checksums_of_one_kind(void)
{
	struct pvr_net_packet packet;
	uint8_t *page;

	net_peer_start();
	peer_node("feature-ipv6-csum-offload", NULL);
	open_without(0);
	CU_ASSERT(pvr_netfront_info(net)->csum4 && !pvr_netfront_info(net)->csum6);
	CU_ASSERT(pvr_netfront_info(net)->gso4 && !pvr_netfront_info(net)->gso6);
	page = pvr_netfront_page_get(queue);
	fill_frame(page, 100, 0);
	packet = packet_of(page, 100);
	packet.flags = PVR_NET_CSUM_BLANK;
	send_one(packet);
	page[12] = 0x86, page[13] = 0xdd;
	CU_ASSERT_EQUAL(try_send(packet), -EINVAL);
	close_net();
	net_peer_start();
	open_without(PVR_NETFRONT_NO_CSUM);
	CU_ASSERT_EQUAL(peer_front(0, "feature-no-csum-offload"), 1);
	CU_ASSERT_EQUAL(peer_front(0, "feature-ipv6-csum-offload"), 0);
	CU_ASSERT(!pvr_netfront_info(net)->csum4 && !pvr_netfront_info(net)->gso4);
	packet.slice[0].address = pvr_netfront_page_get(queue);
	CU_ASSERT_EQUAL(try_send(packet), -EINVAL);
	give_one(100, 100, NETRXF_csum_blank, NULL, 0, 0);
	close_net();
}

static void queues_and_channels(uint32_t without, unsigned queues)
{
	static uint8_t frame[100];

	net_peer_start();
	open_net(&(struct pvr_netfront_options){.queues = queues, .without = without});
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->queues, queues);
	CU_ASSERT_EQUAL(peer.queues, queues);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/multi-queue-num-queues"),
		queues > 1 ? (long)queues : -1);
	for (unsigned i = 0; i < queues; i++) {
		struct pvr_net_packet packet;
		evtchn_port_t ports[2];

		queue = pvr_netfront_queue(net, i);
		CU_ASSERT_EQUAL(pvr_netfront_queue_index(queue), i);
		pvr_netfront_ports(queue, ports);
		CU_ASSERT_EQUAL(ports[1] == 0, without != 0);
		packet = packet_of(pvr_netfront_page_get(queue), 60 + i);
		send_one(packet);
		CU_ASSERT_EQUAL(net_peer.last.length, 60 + i);
		CU_ASSERT_EQUAL(net_peer_give(i, frame, 100, 100, 0, 0, NULL, 0), 0);
		receive(i + 1);
	}
	close_net();
}

static void queues_and_channels_of_all_kinds(void)
{
	queues_and_channels(0, 1);
	queues_and_channels(0, 4);
	queues_and_channels(PVR_NETFRONT_NO_SPLIT, 1);
	queues_and_channels(PVR_NETFRONT_NO_SPLIT, 3);
}

static void multicast(void)
{
	const uint8_t mac[6] = {1, 0, 0x5e, 0, 0, 0xfb};

	net_peer_start();
	open_net(&(struct pvr_netfront_options){.multicast = 1});
	near_the_wrap();
	CU_ASSERT_EQUAL(peer_front(0, "request-multicast-control"), 1);
	CU_ASSERT_EQUAL(pvr_netfront_multicast(queue, mac, 1), 1);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 254);
	pvr_netfront_kick(queue);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1), 0); /* it is no packet */
	CU_ASSERT_EQUAL(net_peer.mcast.type, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	CU_ASSERT_EQUAL(memcmp(net_peer.mcast.u.mcast.addr, mac, 6), 0);
	CU_ASSERT_EQUAL(pvr_netfront_multicast(queue, mac, 0), 1);
	pvr_netfront_kick(queue);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1), 0);
	CU_ASSERT_EQUAL(net_peer.mcast.type, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	CU_ASSERT(pvr_netfront_free(queue) == 256 && seen.sent == 0 && net_peer.frames == 0);
	close_net();
	net_peer_start();
	peer_node("feature-multicast-control", NULL);
	open_net(&(struct pvr_netfront_options){.multicast = 1});
	CU_ASSERT_EQUAL(peer_front(0, "request-multicast-control"), 0);
	CU_ASSERT_EQUAL(pvr_netfront_multicast(queue, mac, 1), -EOPNOTSUPP);
	close_net();
}

/* ---- control ring ---- */

static const uint8_t key[PVR_NET_HASH_KEY] = {0x6d, 0x5a, 0x56, 0xda, [39] = 0xfa};

static void hash_is_set(void)
{
	const uint32_t map[4] = {1, 0, 1, 0}, wild[1] = {2};

	net_peer_start();
	open_net(&(struct pvr_netfront_options){.queues = 2});
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 3, key, map, 4), 0);
	CU_ASSERT_EQUAL(net_peer.hash_algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	CU_ASSERT(net_peer.hash_flags == 3 && net_peer.hash_map_size == 4);
	CU_ASSERT_EQUAL(memcmp(net_peer.hash_key, key, sizeof(key)), 0);
	CU_ASSERT_EQUAL(memcmp(net_peer.hash_map, map, sizeof(map)), 0);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 16, key, map, 4), -EINVAL);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 3, key, map, 0), -EINVAL);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 3, key, map, 129), -EINVAL);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 3, key, wild, 1), -EINVAL);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 0, NULL, NULL, 0), 0);
	CU_ASSERT_EQUAL(net_peer.hash_algorithm, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE);
	net_peer.refuse = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY;
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 3, key, map, 4), -EIO);
	close_net();
}

static void hash_without_an_answer(void)
{
	const uint32_t map[1] = {0};

	net_peer_start();
	open_without(0);
	net_peer.ctrl_deaf = 1;
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 1, key, map, 1), -ETIMEDOUT);
	net_peer.ctrl_deaf = 0; /* too late: its answers would be to another question */
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 1, key, map, 1), -ETIMEDOUT);
	give_one(100, 100, 0, NULL, 0, 1);
	close_net();
	net_peer_start();
	peer_node("feature-ctrl-ring", NULL);
	open_without(0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/ctrl-ring-ref"), -1);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 1, key, map, 1), -EOPNOTSUPP);
	close_net();
}

static void static_or_not(int is_static, uint32_t without)
{
	struct pvr_netfront_stats stats;
	uint8_t *other;

	open_without(without);
	near_the_wrap();
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->static_pages, is_static ? 512 : 0);
	send_one(packet_of(pvr_netfront_page_get(queue), 100));
	give_one(100, 100, 0, NULL, 0, 1);
	CU_ASSERT_EQUAL(net_peer.used_static, is_static ? 2 : 0);
	CU_ASSERT_EQUAL(net_peer.used_once, is_static ? 0 : 2);
	/* A page that is not the queue's is granted for once. */
	other = pvr_port_pages_alloc(1);
	send_one(packet_of(other, 100));
	CU_ASSERT_EQUAL(net_peer.used_once, is_static ? 1 : 3);
	pvr_netfront_stats(net, &stats);
	CU_ASSERT_EQUAL(stats.grants_static != 0, is_static);
	CU_ASSERT_EQUAL(stats.grants_leaked, 0);
	pvr_port_pages_free(other, 1);
	close_net();
}

static void static_grants(void)
{
	net_peer_start();
	static_or_not(1, 0);
	net_peer_start();
	static_or_not(0, PVR_NETFRONT_NO_STATIC);
	net_peer_start();
	net_peer.static_size = 511; /* not enough for all */
	static_or_not(0, 0);
	net_peer_start();
	net_peer.refuse = XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE;
	static_or_not(0, 0);
	net_peer_start();
	net_peer.refuse = XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING;
	static_or_not(0, 0);
	net_peer_start();
	net_peer.slow = XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING;
	static_or_not(1, 0);
	net_peer_start();
	peer_node("feature-ctrl-ring", "0");
	static_or_not(0, 0);
}

/* ---- extra infos, nodes ---- */

static void extras_of_received_packets(void)
{
	struct netif_extra_info extra[3] = {{.type = XEN_NETIF_EXTRA_TYPE_XDP},
		{.type = XEN_NETIF_EXTRA_TYPE_HASH}, {.type = XEN_NETIF_EXTRA_TYPE_GSO}};

	net_peer_start();
	open_without(0);
	near_the_wrap();
	extra[0].u.xdp.headroom = 256;
	extra[1].u.hash.type = _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
	extra[1].u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	memcpy(extra[1].u.hash.value, (const uint8_t[]){0x78, 0xc1, 0xcc, 0x51}, 4);
	extra[2].u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	extra[2].u.gso.size = 1000;
	for (unsigned i = 0; i < 200; i++) {
		give_one(5000, 3000, NETRXF_csum_blank, extra, 3, 1);
		CU_ASSERT_EQUAL(seen.packet.hash, 0x51ccc178);
		CU_ASSERT_EQUAL(seen.packet.hash_algorithm, 1);
		CU_ASSERT_EQUAL(seen.packet.hash_type, 1);
		CU_ASSERT_EQUAL(seen.packet.gso_size, 1000);
	}
	give_one(100, 100, 0, extra, 1, 1);
	CU_ASSERT(seen.packet.hash_algorithm == 0 && seen.packet.gso_type == 0);
	extra[0].type = 6; /* nobody knows it, but it is skipped safely */
	give_one(100, 100, 0, extra, 1, 0);
	give_one(100, 100, 0, NULL, 0, 1);
	close_net();
}

static void carrier_and_mtu(void)
{
	const struct pvr_netfront_info *info;
	struct pvr_net_packet packet;

	net_peer_start();
	peer_node("mtu", "67");
	peer_node("carrier", "0");
	open_without(0);
	info = pvr_netfront_info(net);
	CU_ASSERT(info->mtu == 1500 && !info->carrier);
	peer_node("carrier", "1");
	CU_ASSERT(pvr_netfront_arm(queue));
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1), 0);
	CU_ASSERT(info->carrier && !pvr_netfront_arm(queue));
	peer_node("carrier", "0");
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1), 0);
	CU_ASSERT(!info->carrier);
	packet = packet_of(pvr_netfront_page_get(queue), 1518);
	send_one(packet);
	close_net();
}

PVR_SUITE(netfront_features, CASE(without_sg), CASE(gso_sent), CASE(gso_received), CASE(checksums),
	CASE(checksums_of_one_kind), CASE(queues_and_channels_of_all_kinds), CASE(multicast),
	CASE(hash_is_set), CASE(hash_without_an_answer), CASE(static_grants),
	CASE(extras_of_received_packets), CASE(carrier_and_mtu))
