/* SPDX-License-Identifier: MIT */
/* The network frontend when its backend dies, closes for a while, or is another one afterwards. */
#include "net_rig.h"

#include <pthread.h>
#include <unistd.h>

static uint8_t *page;

static int send_one(void)
{
	struct pvr_net_packet packet = packet_of(page, 100);
	int r = pvr_netfront_send(queue, &packet);

	pvr_netfront_kick(queue);
	return r;
}

static void open_with(uint32_t without)
{
	open_net(&(struct pvr_netfront_options){.without = without});
	near_the_wrap();
	page = pvr_netfront_page_get(queue);
}

/* Until the `connects`-th backend is connected, and the queue has its rings. */
static void poll_until_back(unsigned connects)
{
	while (peer.connects != connects || !pvr_netfront_info(net)->carrier ||
		queue->version != pvr_front_version(&net->front)) {
		CU_ASSERT_FATAL(pvr_netfront_poll(queue, 64) >= 0);
		pvr_netfront_wait(queue, pvr_port_now_ns() + 1000000);
	}
}

static void works(void)
{
	static uint8_t frame[5000];
	unsigned sent = seen.sent, received = seen.received;

	fill_frame(frame, sizeof(frame), 5);
	CU_ASSERT_EQUAL(send_one(), 1);
	drain_sent(sent + 1);
	CU_ASSERT_EQUAL(seen.error, 0);
	CU_ASSERT_EQUAL(net_peer.last.length, 100);
	CU_ASSERT_EQUAL_FATAL(net_peer_give(0, frame, 5000, 3000, 0, 0, NULL, 0), 0);
	receive(received + 1);
	CU_ASSERT_EQUAL(memcmp(seen.bytes, frame, sizeof(frame)), 0);
}

/* In flight when the backend is killed: three sent, one not even kicked. */
static void killed(uint32_t without)
{
	struct pvr_net_packet packet;
	struct pvr_netfront_stats stats;

	net_peer_start();
	open_with(without);
	works();
	peer.manual = 1;
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(send_one(), 1);
	packet = packet_of(page, 60);
	CU_ASSERT_EQUAL(pvr_netfront_send(queue, &packet), 1);
	peer_kill();
	peer.manual = 0;
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	CU_ASSERT(seen.sent == 5 && seen.error == -EIO);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 256);
	works();
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->static_pages, without ? 0 : 512);
	pvr_netfront_stats(net, &stats);
	CU_ASSERT(stats.reconnects == 1 && stats.grants_leaked == 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	close_net();
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

static void packets_in_flight_end(void)
{
	killed(PVR_NETFRONT_NO_STATIC);
	killed(0);
}

/* While there is no backend nothing is taken, and our state does not claim rings that are nobody's. */
static void lost_meanwhile(void)
{
	net_peer_start();
	open_with(0);
	peer_node("online", "1");
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateClosing);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->carrier, 0);
	CU_ASSERT(mock_xs_number(NET_FRONT "/state") != XenbusStateConnected);
	CU_ASSERT_EQUAL(send_one(), 0);
	CU_ASSERT_EQUAL(pvr_netfront_wait(queue, soon()), 0);
	peer.deaf = 0;
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	works();
	close_net();
}

/* The backend's new process says Connected, as the last one's node did: it is no answer to an offer. */
static void leftover_connected_is_waited_out(void)
{
	net_peer_start();
	open_with(0);
	peer_kill();
	pvr_front_peer_gone(&net->front);
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateInitialising);
	CU_ASSERT_EQUAL(peer.connects, 1);
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	works();
	close_net();
}

/* Killed between our offer and its Connected. */
static void killed_in_the_handshake(void)
{
	net_peer_start();
	open_with(0);
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateInitWait);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	peer_state(XenbusStateInitialising);
	peer.deaf = 0;
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateInitialising);
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	works();
	close_net();
}

/* The same, but its successor takes our Connected for what was said to it: we say it again. */
static void offer_to_a_predecessor(void)
{
	net_peer_start();
	open_with(0);
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateInitWait);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	peer.deaf = 0;
	peer_state(XenbusStateInitWait);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(peer.connects, 1);
	poll_until_back(2);
	works();
	close_net();
}

/* A backend that is slow has read the offer, and maps it: it is repeated, and is the same. */
static void offer_to_a_slow_backend(void)
{
	struct pvr_netfront_stats stats;
	unsigned events;
	long refs[2];

	net_peer_start();
	open_with(0);
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateInitWait);
	CU_ASSERT_EQUAL(pvr_netfront_poll(queue, 64), 0);
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	refs[0] = peer_front(0, "tx-ring-ref");
	refs[1] = peer_front(0, "rx-ring-ref");
	CU_ASSERT_FATAL(mock_grant_map((grant_ref_t)refs[0], 0, 1) != NULL);
	events = mock_xs_events();
	while (mock_xs_events() == events) {
		CU_ASSERT_EQUAL_FATAL(pvr_netfront_poll(queue, 64), 0);
		pvr_netfront_wait(queue, pvr_port_now_ns() + 1000000);
	}
	CU_ASSERT_EQUAL(mock_xs_number(NET_FRONT "/state"), XenbusStateConnected);
	CU_ASSERT_EQUAL(peer_front(0, "tx-ring-ref"), refs[0]);
	CU_ASSERT_EQUAL(peer_front(0, "rx-ring-ref"), refs[1]);
	mock_grant_unmap((grant_ref_t)refs[0]);
	peer.deaf = 0;
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	works();
	pvr_netfront_stats(net, &stats);
	CU_ASSERT_EQUAL(stats.grants_leaked, 0);
	close_net();
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

/* The next backend can do less. */
static void successor_without_features(void)
{
	const struct pvr_netfront_info *info;

	net_peer_start();
	open_with(0);
	info = pvr_netfront_info(net);
	works();
	peer_kill();
	peer_node("feature-ctrl-ring", NULL);
	peer_node("feature-sg", NULL);
	peer_node("feature-split-event-channels", NULL);
	peer_node("mtu", "1000");
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	CU_ASSERT(!info->static_pages && !info->sg && !info->gso4 && !info->split);
	CU_ASSERT_EQUAL(info->mtu, 1000);
	net_peer.used_static = 0;
	works();
	CU_ASSERT_EQUAL(net_peer.used_static, 0);
	/* What was not had at the start does not come later, but all else does. */
	peer_kill();
	peer_node("feature-ctrl-ring", "1");
	peer_node("feature-sg", "1");
	peer_state(XenbusStateInitWait);
	poll_until_back(3);
	CU_ASSERT(info->sg && info->control && !info->static_pages);
	works();
	close_net();
}

static void hash_is_said_again(void)
{
	const uint32_t map[3] = {0, 0, 0};
	uint8_t key[PVR_NET_HASH_KEY] = {1, 2, 3};

	net_peer_start();
	open_with(0);
	CU_ASSERT_EQUAL(pvr_netfront_hash(net, 5, key, map, 3), 0);
	peer_kill();
	net_peer.hash_flags = net_peer.hash_map_size = net_peer.hash_key[2] = 0;
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	CU_ASSERT(net_peer.hash_flags == 5 && net_peer.hash_map_size == 3);
	CU_ASSERT_EQUAL(net_peer.hash_key[2], 3);
	works();
	close_net();
}

/* A page that stays mapped is lost, its packet ends so, and the interface goes on. */
static void tx_page_that_stays_mapped(void)
{
	union net_tx_slot slot;
	uint8_t *other;

	net_peer_start();
	open_with(PVR_NETFRONT_NO_STATIC);
	peer.manual = 1;
	CU_ASSERT_EQUAL(send_one(), 1);
	CU_ASSERT(net_peer_tx_take(0, &slot) > 0);
	peer_kill();
	peer.manual = 0;
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(slot.request.gref, 0, 0));
	peer_state(XenbusStateInitWait);
	poll_until_back(2);
	CU_ASSERT(seen.sent == 1 && seen.error == -EBUSY);
	CU_ASSERT_EQUAL(pvr_netfront_free(queue), 255);
	other = page = pvr_netfront_page_get(queue);
	works();
	CU_ASSERT_PTR_NOT_NULL(other);
	pvr_netfront_close(net);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
	mock_grant_unmap(slot.request.gref);
}

/* A buffer that stays mapped cannot be posted to anybody: the interface is in error. */
static void rx_page_that_stays_mapped(void)
{
	grant_ref_t kept;

	net_peer_start();
	open_with(PVR_NETFRONT_NO_STATIC);
	kept = queue->rx.ref[9];
	CU_ASSERT_PTR_NOT_NULL(mock_grant_map(kept, 0, 1));
	peer_kill();
	peer_state(XenbusStateInitWait);
	while (pvr_netfront_poll(queue, 64) != -ENODEV)
		;
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
	pvr_netfront_close(net);
	CU_ASSERT_EQUAL(pvr_grant_available(), grants_before - 1);
	CU_ASSERT_EQUAL(mock_pages_used(), pages_before + 256);
	mock_grant_unmap(kept);
}

static void expect_gone(void)
{
	while (pvr_netfront_poll(queue, 64) != -ENODEV)
		;
	CU_ASSERT_EQUAL(send_one(), -ENODEV);
	CU_ASSERT_EQUAL(pvr_netfront_info(net)->carrier, 0);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
	close_net();
}

static void closed_for_good(void)
{
	net_peer_start();
	open_with(0);
	peer.manual = 1;
	CU_ASSERT_EQUAL(send_one(), 1);
	peer_state(XenbusStateClosing);
	while (!seen.sent)
		CU_ASSERT_FATAL(pvr_netfront_poll(queue, 64) >= 0);
	CU_ASSERT_EQUAL(seen.error, -ENODEV);
	expect_gone();
}

static void nobody_comes_back(void)
{
	net_peer_start();
	open_net(&(struct pvr_netfront_options){.reconnect_ns = 20000000});
	page = pvr_netfront_page_get(queue);
	peer_node("online", "1");
	peer_kill();
	peer.deaf = 1;
	peer_state(XenbusStateClosing);
	while (pvr_netfront_poll(queue, 64) != -ENODEV)
		pvr_netfront_wait(queue, pvr_port_now_ns() + 5000000);
	expect_gone();
}

static void fewer_queues(void)
{
	net_peer_start();
	open_net(&(struct pvr_netfront_options){.queues = 3});
	page = pvr_netfront_page_get(queue);
	peer_kill();
	peer_node("multi-queue-max-queues", "2");
	peer_state(XenbusStateInitWait);
	expect_gone();
}

/* Each owner takes its own rings over, in its own time. */
static void several_queues(void)
{
	net_peer_start();
	open_net(&(struct pvr_netfront_options){.queues = 3});
	for (unsigned turn = 2; turn < 5; turn++) {
		peer_kill();
		peer_state(XenbusStateInitWait);
		for (unsigned i = 0; i < 3; i++) {
			queue = pvr_netfront_queue(net, i);
			page = pvr_netfront_page_get(queue);
			poll_until_back(turn);
			CU_ASSERT_EQUAL(send_one(), 1);
			drain_sent((turn - 2) * 3 + i + 1);
			CU_ASSERT_EQUAL(seen.error, 0);
			pvr_netfront_page_put(queue, page);
		}
	}
	close_net();
}

/* ---- owners in threads of their own ---- */

static _Atomic unsigned ended[3], stop;

static void count_received(
	void *user, struct pvr_netfront_queue *from, const struct pvr_net_packet *packet)
{
	(void)user;
	(void)from;
	(void)packet;
}

static void count_sent(void *user, struct pvr_netfront_queue *from, void *token, int error)
{
	(void)user;
	if (error != -EBUSY)
		pvr_netfront_page_put(from, token);
	ended[pvr_netfront_queue_index(from)]++;
}

/* Sends as fast as it goes, and sees to it that all that was taken ends. */
static void *own(void *arg)
{
	struct pvr_netfront_queue *mine = arg;
	unsigned taken = 0, index = pvr_netfront_queue_index(mine);

	while (!stop || ended[index] != taken) {
		uint8_t *from = stop ? NULL : pvr_netfront_page_get(mine);
		struct pvr_net_packet packet = packet_of(from, 100);

		if (from && pvr_netfront_send(mine, &packet) == 1)
			taken++;
		else if (from)
			pvr_netfront_page_put(mine, from);
		pvr_netfront_kick(mine);
		if (pvr_netfront_poll(mine, 64) <= 0)
			pvr_netfront_wait(mine, pvr_port_now_ns() + 1000000);
	}
	return NULL;
}

static void owners_reconnect_each_for_itself(void)
{
	const struct pvr_netfront_calls counts = {count_received, count_sent, NULL};
	const struct pvr_netfront_options options = {.queues = 3};
	pthread_t thread[3];

	net_peer_start();
	pages_before = mock_pages_used();
	grants_before = pvr_grant_available();
	CU_ASSERT_EQUAL_FATAL(pvr_netfront_open(NET_PATH, &options, &counts, soon(), &net), 0);
	stop = ended[0] = ended[1] = ended[2] = 0;
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, own, pvr_netfront_queue(net, i));
	for (unsigned turn = 2; turn < 12; turn++) {
		usleep(3000);
		peer_kill();
		peer_state(XenbusStateInitWait);
		while (peer.connects != turn)
			usleep(100);
	}
	usleep(3000);
	stop = 1;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT(ended[0] && ended[1] && ended[2]);
	close_net();
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

PVR_SUITE(netfront_reconnect, CASE(packets_in_flight_end), CASE(lost_meanwhile),
	CASE(leftover_connected_is_waited_out), CASE(killed_in_the_handshake),
	CASE(offer_to_a_predecessor), CASE(offer_to_a_slow_backend), CASE(successor_without_features), CASE(hash_is_said_again),
	CASE(tx_page_that_stays_mapped), CASE(rx_page_that_stays_mapped), CASE(closed_for_good),
	CASE(nobody_comes_back), CASE(fewer_queues), CASE(several_queues),
	CASE(owners_reconnect_each_for_itself))
