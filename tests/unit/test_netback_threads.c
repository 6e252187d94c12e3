/* SPDX-License-Identifier: MIT */
/*
 * Two queues in the hands of two threads, as workers have them, while the frontend changes the hash, the map
 * and the static grants of both: for ThreadSanitizer, and for what crosses from one queue to the other. The outside
 * is the mirror.
 */
#include "guest_net.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define BYTES   200u
#define EACH    63u /* buffers of a queue; the last page of all is for the control ring's lists */
#define LIST    (NET_BUFFERS - 1)
#define PACKETS 20000u

static _Atomic int stop;
static _Atomic unsigned broken;
static uint16_t posted[NET_QUEUES][256]; /* the buffer of each slot */
static unsigned taken[NET_QUEUES], steered;

static void *work(void *opaque)
{
	struct pvr_netback_queue *queue = opaque;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		if (pvr_netback_queue_turn(queue, net.now) < 0) {
			atomic_fetch_add(&broken, 1);
			break;
		}
		pvr_netback_queue_publish(queue);
		if (!pvr_netback_queue_pending(queue) && !pvr_netback_queue_arm(queue))
			sched_yield();
	}
	return NULL;
}

static void post(unsigned queue, unsigned buffer)
{
	struct net_queue *q = &net.queue[queue];
	struct netif_rx_request request = {
		.id = (uint16_t)buffer, .gref = net.buffer[buffer]};

	posted[queue][q->rx.prod % 256] = (uint16_t)buffer;
	net_rx_request_put(&q->rx, &request);
}

/* What came to a queue; its buffers go back. */
static void take_packets(unsigned queue)
{
	struct net_queue *q = &net.queue[queue];
	int extra = 0;

	for (unsigned n = net_received(queue); n || extra; n--) {
		unsigned buffer = posted[queue][q->rx.cons % 256];
		union pvr_netback_rx_response response = net_take(queue);

		if (extra) {
			CU_ASSERT_EQUAL(response.extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
			steered++;
		} else {
			CU_ASSERT_EQUAL(response.response.id, buffer);
			CU_ASSERT_EQUAL(response.response.status, (int16_t)BYTES);
			CU_ASSERT_EQUAL(memcmp(net_buffer(buffer) + 60, net_data(0) + 60, BYTES - 60), 0);
			taken[queue]++;
		}
		extra = !extra && response.response.flags & NETRXF_extra_info;
		post(queue, buffer);
	}
	pvr_ring_publish(&q->rx);
}

/* As many packets as there is room for, of the streams 0 to 15. */
static unsigned send_packets(unsigned queue, unsigned most)
{
	struct net_queue *q = &net.queue[queue];
	unsigned sent = 0;

	for (unsigned n = net_answers(queue); n; n--)
		CU_ASSERT_EQUAL(net_answer(queue).status, NETIF_RSP_OKAY);
	for (; sent < most && pvr_ring_free(&q->tx); sent++)
		net_send(queue, net_request(sent % 16, 0, BYTES, 0, 0));
	pvr_ring_publish(&q->tx);
	return sent;
}

static uint32_t ask(uint16_t type, uint32_t data0, uint32_t data1, uint32_t data2)
{
	struct xen_netif_ctrl_request request = {.type = type, .data = {data0, data1, data2}};
	struct xen_netif_ctrl_response response;
	int pending;

	net_ctrl_request_put(&net.ctrl, &request);
	pvr_ring_publish(&net.ctrl);
	while (!(pending = pvr_ring_pending(&net.ctrl)))
		sched_yield();
	CU_ASSERT_EQUAL_FATAL(pending, 1);
	net_ctrl_response_take(&net.ctrl, &response);
	return response.status;
}

static void change(unsigned round)
{
	static const uint32_t types[] = {0, XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
		XEN_NETIF_CTRL_HASH_TYPE_IPV4, XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP};
	struct xen_netif_gref *list = (struct xen_netif_gref *)(void *)net_buffer(LIST);
	uint32_t *map = (uint32_t *)(void *)net_buffer(LIST), queue = round % NET_QUEUES;

	CU_ASSERT_EQUAL(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types[round % 4], 0, 0), 0);
	for (unsigned i = 0; i < 16; i++)
		map[i] = (i + round) % NET_QUEUES;
	CU_ASSERT_EQUAL(
		ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, net.buffer[LIST], 16, 0), 0);
	memset(list, 0, 4096);
	for (unsigned i = 0; i < 32; i++)
		list[i].ref = net.buffer[queue * EACH + i];
	/* One that is in use stays, and then it is there already. */
	if (round % 8 < 4)
		ask(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, queue, net.buffer[LIST], 32);
	else
		ask(XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, queue, net.buffer[LIST], 32);
}

static void set_up(void)
{
	net_reset();
	net.facts.queues = NET_QUEUES;
	for (unsigned i = 0; i < 16; i++) {
		net_make(net_data(i), 4, IPPROTO_TCP, BYTES);
		net_data(i)[34] = (uint8_t)i; /* the source's port */
	}
	net_open("loop", NULL);
	for (unsigned i = 0; i < NET_QUEUES; i++) {
		taken[i] = 0;
		for (unsigned n = 0; n < EACH; n++)
			post(i, i * EACH + n);
		pvr_ring_publish(&net.queue[i].rx);
	}
	steered = 0;
	atomic_store(&broken, 0);
	atomic_store(&stop, 0);
}

static uint64_t lost(void)
{
	return net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_NO_BUFFER]) +
	       net_count(&net.stats.tx_dropped[PVR_NETBACK_DROP_OUTSIDE]);
}

/* Each queue has its share, whichever worker the machine has kept waiting. */
static int enough(unsigned sent)
{
	int all = taken[0] > 1000 && taken[1] > 1000 && steered > 1000;

	return sent >= PACKETS && (all || sent >= 100 * PACKETS);
}

static void two_workers_and_a_hash_that_changes(void)
{
	pthread_t thread[NET_QUEUES];
	unsigned sent = 0;

	set_up();
	for (unsigned i = 0; i < NET_QUEUES; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&thread[i], NULL, work, net.queue[i].back), 0);
	CU_ASSERT_EQUAL(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0), 0);
	CU_ASSERT_EQUAL(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, net.buffer[LIST], 40, 0), 0);
	CU_ASSERT_EQUAL(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 16, 0, 0), 0);
	for (unsigned round = 0; !enough(sent) && !atomic_load(&broken); round++) {
		for (unsigned i = 0; i < NET_QUEUES; i++) {
			sent += send_packets(i, 32);
			take_packets(i);
		}
		change(round);
	}
	for (unsigned i = 0; i < 20000 && taken[0] + taken[1] + lost() < sent; i++) {
		for (unsigned n = 0; n < NET_QUEUES; n++) {
			send_packets(n, 0);
			take_packets(n);
		}
		sched_yield();
	}
	atomic_store(&stop, 1);
	for (unsigned i = 0; i < NET_QUEUES; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(atomic_load(&broken), 0);
	CU_ASSERT(taken[0] > 1000 && taken[1] > 1000 && steered > 1000);
	net_close();
}

PVR_SUITE(netback_threads, CASE(two_workers_and_a_hash_that_changes))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_threads_copied, netback_threads, mock_copy_begin, mock_copy_end)
