/* SPDX-License-Identifier: MIT */
/*
 * Queues whose backend dies are served on by the next one: every slot is answered once and in its
 * place, at whatever point of a turn the backend dies. Packets may be sent twice or be lost.
 */
#include "guest_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 300u /* more slots than a ring has */

static char directory[] = "/tmp/pvring-test-XXXXXX", inflight[64];

static void set_up(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
	snprintf(inflight, sizeof(inflight), "%s/inflight", directory);
	net_reset();
	net.facts.control = 0;
	net.journal = (struct pvr_netback_journal_of){directory, 0xfedcba0987654321, 0};
	net_open(NULL, NULL);
}

static void tear_down(void)
{
	net_close();
	CU_ASSERT_EQUAL(rmdir(inflight), 0); /* the journals went with their queues */
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* A turn that gets so far: all, or all but the publishing, or not even to the receiving. */
static void part_of_a_turn(unsigned part)
{
	struct pvr_netback_queue *back = net.queue[0].back;

	if (part == 0) {
		CU_ASSERT(pvr_netback_tx_turn(back, net.now) >= 0);
		return;
	}
	CU_ASSERT(pvr_netback_queue_turn(back, net.now) >= 0);
	if (part == 2)
		pvr_netback_queue_publish(back);
}

/* Packets of one, two and three slots; each answer has the id that its slot had. */
static void what_is_sent_is_answered_once(void)
{
	uint16_t sent = 0, answered = 0;
	unsigned deaths = 0;

	set_up();
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned slots = 1 + round % 3;

		memset(net_data(0), (int)round, 4096);
		for (unsigned i = 0; i < slots && pvr_ring_free(&net.queue[0].tx) >= 3; i++)
			net_send(0, net_request(0, 0, (uint16_t)(i ? 50 : 100 + 50 * (slots - 1)),
					    i + 1 < slots ? NETTXF_more_data : 0, sent++));
		net_publish(0);
		part_of_a_turn(round % 7 % 3);
		if (round % 2) {
			CU_ASSERT_EQUAL_FATAL(net_take_over(), 0);
			CU_ASSERT_FATAL(net.queue[0].back->rewound <= 256);
			deaths++;
		}
		while (net_answers(0)) {
			struct netif_tx_response answer = net_answer(0);

			CU_ASSERT_EQUAL_FATAL(answer.id, answered++);
			CU_ASSERT_EQUAL(answer.status, NETIF_RSP_OKAY);
		}
	}
	while (net_turn() > 0)
		;
	while (net_answers(0))
		CU_ASSERT_EQUAL_FATAL(net_answer(0).id, answered++);
	CU_ASSERT_EQUAL(answered, sent);
	CU_ASSERT(deaths == ROUNDS / 2 && net.written >= ROUNDS / 2);
	CU_ASSERT_EQUAL(net.last.data[99], (ROUNDS - 1) & 0xff);
	tear_down();
}

/* Each response stands where the request of its buffer stood, and has what was received. */
static void buffers_are_answered_in_their_place(void)
{
	unsigned posted = 0, received = 0;

	set_up();
	net_make(net.give.data, 4, IPPROTO_UDP, 60);
	net.give.bytes = 60;
	for (unsigned round = 0; round < ROUNDS; round++) {
		while (posted - received < NET_BUFFERS && posted < (round + 1) * 8)
			net_post(0, posted++ % NET_BUFFERS, 1);
		net.give.data[59] = (uint8_t)round;
		net.to_give = round % 5;
		part_of_a_turn(1 + round % 7 % 2);
		if (round % 3 == 1)
			CU_ASSERT_EQUAL_FATAL(net_take_over(), 0);
		while (net_received(0)) {
			union pvr_netback_rx_response response = net_take(0);

			CU_ASSERT_EQUAL_FATAL(response.response.status, 60);
			CU_ASSERT_EQUAL_FATAL(response.response.id, received % NET_BUFFERS);
			CU_ASSERT_EQUAL(
				memcmp(net_buffer(response.response.id), net.give.data, 50), 0);
			received++;
		}
	}
	CU_ASSERT(received > ROUNDS);
	tear_down();
}

/* The frontend has written into an index of the backend's, or the journal is of something else. */
static void what_does_not_fit_is_refused(void)
{
	struct pvr_netback_queue *back;

	set_up();
	for (unsigned i = 0; i < 5; i++)
		net_send(0, net_request(0, 0, 100, 0, 0));
	net_publish(0);
	part_of_a_turn(1);
	atomic_fetch_add(&net.queue[0].tx_shared->rsp_prod, 6);
	CU_ASSERT_NOT_EQUAL(net_take_over(), 0);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	atomic_fetch_sub(&net.queue[0].tx_shared->rsp_prod, 6);
	/* As a new one all is as ever, but for what was overwritten. */
	back = net.queue[0].back;
	net.vif->journal.again = 0;
	CU_ASSERT_EQUAL_FATAL(pvr_netback_queue_connect(back, net.host), 0);
	/* Another handshake's. */
	net.journal.serving++;
	mock_host_die();
	pvr_netback_queue_destroy(back);
	net.vif->journal.serving++;
	net.vif->journal.again = 1;
	CU_ASSERT_PTR_NULL(pvr_netback_queue_create(net.vif, 0,
		&(struct pvr_netback_offer){net.queue[0].tx_ref, net.queue[0].rx_ref,
			net.queue[0].tx_port, net.queue[0].rx_port}));
	net.vif->journal.again = 0;
	net.queue[0].back = pvr_netback_queue_create(net.vif, 0,
		&(struct pvr_netback_offer){net.queue[0].tx_ref, net.queue[0].rx_ref,
			net.queue[0].tx_port, net.queue[0].rx_port});
	CU_ASSERT_PTR_NOT_NULL_FATAL(net.queue[0].back);
	CU_ASSERT_EQUAL_FATAL(pvr_netback_queue_connect(net.queue[0].back, net.host), 0);
	tear_down();
}

PVR_SUITE(netback_journal, CASE(what_is_sent_is_answered_once),
	CASE(buffers_are_answered_in_their_place), CASE(what_does_not_fit_is_refused))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_journal_copied, netback_journal, mock_copy_begin, mock_copy_end)
