/* SPDX-License-Identifier: MIT */
/* The network frontend with a backend that lies, keeps pages, or floods. Named after the advisories. */
#include "net_rig.h"

#include <pthread.h>
#include <stdlib.h>

#define PACKETS 4

static union net_tx_slot wire[PACKETS];
static uint8_t *page;

/* An interface without static grants and four packets on the ring, taken by the backend and not answered. */
static void in_flight(void)
{
	net_peer_start();
	open_net(&(struct pvr_netfront_options){.without = PVR_NETFRONT_NO_STATIC});
	near_the_wrap();
	peer.manual = 1;
	page = pvr_netfront_page_get(queue);
	for (unsigned i = 0; i < PACKETS; i++) {
		struct pvr_net_packet packet = packet_of(page, 100);

		CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	}
	pvr_netfront_kick(queue);
	for (unsigned i = 0; i < PACKETS; i++)
		CU_ASSERT(net_peer_tx_take(0, &wire[i]) > 0);
}

/* A close would wait for it. */
static void answer_sent(void)
{
	for (unsigned i = 0; i < PACKETS; i++)
		net_peer_tx_put(0, wire[i].request.id, 0);
	net_peer_tell(0);
}

/* What is in flight ends, one line is logged, and the interface stays in error. */
static void ends_in_error(unsigned left)
{
	struct pvr_net_packet packet = packet_of(page, 100);
	unsigned before = seen.sent;

	net_peer_tell(0);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	pvr_netfront_poll(queue, 64);
	CU_ASSERT_EQUAL(seen.sent, before + left);
	CU_ASSERT(!left || seen.error == -EIO);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(mock_log_last(), "the device is in error"));
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), -ENODEV);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), -ENODEV);
	CU_ASSERT_EQUAL(pvr_netfront_wait(queue, soon()), 0);
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->carrier == 0 || left == 0, 1);
	close_net();
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
}

/* ---- tx ---- */

static void xsa_405_tx_id_out_of_range(void)
{
	in_flight();
	net_peer_tx_put(0, 256, 0);
	ends_in_error(PACKETS);
}

static void xsa_405_tx_id_never_sent(void)
{
	in_flight();
	net_peer_tx_put(0, (uint16_t)((wire[3].request.id + 1) % 256), 0);
	ends_in_error(PACKETS);
}

static void xsa_405_tx_answered_twice(void)
{
	in_flight();
	net_peer_tx_put(0, wire[1].request.id, 0);
	net_peer_tx_put(0, wire[1].request.id, 0);
	ends_in_error(PACKETS);
}

/* What was queued after the last kick, the backend cannot know of. */
static void xsa_405_tx_not_published(void)
{
	struct pvr_net_packet packet;

	in_flight();
	packet = packet_of(page, 60);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	net_peer_tx_put(0, (uint16_t)((wire[3].request.id + 1) % 256), 0);
	ends_in_error(PACKETS + 1);
}

static void xsa_405_tx_null_without_an_extra(void)
{
	in_flight();
	net_peer_tx_put(0, wire[0].request.id, NETIF_RSP_NULL);
	ends_in_error(PACKETS);
}

static void more_tx_answers_than_requests(void)
{
	in_flight();
	for (unsigned i = 0; i < 5; i++)
		net_peer_tx_put(0, wire[0].request.id, 0);
	ends_in_error(PACKETS);
}

/* ---- rx ---- */

static struct netif_rx_request buffer;

static void with_a_buffer(void)
{
	in_flight();
	CU_ASSERT(net_peer_rx_take(0, &buffer) > 0);
}

static void xsa_405_rx_in_another_slot(void)
{
	with_a_buffer();
	net_peer_rx_answer(0, (uint16_t)(buffer.id ^ 1), 0, 0, 60);
	ends_in_error(PACKETS);
	with_a_buffer();
	net_peer_rx_answer(0, (uint16_t)(buffer.id + 256), 0, 0, 60);
	ends_in_error(PACKETS);
}

static void xsa_405_rx_beyond_its_page(void)
{
	static const uint16_t wrong[][2] = {
		{4096, 1}, {0, 4097}, {4037, 60}, {65535, 60}, {65476, 60}, {0, 32767}};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		with_a_buffer();
		net_peer_rx_answer(0, buffer.id, wrong[i][0], 0, (int16_t)wrong[i][1]);
		ends_in_error(PACKETS);
		CU_ASSERT_EQUAL(seen.received, 0);
	}
}

static void xsa_405_rx_without_end(void)
{
	with_a_buffer();
	net_peer_rx_answer(0, buffer.id, 0, NETRXF_more_data, 60);
	ends_in_error(PACKETS);
	with_a_buffer();
	net_peer_rx_answer(0, buffer.id, 0, NETRXF_extra_info, 60);
	ends_in_error(PACKETS);
	with_a_buffer();
	for (unsigned i = 0; i < 100; i++) {
		net_peer_rx_answer(0, buffer.id, 0, NETRXF_more_data, 60);
		CU_ASSERT(net_peer_rx_take(0, &buffer) > 0);
	}
	ends_in_error(PACKETS);
}

static void xsa_405_extras_without_end(void)
{
	union net_rx_slot slot = {.extra = {.type = XEN_NETIF_EXTRA_TYPE_XDP, .flags = 1}};

	with_a_buffer();
	net_peer_rx_answer(0, buffer.id, 0, NETRXF_extra_info, 60);
	for (unsigned i = 0; i < 20; i++) {
		CU_ASSERT(net_peer_rx_take(0, &buffer) > 0);
		net_peer_rx_put(0, &slot);
	}
	ends_in_error(PACKETS);
}

static void more_rx_answers_than_requests(void)
{
	in_flight();
	for (unsigned i = 0; i < 257; i++)
		net_peer_rx_answer(0, 0, 0, 0, 60);
	ends_in_error(PACKETS);
}

static void control_ends_in_error(void)
{
	const uint32_t map[1] = {0};
	const uint8_t key[40] = {0};

	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 1, key, map, 1), -EPROTO);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), PACKETS);
	CU_ASSERT_EQUAL(seen.error, -EIO);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), -ENODEV);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 1, key, map, 1), -ENODEV);
	close_net();
}

static void control_answer_to_another_request(void)
{
	in_flight();
	net_peer.ctrl_lie = 1;
	control_ends_in_error();
}

static void more_control_answers_than_requests(void)
{
	in_flight();
	net_peer.ctrl.prod++;
	control_ends_in_error();
}

/* ---- of no use, but not wrong ---- */

static void dropped(uint16_t flags, int16_t status, unsigned slots)
{
	struct pvr_netfront_stats stats;
	uint64_t before;

	pvr_netfront_stats(net, &stats);
	before = stats.rx_dropped;
	for (unsigned i = 0; i < slots; i++) {
		CU_ASSERT(net_peer_rx_take(0, &buffer) > 0);
		net_peer_rx_answer(0, buffer.id, 0,
			(uint16_t)(flags | (i + 1 < slots ? NETRXF_more_data : 0)), status);
	}
	net_peer_tell(0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
	pvr_netfront_stats(net, &stats);
	CU_ASSERT_EQUAL(stats.rx_dropped, before + 1);
	CU_ASSERT_EQUAL(seen.received, 0);
}

static void useless_packets_are_dropped(void)
{
	uint8_t frame[64] = {0};

	in_flight();
	dropped(0, 13, 1); /* no Ethernet header */
	dropped(0, 0, 1);
	dropped(0, NETIF_RSP_ERROR, 1);
	dropped(0, NETIF_RSP_DROPPED, 3);
	dropped(0, -32768, 1);
	dropped(0, 100, 19); /* slices */
	dropped(0, 100, 63);
	dropped(0, 4000, 18); /* bytes */
	dropped(NETRXF_gso_prefix, 60, 2);
	CU_ASSERT_EQUAL(net_peer_give(0, frame, 64, 64, 0, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 1);
	CU_ASSERT_EQUAL(seen.received, 1);
	answer_sent();
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), PACKETS);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	close_net();
}

/* ---- pages the backend keeps ---- */

static void xsa_396_tx_page_is_kept(void)
{
	grant_ref_t kept;

	in_flight();
	kept = wire[0].request.gref;
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(kept, 0, 0));
	net_peer_tx_put(0, wire[0].request.id, 0);
	net_peer_tell(0);
	pvr_netfront_poll(queue, 64);
	CU_ASSERT_EQUAL(seen.sent, PACKETS);
	CU_ASSERT_EQUAL((seen.errors[0] == -EBUSY) + (seen.errors[1] == -EBUSY) +
				(seen.errors[2] == -EBUSY) + (seen.errors[3] == -EBUSY),
		1);
	CU_ASSERT_EQUAL(mock_grant_flags(kept) & GTF_reading, GTF_reading);
	pvr_netfront_close(net);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
	mock_grant_unmap(kept);
}

/* The page of a buffer that was answered is not handed up while the backend can still write it. */
static void xsa_396_rx_page_is_kept(void)
{
	grant_ref_t kept;

	with_a_buffer();
	kept = buffer.gref;
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(kept, 0, 1));
	net_peer_rx_answer(0, buffer.id, 0, 0, 60);
	net_peer_tell(0);
	pvr_netfront_poll(queue, 64);
	CU_ASSERT_EQUAL(seen.received, 0);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), -ENODEV);
	pvr_netfront_close(net);
	/* It was allocated with the others of the queue, which are lost with it. */
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before + 256);
	mock_grant_unmap(kept);
}

/* Nothing but what was written for it: buffers, requests and their padding come zeroed. */
static void xsa_403_nothing_else_is_visible(void)
{
	const uint8_t *ring;
	unsigned other = 0;

	in_flight();
	ring = (const uint8_t *)queue->live.tx_page.at;
	/* The four requests are in the first slot and the last three. */
	for (unsigned i = 64 + 12; i < 4096; i++)
		other += (i < 64 + 253 * 12 || i >= 64 + 256 * 12) && ring[i] != 0;
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t *bytes;

		CU_ASSERT(net_peer_rx_take(0, &buffer) > 0);
		CU_ASSERT_EQUAL(buffer.pad, 0);
		bytes = mock_grant_map(buffer.gref, 0, 1);
		for (unsigned b = 0; b < 4096; b++)
			other += bytes[b] != 0;
		mock_grant_unmap(buffer.gref);
	}
	CU_ASSERT_EQUAL(other, 0);
	close_net();
}

/* ---- leaks, storms ---- */

static void xsa_457_memory_is_stable(void)
{
	struct pvr_net_packet packet;
	uint8_t frame[64] = {0};
	unsigned pages;
	uint32_t grants;

	net_peer_start();
	open_net(&(struct pvr_netfront_options){.without = PVR_NETFRONT_NO_STATIC});
	near_the_wrap();
	pages = mock_pages_used();
	grants = pvr_grant_available();
	packet = packet_of(pvr_netfront_page_get(queue), 100);
	packet.count = 2, packet.bytes = 200;
	packet.slice[1] = packet.slice[0];
	for (unsigned i = 0; i < 50000; i++) {
		net_peer.status = i % 3 ? NETIF_RSP_OKAY : NETIF_RSP_ERROR;
		CU_ASSERT_EQUAL_FATAL(pvr_netfront_send(queue, &packet), 1);
		CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 64, 64, 0, 0, NULL, 0), 0);
		pvr_netfront_kick(queue);
		CU_ASSERT_EQUAL_FATAL(pvr_netfront_poll(queue, 64), 2);
	}
	CU_ASSERT(seen.sent == 50000 && seen.received == 50000);
	CU_ASSERT_EQUAL(mock_pages_used(), pages);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	close_net();
}

/* Events without anything on the rings cost a wake-up each, and nothing is taken for something. */
static void xsa_332_event_storm(void)
{
	in_flight();
	for (unsigned i = 0; i < 10000; i++) {
		mock_raise(net_peer.queue[0].rx_port);
		mock_raise(net_peer.queue[0].tx_port);
		CU_ASSERT_EQUAL(pvr_netfront_wait(queue, soon()), 0);
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	}
	CU_ASSERT_EQUAL(pvr_netfront_wait(queue, pvr_port_now_ns() + 1000000), -ETIMEDOUT);
	CU_ASSERT(seen.sent == 0 && seen.received == 0);
	answer_sent();
	close_net();
}

/* ---- a slot that changes while it is read ---- */

static _Atomic int flipping;

static void *flip(void *arg)
{
	volatile uint16_t *offset = arg;

	while (flipping) {
		*offset = 0;
		*offset = 4090;
	}
	return NULL;
}

/* The offset is in range when it is looked at, or it is refused: never used after a second look. */
static void xsa_155_rx_answer_changes(void)
{
	for (unsigned round = 0; round < 30; round++) {
		struct netif_rx_response *slot;
		pthread_t thread;
		int r;

		with_a_buffer();
		slot = (void *)((char *)queue->live.rx_page.at + 64 + buffer.id * 8u);
		net_peer_rx_answer(0, buffer.id, 0, 0, 60);
		flipping = 1;
		pthread_create(&thread, NULL, flip, &slot->offset);
		for (volatile unsigned i = 0; i < round * 70; i++)
			;
		net_peer_tell(0);
		r = pvr_netfront_poll(queue, 64);
		flipping = 0;
		pthread_join(thread, NULL);
		if (seen.received)
			CU_ASSERT_EQUAL((uintptr_t)seen.packet.slice[0].address & 4095, 0);
		CU_ASSERT(seen.received ? r == 1 : r == PACKETS);
		if (seen.received)
			answer_sent();
		close_net();
	}
}

/* Answers of any kind at all, with fixed seeds: no packet that leaves its pages, and a clean end. */
static void xsa_405_random_answers(void)
{
	for (unsigned seed = 0; seed < 100; seed++) {
		unsigned random = seed;
		int alive = 1;

		in_flight();
		for (unsigned i = 0; i < 200 && alive; i++) {
			union net_rx_slot slot;
			unsigned kind = (unsigned)rand_r(&random) % 16;

			if (net_peer_rx_take(0, &buffer) <= 0)
				break;
			for (unsigned b = 0; b < sizeof(slot); b++)
				((uint8_t *)&slot)[b] = (uint8_t)(rand_r(&random) >> 8);
			if (kind < 14) {
				slot.response.id = buffer.id;
				slot.response.offset %= 2048;
				slot.response.status = (int16_t)(slot.response.status % 2100);
				slot.response.flags &= kind < 12 ? 3 : 31;
			} else if (kind == 14) {
				slot.extra.flags = 0;
				slot.extra.type %= 7;
			}
			net_peer_rx_put(0, &slot);
			if (rand_r(&random) % 4)
				continue;
			net_peer_tell(0);
			alive = pvr_netfront_poll(queue, 64) >= 0;
		}
		CU_ASSERT(mock_log_lines() <= 1);
		pvr_netfront_close(net);
		CU_ASSERT_EQUAL(mock_pages_used(), pages_before);
		CU_ASSERT_EQUAL(pvr_grant_available(), grants_before);
	}
}

PVR_SUITE(netfront_hostile, CASE(xsa_405_tx_id_out_of_range), CASE(xsa_405_tx_id_never_sent),
	CASE(xsa_405_tx_answered_twice), CASE(xsa_405_tx_not_published),
	CASE(xsa_405_tx_null_without_an_extra), CASE(more_tx_answers_than_requests),
	CASE(xsa_405_rx_in_another_slot), CASE(xsa_405_rx_beyond_its_page),
	CASE(xsa_405_rx_without_end), CASE(xsa_405_extras_without_end),
	CASE(more_rx_answers_than_requests), CASE(control_answer_to_another_request),
	CASE(more_control_answers_than_requests), CASE(useless_packets_are_dropped),
	CASE(xsa_396_tx_page_is_kept), CASE(xsa_396_rx_page_is_kept),
	CASE(xsa_403_nothing_else_is_visible), CASE(xsa_457_memory_is_stable),
	CASE(xsa_332_event_storm), CASE(xsa_155_rx_answer_changes), CASE(xsa_405_random_answers))
