/* SPDX-License-Identifier: MIT */
/* From the tx ring to the outside, with right frontends and wrong ones. */
#include "guest_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define BLANK NETTXF_csum_blank
#define MORE  NETTXF_more_data
#define EXTRA NETTXF_extra_info

static void set_up(void)
{
	net_reset();
	net_open(NULL, NULL);
}

static union pvr_netback_slot gso_extra(uint8_t type, uint16_t size)
{
	union pvr_netback_slot slot;

	memset(&slot, 0, sizeof(slot));
	slot.extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
	slot.extra.u.gso.type = type;
	slot.extra.u.gso.size = size;
	return slot;
}

/* Publishes and has it served, and expects so many answers of one status. */
static void serve(unsigned answers, int16_t status)
{
	net_publish(0);
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL_FATAL(net_answers(0), answers);
	while (answers--)
		CU_ASSERT_EQUAL(net_answer(0).status, status);
	CU_ASSERT_EQUAL(mock_host_mapped(), 3); /* the rings */
}

static void a_packet(void)
{
	set_up();
	for (size_t i = 0; i < 1000; i++)
		net_data(3)[100 + i] = (uint8_t)(i * 3);
	net_send(0, net_request(3, 100, 1000, 0, 0xabcd));
	net_publish(0);
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL(net.written, 1);
	CU_ASSERT_EQUAL(net.last.bytes, 1000);
	CU_ASSERT_EQUAL(memcmp(net.last.data, net_data(3) + 100, 1000), 0);
	CU_ASSERT_EQUAL(net.last.vnet.flags, 0);
	struct netif_tx_response answer = net_answer(0);
	CU_ASSERT_EQUAL(answer.id, 0xabcd);
	CU_ASSERT_EQUAL(answer.status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_packets), 1);
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_bytes), 1000);
	net_close();
}

/* As many slots as there may be, an extra info among them, and an answer to each. */
static void many_slots_and_an_extra(void)
{
	uint8_t expected[NET_PACKET];
	unsigned slots = PVR_NETBACK_SLICES_MAX;
	size_t bytes = 3000 * slots;

	set_up();
	net_make(expected, 6, IPPROTO_TCP, bytes);
	for (unsigned i = 0; i < slots; i++)
		memcpy(net_data(i) + 50 * i, expected + 3000 * i, 3000);
	net_send(0, net_request(0, 0, (uint16_t)bytes, BLANK | MORE | EXTRA, 100));
	net_send(0, gso_extra(XEN_NETIF_GSO_TYPE_TCPV6, 1400));
	for (unsigned i = 1; i < slots; i++)
		net_send(0, net_request(i, (uint16_t)(50 * i), 3000, i + 1 < slots ? MORE : 0,
				    (uint16_t)(100 + i)));
	net_publish(0);
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL_FATAL(net_answers(0), slots + 1);
	for (unsigned i = 0; i < slots + 1; i++) {
		struct netif_tx_response answer = net_answer(0);

		CU_ASSERT_EQUAL(answer.status, i == 1 ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
		if (i != 1)
			CU_ASSERT_EQUAL(answer.id, 100 + i - (i > 1));
	}
	CU_ASSERT_EQUAL(net.last.bytes, bytes);
	CU_ASSERT_EQUAL(memcmp(net.last.data, expected, bytes), 0);
	CU_ASSERT_EQUAL(net.last.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	CU_ASSERT_EQUAL(net.last.vnet.gso_size, 1400);
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_gso), 1);
	net_close();
}

/* Headers in slots of one byte each: every cut goes through them. */
static void xsa_423_headers_in_tiny_slots(void)
{
	uint8_t expected[100];

	set_up();
	net_make(expected, 4, IPPROTO_TCP, sizeof(expected));
	memcpy(net_data(0), expected, sizeof(expected));
	/* The first slot has the rest of it; 18 bytes go around, one a slot. */
	for (unsigned i = 0; i < 18; i++)
		net_data(1 + i)[4095] = expected[82 + i];
	net_send(0, net_request(0, 0, 100, BLANK | MORE, 1));
	for (unsigned i = 0; i < 18; i++)
		net_send(0, net_request(1 + i, 4095, 1, i < 17 ? MORE : 0, 2));
	serve(19, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(memcmp(net.last.data, expected, 100), 0);
	CU_ASSERT_EQUAL(net.last.vnet.csum_start, 34);
	/* And the other way round: the headers byte by byte, then the rest. */
	for (unsigned i = 0; i < 18; i++)
		net_data(i)[7] = expected[i];
	memcpy(net_data(18), expected + 18, 82);
	net_send(0, net_request(0, 7, 100, BLANK | MORE, 1));
	for (unsigned i = 1; i < 18; i++)
		net_send(0, net_request(i, 7, 1, MORE, 2));
	net_send(0, net_request(18, 0, 82, 0, 3));
	serve(19, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(net.last.bytes, 100);
	CU_ASSERT_EQUAL(memcmp(net.last.data, expected, 100), 0);
	CU_ASSERT_EQUAL(net.last.vnet.csum_start, 34);
	net_close();
}

static void dropped(unsigned why, unsigned count)
{
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_dropped[why]), count);
	CU_ASSERT_EQUAL(net.written, 0);
}

static void what_is_dropped(void)
{
	set_up();
	net_send(0, net_request(0, 0, 13, 0, 1));
	serve(1, NETIF_RSP_ERROR);
	dropped(PVR_NETBACK_DROP_MALFORMED, 1);
	/* A blank checksum in what has none. */
	memset(net_data(0), 0, 100);
	net_send(0, net_request(0, 0, 100, BLANK, 2));
	serve(1, NETIF_RSP_ERROR);
	dropped(PVR_NETBACK_DROP_MALFORMED, 2);
	/* Slots that hold more than the packet; all of them are answered. */
	net_send(0, net_request(0, 0, 100, MORE, 3));
	net_send(0, net_request(1, 0, 90, MORE, 3));
	net_send(0, net_request(2, 0, 90, 0, 3));
	serve(3, NETIF_RSP_ERROR);
	dropped(PVR_NETBACK_DROP_MALFORMED, 3);
	net.refuse = 1;
	net_send(0, net_request(0, 0, 100, 0, 4));
	serve(1, NETIF_RSP_DROPPED);
	dropped(PVR_NETBACK_DROP_OUTSIDE, 1);
	net_close();
}

/* The nth page of a batch of packets cannot be mapped: that packet is lost, no other, and nothing
 * leaks. */
static void xsa_361_a_page_that_cannot_be_mapped(void)
{
	for (unsigned bad = 1; bad <= 6; bad++) {
		set_up();
		mock_fail_map(bad);
		for (unsigned i = 0; i < 3; i++) {
			net_send(0, net_request(2 * i, 0, 200, MORE, (uint16_t)i));
			net_send(0, net_request(2 * i + 1, 0, 100, 0, (uint16_t)i));
		}
		net_publish(0);
		net_turn();
		for (unsigned i = 0; i < 6; i++)
			CU_ASSERT_EQUAL(net_answer(0).status,
				i / 2 == (bad - 1) / 2 ? NETIF_RSP_ERROR : NETIF_RSP_OKAY);
		CU_ASSERT_EQUAL(net.written, 2);
		CU_ASSERT_EQUAL(net_count(&net.stats.tx_dropped[PVR_NETBACK_DROP_GRANT]), 1);
		CU_ASSERT_EQUAL(mock_host_mapped(), 3);
		net_close();
	}
}

/* What breaks an interface, and that it then is quiet and leaves nothing. */
static void broken(const char *why)
{
	net_publish(0);
	CU_ASSERT_EQUAL(net_turn(), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL_FATAL(net.queue[0].back->error);
	CU_ASSERT_PTR_NOT_NULL(strstr(net.queue[0].back->error, why));
	CU_ASSERT_EQUAL(net.written, 0);
	net_close();
}

static void xsa_39_breaks_the_interface(void)
{
	set_up();
	net_send(0, net_request(0, 4000, 97, 0, 1));
	broken("beyond its page");
	set_up();
	for (unsigned i = 0; i < 21; i++)
		net_send(0, net_request(i, 0, i ? 10 : 210, i < 20 ? MORE : 0, 1));
	broken("over 20 slots");
	set_up();
	net_send(0, net_request(0, 0, 100, MORE, 1));
	broken("half a packet");
	set_up();
	net_send(0, net_request(0, 0, 100, EXTRA, 1));
	net_send(0, gso_extra(XEN_NETIF_GSO_TYPE_TCPV4, 0));
	broken("GSO size");
	set_up();
	net_send(0, net_request(0, 0, 100, 0, 1));
	net.queue[0].tx.prod += 300; /* more than the ring has */
	broken("impossible index");
}

/* An answer is four bytes, all of them set; the rest of its slot is still the frontend's own
 * (XSA-216). */
static void xsa_216_answers(void)
{
	union pvr_netback_slot *slot;

	set_up();
	net_send(0, net_request(0, 0, 100, 0, 1));
	net_publish(0);
	slot = net_tx_slot_at_(&net.queue[0].tx, NET_START);
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL(sizeof(struct netif_tx_response), 4);
	CU_ASSERT_EQUAL(((const struct netif_tx_response *)(const void *)slot)->id, 1);
	CU_ASSERT_EQUAL(
		((const struct netif_tx_response *)(const void *)slot)->status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(slot->request.size, 100);
	net_close();
}

static void checksums_for_an_outside_without(void)
{
	uint8_t packet[3000];

	for (int version = 4; version <= 6; version += 2) {
		net_reset();
		net.takes = 0;
		net_open(NULL, NULL);
		net_make(packet, version, IPPROTO_TCP, sizeof(packet));
		memcpy(net_data(0), packet, 1001);
		memcpy(net_data(1), packet + 1001, 1999);
		net_send(0, net_request(0, 0, 3000, BLANK | MORE, 1));
		net_send(0, net_request(1, 0, 1999, 0, 1));
		serve(2, NETIF_RSP_OKAY);
		CU_ASSERT_EQUAL(net.last.vnet.flags, 0);
		CU_ASSERT_EQUAL(net.last.bytes, 3000);
		CU_ASSERT_EQUAL(net_sum_error(net.last.data, 3000), 0);
		/* GSO it was never offered. */
		net_send(0, net_request(0, 0, 3000, BLANK | MORE | EXTRA, 1));
		net_send(0, gso_extra(version == 4 ? 1 : 2, 1000));
		net_send(0, net_request(1, 0, 1999, 0, 1));
		net_publish(0);
		net_turn();
		CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_ERROR);
		CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_NULL);
		CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_ERROR);
		CU_ASSERT_EQUAL(net.written, 1);
		net_close();
	}
}

/* `rate`: what goes beyond waits for its time, and is not lost. */
static void credit(void)
{
	net_reset();
	net.spec.credit_bytes = 1000;
	net.spec.credit_us = 100;
	net_open(NULL, NULL);
	for (unsigned i = 0; i < 5; i++)
		net_send(0, net_request(0, 0, 600, 0, (uint16_t)i));
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net.written, 2); /* the second takes more than is left */
	CU_ASSERT_EQUAL(pvr_netback_queue_due(net.queue[0].back) - net.now <= 100000, 1);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 0);
	net.now += 100000;
	net_turn();
	CU_ASSERT_EQUAL(net.written, 4);
	net.now += 100000;
	net_turn();
	CU_ASSERT_EQUAL(net.written, 5);
	CU_ASSERT_EQUAL(net_answers(0), 5);
	CU_ASSERT_TRUE(net_count(&net.stats.limited) >= 2);
	/* A long pause saves nothing up. */
	net.now += 1000000000;
	for (unsigned i = 0; i < 5; i++)
		net_send(0, net_request(0, 0, 600, 0, (uint16_t)i));
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net.written, 7);
	net_close();
}

static void an_outside_without_room(void)
{
	short events;

	set_up();
	net.full = 1;
	net_send(0, net_request(0, 0, 600, 0, 1));
	net_publish(0);
	CU_ASSERT_EQUAL(net_turn(), 0);
	CU_ASSERT_EQUAL(net_answers(0), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_pending(net.queue[0].back), 0);
	pvr_netback_queue_fd(net.queue[0].back, &events);
	CU_ASSERT_EQUAL(events, POLLOUT);
	net.full = 0;
	CU_ASSERT_TRUE(net_turn() > 0);
	CU_ASSERT_EQUAL(net.written, 1);
	net_close();
}

static union pvr_netback_slot group(uint8_t type, uint8_t last)
{
	union pvr_netback_slot slot;

	memset(&slot, 0, sizeof(slot));
	slot.extra =
		(struct netif_extra_info){.type = type, .u.mcast.addr = {1, 0, 0x5e, 0, 0, last}};
	return slot;
}

static int16_t change_group(uint8_t type, uint8_t last)
{
	int16_t status;

	net_send(0, net_request(0, 0, 0, EXTRA, 9));
	net_send(0, group(type, last));
	net_publish(0);
	CU_ASSERT_EQUAL(net_turn(), 2);
	status = net_answer(0).status;
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_NULL);
	return status;
}

static void multicast_groups(void)
{
	set_up();
	for (unsigned i = 0; i < PVR_NETBACK_MCAST_MAX; i++)
		CU_ASSERT_EQUAL(
			change_group(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, (uint8_t)i), NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(change_group(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 5), NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(change_group(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 200), NETIF_RSP_ERROR);
	CU_ASSERT_EQUAL(change_group(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 5), NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(change_group(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 200), NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(net.written, 0);
	net_close();
}

/* A batch is bounded, and nothing is forgotten over many of them. */
static void batches(void)
{
	unsigned sent = 0, answered = 0;

	set_up();
	for (unsigned round = 0; round < 20; round++) {
		while (pvr_ring_free(&net.queue[0].tx)) {
			net_send(0, net_request(sent % NET_PAGES, 0, 60, 0, (uint16_t)sent));
			sent++;
		}
		net_publish(0);
		CU_ASSERT_EQUAL(net_turn(), PVR_NETBACK_TX_BATCH);
		while (net_answers(0)) {
			CU_ASSERT_EQUAL(net_answer(0).id, (uint16_t)answered);
			answered++;
		}
	}
	while (net_turn() > 0)
		;
	while (net_answers(0))
		CU_ASSERT_EQUAL(net_answer(0).id, (uint16_t)answered++);
	CU_ASSERT_EQUAL(answered, sent);
	CU_ASSERT_EQUAL(net.written, sent);
	net_close();
}

static void one_event_when_asked(void)
{
	set_up();
	mock_port_events(net.queue[0].tx_port, 0);
	CU_ASSERT_EQUAL(pvr_ring_final_check(&net.queue[0].tx), 0);
	for (unsigned i = 0; i < 10; i++)
		net_send(0, net_request(0, 0, 60, 0, 1));
	net_publish(0);
	CU_ASSERT_EQUAL(pvr_netback_queue_arm(net.queue[0].back), 1);
	net_turn();
	CU_ASSERT_EQUAL(mock_port_events(net.queue[0].tx_port, 0), 1);
	CU_ASSERT_EQUAL(mock_port_events(net.queue[0].rx_port, 0), 0);
	net_turn();
	CU_ASSERT_EQUAL(mock_port_events(net.queue[0].tx_port, 0), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_arm(net.queue[0].back), 0);
	net_close();
}

PVR_SUITE(netback_tx, CASE(a_packet), CASE(many_slots_and_an_extra),
	CASE(xsa_423_headers_in_tiny_slots), CASE(what_is_dropped),
	CASE(xsa_361_a_page_that_cannot_be_mapped), CASE(xsa_39_breaks_the_interface),
	CASE(xsa_216_answers), CASE(checksums_for_an_outside_without), CASE(credit),
	CASE(an_outside_without_room), CASE(multicast_groups), CASE(batches),
	CASE(one_event_when_asked))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_tx_copied, netback_tx, mock_copy_begin, mock_copy_end)
