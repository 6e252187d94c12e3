/* SPDX-License-Identifier: MIT */
/* The network frontend with a backend that behaves: handshake, packets both ways, waiting. */
#include "net_rig.h"

#include <pthread.h>
#include <unistd.h>

static void start(void)
{
	net_peer_start();
	open_net(NULL);
	near_the_wrap();
}

static void handshake(void)
{
	const struct pvr_netfront_info *info;

	net_peer_start();
	peer_node("mtu", "9000");
	open_net(NULL);
	info = pvr_netfront_info(net);
	CU_ASSERT_EQUAL(memcmp(info->mac, (const uint8_t[]){2, 0, 0, 0, 0, 1}, 6), 0);
	CU_ASSERT(info->mtu == 9000 && info->carrier == 1);
	CU_ASSERT(info->queues == 1 && info->entries == 256);
	CU_ASSERT(info->sg && info->gso4 && info->gso6 && info->csum4 && info->csum6);
	CU_ASSERT(info->split && info->control && !info->multicast);
	CU_ASSERT_EQUAL(info->static_pages, 512);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	CU_ASSERT_EQUAL(peer_front(0, "feature-rx-notify"), 1);
	CU_ASSERT_EQUAL(peer_front(0, "feature-no-csum-offload"), 0);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	CU_ASSERT_PTR_NULL(pvr_netfront_queue(net, 1));
	close_net();
	CU_ASSERT_EQUAL(mock_xs_number(NET_BACK "/state"), XenbusStateClosed);
	open_net(NULL); /* and again, from Closed */
	close_net();
}

/* An earlier owner died without closing: everybody still says Connected. */
static void leftover_state_is_closed_first(void)
{
	net_peer_start();
	mock_xs_write(NET_FRONT "/state", "4");
	peer_state(XenbusStateConnected);
	open_net(NULL);
	close_net();
}

static void refused(const char *node, const char *value)
{
	net_peer_start();
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	if (node[0] == '/')
		mock_xs_write(node, value);
	else
		peer_node(node, value);
	CU_ASSERT_EQUAL(pvr_netfront_open(NET_PATH, NULL, &calls, soon(), &net), -EPROTO);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

static void what_makes_no_sense_is_refused(void)
{
	refused("feature-rx-copy", "0");
	refused(NET_FRONT "/mac", "02:00:00:00:00:0g");
	refused(NET_FRONT "/mac", "02:00:00:00:00:01:02");
	refused(NET_FRONT "/mac", "");
}

static void backend_that_never_comes(void)
{
	net_peer_start();
	pages_before = mock_pages_used();
	CU_ASSERT_EQUAL(pvr_netfront_open("device/vif/1", NULL, &calls, soon(), &net), -ENOENT);
	peer.deaf = 1;
	CU_ASSERT_EQUAL(
		pvr_netfront_open(NET_PATH, NULL, &calls, pvr_port_now_ns() + 20000000, &net),
		-ETIMEDOUT);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

static void too_few_references(void)
{
	grant_ref_t refs[4096];
	uint32_t left = 100;

	net_peer_start();
	pages_before = mock_pages_used();
	CU_ASSERT_EQUAL(pvr_grant_alloc(refs, pvr_grant_available() - left), 0);
	CU_ASSERT_EQUAL(pvr_netfront_open(NET_PATH, NULL, &calls, soon(), &net), -ENOSPC);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
	CU_ASSERT_EQUAL(pvr_grant_available(), left);
	/* Enough for a grant for each slot, not for static ones. */
	pvr_grant_free(refs, 500);
	open_net(NULL);
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->static_pages, 0);
	close_net();
}

/* ---- sending ---- */

static void packet_arrives_as_it_was_sent(void)
{
	struct pvr_net_packet packet;
	uint8_t *page;

	start();
	page = pvr_netfront_page_get(queue);
	fill_frame(page + 60, 1000, 3);
	packet = packet_of(page + 60, 1000);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	CU_ASSERT_EQUAL(peer_serve(), 0); /* nothing is visible before the kick */
	CU_ASSERT_EQUAL(mock_sends(net_peer.queue[0].tx_port), 0);
	pvr_netfront_kick(queue);
	CU_ASSERT_EQUAL(mock_sends(net_peer.queue[0].tx_port), 1);
	drain_sent(1);
	CU_ASSERT(seen.error == 0 && seen.token == page + 60);
	CU_ASSERT(net_peer.last.length == 1000 && net_peer.last.slots == 1);
	CU_ASSERT_EQUAL(net_peer.last.flags, 0);
	CU_ASSERT_EQUAL(memcmp(net_peer.last.bytes, page + 60, 1000), 0);
	pvr_netfront_page_put(queue, page);
	close_net();
}

/* Many times around the ring: from pages of the queue and from others, of all sizes and slices. */
static void many_packets_of_all_shapes(void)
{
	static uint8_t frame[65536];
	uint8_t *pages;
	struct pvr_netfront_stats stats;
	unsigned sent = 0;

	net_peer_start();
	peer_node("mtu", "65521");
	open_net(NULL);
	near_the_wrap();
	pages = pvr_port_pages_alloc(18);
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t slices = 1 + i % PVR_NET_SLICES_MAX, first = 14 + i * 31 % 3000;
		struct pvr_net_packet packet = {.token = frame};

		fill_frame(frame, sizeof(frame), i);
		packet.count = slices;
		for (uint32_t s = 0; s < slices; s++) {
			uint32_t length = s ? 1 + (i * 13 + s * 7) % 3500 : first;
			uint8_t *at = pages + s * 4096 + (i + s * 5) % 500;

			memcpy(at, frame + packet.bytes, length);
			packet.slice[s] = (struct pvr_net_slice){at, length};
			packet.bytes += length;
		}
		CU_ASSERT_EQUAL_FATAL(pvr_netfront_send(queue, &packet), 1);
		pvr_netfront_kick(queue);
		drain_sent(++sent);
		CU_ASSERT_EQUAL_FATAL(net_peer.last.length, packet.bytes);
		CU_ASSERT_EQUAL_FATAL(net_peer.last.slots, slices);
		CU_ASSERT_EQUAL_FATAL(memcmp(net_peer.last.bytes, frame, packet.bytes), 0);
	}
	pvr_netfront_stats(net, &stats);
	CU_ASSERT(stats.tx_packets == 2000 && stats.tx_errors == 0);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	pvr_port_pages_free(pages, 18);
	close_net();
}

static void full_ring_takes_no_more(void)
{
	struct pvr_net_packet packet;
	uint8_t *page;

	start();
	page = pvr_netfront_page_get(queue);
	packet = packet_of(page, 60);
	for (unsigned i = 0; i < 256; i++)
		CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 0);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 0);
	pvr_netfront_kick(queue);
	CU_ASSERT_EQUAL(mock_sends(net_peer.queue[0].tx_port), 1);
	drain_sent(256);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	for (unsigned i = 1; i < 256; i++)
		CU_ASSERT_PTR_NOT_NULL(pvr_netfront_page_get(queue));
	CU_ASSERT_PTR_NULL(pvr_netfront_page_get(queue));
	close_net(); /* sends what was not kicked */
	CU_ASSERT(net_peer.frames == 257 && seen.sent == 257 && seen.error == 0);
}

static void expect_invalid(struct pvr_net_packet packet)
{
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), -EINVAL);
}

static void packets_that_cannot_be(void)
{
	struct pvr_net_packet good, bad;
	uint8_t *page;

	start();
	page = pvr_netfront_page_get(queue);
	good = packet_of(page, 100);
	bad = good, bad.count = 0, expect_invalid(bad);
	bad = good, bad.count = 19, expect_invalid(bad);
	bad = good, bad.bytes = 99, expect_invalid(bad);
	expect_invalid(packet_of(page, 13));
	expect_invalid(packet_of(page + 4000, 97)); /* beyond its page */
	expect_invalid(packet_of(page, 1519));      /* needs GSO */
	bad = good, bad.slice[0].length = bad.bytes = 0, expect_invalid(bad);
	bad = good, bad.gso_type = XEN_NETIF_GSO_TYPE_TCPV4, expect_invalid(bad);
	bad.gso_type = 3, bad.gso_size = 1448, expect_invalid(bad);
	bad = good, bad.count = 2, bad.slice[1] = (struct pvr_net_slice){page, 0};
	expect_invalid(bad);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &good), 1);
	close_net();
}

/* A backend that drops says so, and the packet's owner hears it. */
static void dropped_by_the_backend(void)
{
	struct pvr_netfront_stats stats;
	struct pvr_net_packet packet;

	start();
	packet = packet_of(pvr_netfront_page_get(queue), 100);
	net_peer.status = NETIF_RSP_DROPPED;
	pvr_netfront_send(queue, &packet);
	pvr_netfront_kick(queue);
	drain_sent(1);
	CU_ASSERT_EQUAL(seen.error, -EIO);
	pvr_netfront_stats(net, &stats);
	CU_ASSERT_EQUAL(stats.tx_errors, 1);
	close_net();
}

/* Answers in any order, those of one packet too; ids come back when the whole packet is over. */
static void answers_out_of_order(void)
{
	union net_tx_slot slot[8];
	struct pvr_net_packet packet;
	uint8_t *page;

	start();
	peer.manual = 1;
	page = pvr_netfront_page_get(queue);
	packet = packet_of(page, 100);
	packet.count = 4, packet.bytes = 400;
	for (unsigned i = 1; i < 4; i++)
		packet.slice[i] = (struct pvr_net_slice){page + i * 100, 100};
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	pvr_netfront_kick(queue);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_FATAL(net_peer_tx_take(0, &slot[i]) > 0);
	for (unsigned i = 0; i < 7; i++)
		net_peer_tx_put(0, slot[i * 3 % 8].request.id, i == 2 ? NETIF_RSP_ERROR : 0);
	net_peer_tell(0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
	CU_ASSERT_EQUAL(seen.sent, 1);
	net_peer_tx_put(0, slot[21 % 8].request.id, 0);
	net_peer_tell(0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
	CU_ASSERT_EQUAL(seen.sent, 2);
	CU_ASSERT((seen.errors[0] == -EIO) + (seen.errors[1] == -EIO) == 1);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	close_net();
}

/* ---- receiving ---- */

static void packets_are_received(void)
{
	static uint8_t frame[65536];
	struct pvr_netfront_stats stats;

	start();
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t length = 14 + i * 37 % 9000, slice = 600 + i % 3400;

		slice = (length + slice - 1) / slice > 18 ? 4000 : slice;
		fill_frame(frame, length, i);
		CU_ASSERT_EQUAL_FATAL(
			net_peer_give(0, frame, length, slice, (uint16_t)(i % 90), 0, NULL, 0), 0);
		receive(i + 1);
		CU_ASSERT_EQUAL_FATAL(seen.packet.bytes, length);
		CU_ASSERT_EQUAL_FATAL(memcmp(seen.bytes, frame, length), 0);
		CU_ASSERT_EQUAL(seen.packet.flags, 0);
	}
	pvr_netfront_stats(net, &stats);
	CU_ASSERT(stats.rx_packets == 2000 && stats.rx_dropped == 0);
	close_net();
}

/* The budget bounds a poll, and what it leaves is there for the next. */
static void budget_bounds_a_poll(void)
{
	uint8_t frame[64];

	start();
	fill_frame(frame, 64, 9);
	for (unsigned i = 0; i < 200; i++)
		CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 64, 64, 0, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 10), 10);
	CU_ASSERT_EQUAL(seen.received, 10);
	CU_ASSERT_EQUAL(pvr_netfront_arm(queue) != 0, 1);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 0), 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1000), 190);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1000), 0);
	CU_ASSERT_EQUAL(pvr_netfront_arm(queue), 0);
	close_net();
}

/* A packet whose slots are on both sides of a batch. */
static void packet_across_a_batch(void)
{
	static uint8_t frame[9000];

	start();
	fill_frame(frame, sizeof(frame), 1);
	for (unsigned i = 0; i < 63; i++)
		CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 60, 60, 0, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 9000, 500, 0, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 1000), 64);
	CU_ASSERT_EQUAL(seen.packet.count, 18);
	CU_ASSERT_EQUAL(memcmp(seen.bytes, frame, sizeof(frame)), 0);
	close_net();
}

static void send_from_received(
	void *user, struct pvr_netfront_queue *from, const struct pvr_net_packet *packet)
{
	uint8_t *page = pvr_netfront_page_get(from);
	struct pvr_net_packet echo = packet_of(page, packet->bytes);

	(void)user;
	memcpy(page, packet->slice[0].address, packet->bytes);
	CU_ASSERT_EQUAL(pvr_netfront_send(from, &echo), 1);
}

static void put_in_sent(void *user, struct pvr_netfront_queue *from, void *token, int error)
{
	CU_ASSERT_EQUAL(error, 0);
	pvr_netfront_page_put(from, token);
	on_sent(user, from, token, error);
}

/* Both callbacks use the interface: what is received is sent back. */
static void echo_from_the_callback(void)
{
	const struct pvr_netfront_calls echo = {send_from_received, put_in_sent, NULL};
	uint8_t frame[64];

	net_peer_start();
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	memset(&seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL_FATAL(pvr_netfront_open(NET_PATH, NULL, &echo, soon(), &net), 0);
	queue = pvr_netfront_queue(net, 0);
	near_the_wrap();
	for (unsigned i = 0; i < 1000; i++) {
		fill_frame(frame, 64, i);
		CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 64, 64, 0, 0, NULL, 0), 0);
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
		pvr_netfront_kick(queue);
		drain_sent(i + 1);
		CU_ASSERT_EQUAL_FATAL(memcmp(net_peer.last.bytes, frame, 64), 0);
	}
	close_net();
}

/* ---- waiting ---- */

static void *give_later(void *arg)
{
	static uint8_t frame[64];

	(void)arg;
	usleep(20000);
	net_peer_give(0, frame, 64, 64, 0, 0, NULL, 0);
	return NULL;
}

static void wait_is_woken_and_times_out(void)
{
	pthread_t thread;

	start();
	CU_ASSERT_EQUAL(pvr_netfront_wait(queue, pvr_port_now_ns() + 10000000), -ETIMEDOUT);
	pthread_create(&thread, NULL, give_later, NULL);
	receive(1);
	pthread_join(thread, NULL);
	close_net();
}

/* Of what was sent only every other answer is told: one event for a batch. */
static void sent_is_told_in_batches(void)
{
	struct pvr_net_packet packet;
	union net_tx_slot slot;
	evtchn_port_t ports[2];

	start();
	peer.manual = 1;
	packet = packet_of(pvr_netfront_page_get(queue), 60);
	for (unsigned i = 0; i < 8; i++)
		pvr_netfront_send(queue, &packet);
	pvr_netfront_kick(queue);
	pvr_netfront_ports(queue, ports);
	CU_ASSERT(ports[0] == net_peer.queue[0].rx_port && ports[1] == net_peer.queue[0].tx_port);
	CU_ASSERT_EQUAL(pvr_netfront_arm(queue), 0);
	pvr_evtchn_clear(ports[1]);
	for (unsigned i = 0; i < 8; i++) {
		CU_ASSERT(net_peer_tx_take(0, &slot) > 0);
		net_peer_tx_put(0, slot.request.id, 0);
		net_peer_tell(0);
		CU_ASSERT_EQUAL(pvr_evtchn_clear(ports[1]), i == 4);
	}
	drain_sent(8);
	close_net();
}

PVR_SUITE(netfront, CASE(handshake), CASE(leftover_state_is_closed_first),
	CASE(what_makes_no_sense_is_refused), CASE(backend_that_never_comes),
	CASE(too_few_references), CASE(packet_arrives_as_it_was_sent),
	CASE(many_packets_of_all_shapes), CASE(full_ring_takes_no_more),
	CASE(packets_that_cannot_be), CASE(dropped_by_the_backend), CASE(answers_out_of_order),
	CASE(packets_are_received), CASE(budget_bounds_a_poll), CASE(packet_across_a_batch),
	CASE(echo_from_the_callback), CASE(wait_is_woken_and_times_out),
	CASE(sent_is_told_in_batches))
