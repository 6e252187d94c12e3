/* SPDX-License-Identifier: MIT */
/*
 * Where the port copies brief mappings instead of mapping: what arrives and what does not, references that
 * are bad when the copy is made, and what is counted. The rest of netback's tests run on such a port too.
 */
#include "guest_net.h"

#include <netinet/in.h>
#include <string.h>

#define UNTOUCHED 0x77
#define SLOTS     5u
#define BYTES     20000u /* in so many slots */

static void set_up(uint16_t headroom)
{
	net_reset();
	net.facts.headroom = headroom;
	net_open(NULL, NULL);
	for (unsigned i = 0; i < NET_BUFFERS; i++)
		memset(net_buffer(i), UNTOUCHED, 4096);
}

static void give(size_t bytes)
{
	net_make(net.give.data, 4, IPPROTO_TCP, bytes);
	memset(&net.give.vnet, 0, sizeof(net.give.vnet));
	net.give.bytes = bytes;
	net.to_give = 1;
}

static int untouched(unsigned buffer, size_t from, size_t to)
{
	const uint8_t *page = net_buffer(buffer);

	for (size_t i = from; i < to; i++)
		if (page[i] != UNTOUCHED)
			return 0;
	return 1;
}

/* Nothing but the packet's bytes comes into the guest's memory: not what lay in our page before. */
static void only_its_bytes_arrive(void)
{
	set_up(256);
	net_post(0, 0, 60);
	give(5000);
	net_turn();
	/* 3840 bytes, the extra info for the headroom, the rest. */
	CU_ASSERT_EQUAL_FATAL(net_received(0), 3);
	CU_ASSERT_TRUE(untouched(0, 0, 256));
	CU_ASSERT_EQUAL(memcmp(net_buffer(0) + 256, net.give.data, 3840), 0);
	CU_ASSERT_TRUE(untouched(1, 0, 4096));
	CU_ASSERT_TRUE(untouched(2, 0, 256));
	CU_ASSERT_EQUAL(memcmp(net_buffer(2) + 256, net.give.data + 3840, 1160), 0);
	CU_ASSERT_TRUE(untouched(2, 256 + 1160, 4096));
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_copied), 2);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_mapped), 0);
	net_close();
	/* Those that waited for packets are given up unused. */
	for (unsigned i = 3; i < 60; i++)
		CU_ASSERT_TRUE(untouched(i, 0, 4096));
}

/* A packet that was read into pages and then not delivered leaves nothing in the guest. */
static void what_is_dropped_does_not_arrive(void)
{
	set_up(0);
	atomic_store(&net.vif->multicast_control, 1);
	net_post(0, 0, 60);
	give(1000);
	net.give.data[0] = 1;
	net_turn();
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_FILTERED]), 1);
	net_close();
	CU_ASSERT_TRUE(untouched(0, 0, 4096));
}

/*
 * A reference that is bad, or goes bad while its buffer waits: its piece is answered with an error and its flags, the
 * other pieces as they are, and the next packet comes whole.
 */
static void a_bad_reference_at_unmap(void)
{
	for (unsigned bad = 0; bad < SLOTS; bad++) {
		set_up(0);
		net_post(0, 0, 60);
		give(14);
		net_turn(); /* they are taken */
		CU_ASSERT_EQUAL(net_take(0).response.status, 14);
		mock_revoke(net.buffer[1 + bad]);
		give(BYTES);
		net_turn();
		CU_ASSERT_EQUAL_FATAL(net_received(0), SLOTS);
		for (unsigned i = 0; i < SLOTS; i++) {
			union pvr_netback_rx_response response = net_take(0);
			int length = i + 1 < SLOTS ? 4096 : BYTES % 4096;

			CU_ASSERT_EQUAL(response.response.id, 1 + i);
			CU_ASSERT_EQUAL(
				response.response.status, i == bad ? NETIF_RSP_ERROR : length);
			CU_ASSERT_EQUAL(
				response.response.flags, i + 1 < SLOTS ? NETRXF_more_data : 0);
		}
		CU_ASSERT_TRUE(untouched(1 + bad, 0, 4096));
		give(100);
		net_turn();
		CU_ASSERT_EQUAL(net_take(0).response.status, 100);
		CU_ASSERT_EQUAL(memcmp(net_buffer(1 + SLOTS), net.give.data, 100), 0);
		CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_GRANT]), 1);
		net_close();
	}
}

/* Two pieces of one packet are one loss, and of two packets two; an extra info's page is not looked at. */
static void losses_are_packets(void)
{
	set_up(256);
	mock_revoke(net.buffer[0]);
	mock_revoke(net.buffer[1]); /* the extra info of the headroom stands there */
	mock_revoke(net.buffer[2]);
	mock_revoke(net.buffer[3]);
	net_post(0, 0, 60);
	give(5000);
	net.to_give = 2;
	net_turn();
	CU_ASSERT_EQUAL_FATAL(net_received(0), 6);
	for (unsigned i = 0; i < 6; i++) {
		union pvr_netback_rx_response response = net_take(0);

		if (i % 3 == 1) {
			CU_ASSERT_EQUAL(response.extra.u.xdp.headroom, 256);
		} else {
			CU_ASSERT_EQUAL(response.response.status < 0, i < 4);
		}
	}
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_GRANT]), 2);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_copied), 1);
	net_close();
}

/* A static page is mapped and stays so, among others that are copied. */
static void static_pages_are_not_copied(void)
{
	struct xen_netif_gref *list = (void *)net_buffer(NET_BUFFERS - 1);

	set_up(0);
	list[0] = (struct xen_netif_gref){.ref = net.buffer[1]};
	CU_ASSERT_EQUAL(
		net_control(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, net.buffer[NET_BUFFERS - 1], 1)
			.status,
		XEN_NETIF_CTRL_STATUS_SUCCESS);
	mock_revoke(net.buffer[0]);
	mock_revoke(net.buffer[2]);
	net_post(0, 0, 60);
	give(8192);
	net_turn();
	CU_ASSERT_EQUAL(net_take(0).response.status, NETIF_RSP_ERROR);
	CU_ASSERT_EQUAL(net_take(0).response.status, 4096);
	CU_ASSERT_EQUAL(memcmp(net_buffer(1), net.give.data + 4096, 4096), 0);
	give(8192);
	net_turn();
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_GRANT]), 2);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_copied), 1);
	net_close();
}

/* What is sent is copied when it is taken: the guest cannot change it afterwards, nor revoke it. */
static void what_is_sent_is_copied(void)
{
	set_up(0);
	memset(net_data(0), 0x11, 4096);
	memset(net_data(0) + 1000, 0x22, 1599);
	memset(net_data(1), 0x33, 4096);
	net_send(0, net_request(0, 1000, 1600, NETTXF_more_data, 1));
	net_send(0, net_request(1, 4095, 1, 0, 2));
	net_send(0, net_request(2, 0, 200, 0, 3));
	mock_revoke(net.data[2]);
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_ERROR);
	CU_ASSERT_EQUAL(net.last.bytes, 1600);
	CU_ASSERT_EQUAL(net.last.data[0], 0x22);
	CU_ASSERT_EQUAL(net.last.data[1598], 0x22);
	CU_ASSERT_EQUAL(net.last.data[1599], 0x33);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_copied), 2);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_mapped), 0);
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_dropped[PVR_NETBACK_DROP_GRANT]), 1);
	CU_ASSERT_EQUAL(mock_host_mapped(), 3); /* the rings */
	net_close();
}

PVR_SUITE_WITH(netback_brief, mock_copy_begin, mock_copy_end, CASE(only_its_bytes_arrive),
	CASE(what_is_dropped_does_not_arrive), CASE(a_bad_reference_at_unmap),
	CASE(losses_are_packets), CASE(static_pages_are_not_copied), CASE(what_is_sent_is_copied))
