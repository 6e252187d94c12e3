/* SPDX-License-Identifier: MIT */
/* The control ring: hash, mapping, steering between queues, and the bounds of all of it. */
#include "guest_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define OKAY               XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID            XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW           XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define UNKNOWN            XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define ASK(what, a, b, c) net_control(XEN_NETIF_CTRL_TYPE_##what, a, b, c)

static void set_up(unsigned queues)
{
	net_reset();
	net.facts.queues = queues;
	net_open(NULL, NULL);
}

static void what_is_refused(void)
{
	set_up(1);
	CU_ASSERT_EQUAL(ASK(INVALID, 0, 0, 0).status, UNKNOWN);
	CU_ASSERT_EQUAL(net_control(11, 0, 0, 0).status, UNKNOWN);
	CU_ASSERT_EQUAL(net_control(0xffff, 0, 0, 0).status, UNKNOWN);
	/* Nothing about hashes without an algorithm. */
	CU_ASSERT_EQUAL(ASK(GET_HASH_FLAGS, 0, 0, 0).status, UNKNOWN);
	CU_ASSERT_EQUAL(ASK(SET_HASH_FLAGS, 1, 0, 0).status, UNKNOWN);
	CU_ASSERT_EQUAL(ASK(SET_HASH_ALGORITHM, 2, 0, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_ALGORITHM, 0xffffff01, 0, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_ALGORITHM, 1, 0, 0).status, OKAY);
	CU_ASSERT_EQUAL(ASK(GET_HASH_FLAGS, 0, 0, 0).data, PVR_NETBACK_HASH_TYPES);
	CU_ASSERT_EQUAL(ASK(SET_HASH_FLAGS, 16, 0, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_FLAGS, 15, 0, 0).status, OKAY);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, net.buffer[0], 41, 0).status, OVERFLOW);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, net.buffer[0], UINT32_MAX, 0).status, OVERFLOW);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, 511, 40, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, net.buffer[0], 40, 0).status, OKAY);
	net_close();
}

/* A shorter key is followed by zeros, and none clears the one before. */
static void keys(void)
{
	set_up(1);
	ASK(SET_HASH_ALGORITHM, 1, 0, 0);
	memset(net_buffer(0), 0xaa, 40);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, net.buffer[0], 40, 0).status, OKAY);
	CU_ASSERT_EQUAL(net.queue[0].back->hash.key[39], 0xaa);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, net.buffer[0], 10, 0).status, OKAY);
	CU_ASSERT_EQUAL(net.queue[0].back->hash.key[9], 0xaa);
	CU_ASSERT_EQUAL(net.queue[0].back->hash.key[10], 0);
	CU_ASSERT_EQUAL(ASK(SET_HASH_KEY, 0, 0, 0).status, OKAY);
	CU_ASSERT_EQUAL(net.queue[0].back->hash.key[0], 0);
	net_close();
}

/* XSA-270: first + count wraps, a queue that is not there. */
static void xsa_270_mapping_bounds(void)
{
	uint32_t *map;

	set_up(2);
	map = (uint32_t *)(void *)net_buffer(0);
	CU_ASSERT_EQUAL(ASK(GET_HASH_MAPPING_SIZE, 0, 0, 0).data, 128);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING_SIZE, 129, 0, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING_SIZE, 0x10004, 0, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING_SIZE, 4, 0, 0).status, OKAY);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 5, 0).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 1, 4).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 2, UINT32_MAX).status, INVALID);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], UINT32_MAX, 2).status, OVERFLOW);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 4, 1).status, INVALID);
	map[0] = 1;
	map[1] = 2; /* there are 0 and 1 */
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 2, 0).status, INVALID);
	map[1] = 0x100;
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 2, 0).status, INVALID);
	CU_ASSERT_EQUAL(net.queue[0].back->hash.map[0], 0); /* nothing of a wrong one is taken */
	map[1] = 0;
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 2, 2).status, OKAY);
	CU_ASSERT_EQUAL(net.queue[1].back->hash.map[2], 1);
	CU_ASSERT_EQUAL(net.queue[1].back->hash.map[3], 0);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING_SIZE, 4, 0, 0).status, OKAY);
	CU_ASSERT_EQUAL(net.queue[1].back->hash.map[2], 0);
	net_close();
}

/* Every flow goes to the queue that its hash says, with the hash; large ones too. */
static void steering(void)
{
	unsigned seen[2] = {0, 0};

	set_up(2);
	for (unsigned i = 0; i < 40; i++)
		net_buffer(0)[i] = (uint8_t)(i * 37 + 11);
	ASK(SET_HASH_ALGORITHM, 1, 0, 0);
	ASK(SET_HASH_KEY, net.buffer[0], 40, 0);
	ASK(SET_HASH_FLAGS, 15, 0, 0);
	net_post(0, 0, 60);
	net_post(1, 60, 60);
	for (unsigned flow = 0; flow < 12; flow++) {
		union pvr_netback_rx_response first, extra;
		size_t bytes = flow % 2 ? 5000 : 500;
		unsigned queue;
		uint32_t hash;

		net_make(net.give.data, 4, IPPROTO_TCP, bytes);
		net.give.data[34] = (uint8_t)flow;
		net.give.bytes = bytes;
		pvr_netback_hash_packet(&net.queue[0].back->hash, net.give.data, bytes, &hash);
		net.to_give = 1;
		net_turn();
		net_turn();
		queue = hash % 2;
		seen[queue]++;
		CU_ASSERT_EQUAL(net_received(1 - queue), 0);
		CU_ASSERT_EQUAL_FATAL(net_received(queue), bytes > 4096 ? 3 : 2);
		first = net_take(queue);
		extra = net_take(queue);
		CU_ASSERT_TRUE(first.response.flags & NETRXF_extra_info);
		CU_ASSERT_EQUAL(extra.extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
		CU_ASSERT_EQUAL(extra.extra.u.hash.type, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
		CU_ASSERT_EQUAL(
			extra.extra.u.hash.value[0], (uint8_t)hash); /* io/netif.h: LSB first */
		CU_ASSERT_EQUAL(extra.extra.u.hash.value[3], (uint8_t)(hash >> 24));
		CU_ASSERT_EQUAL(memcmp(net_buffer(first.response.id), net.give.data,
					bytes < 4096 ? bytes : 4096),
			0);
		if (bytes > 4096) {
			first = net_take(queue);
			CU_ASSERT_EQUAL(memcmp(net_buffer(first.response.id), net.give.data + 4096,
						bytes - 4096),
				0);
		}
	}
	CU_ASSERT_TRUE(seen[0] > 0 && seen[1] > 0);
	net_close();
}

/* A queue whose frontend takes nothing gets a bounded inbox; the other goes on. */
static void a_full_inbox(void)
{
	uint32_t *map;
	short events;

	set_up(2);
	map = (uint32_t *)(void *)net_buffer(0);
	map[0] = 1;
	ASK(SET_HASH_ALGORITHM, 1, 0, 0);
	ASK(SET_HASH_FLAGS, 15, 0, 0);
	ASK(SET_HASH_MAPPING_SIZE, 1, 0, 0);
	CU_ASSERT_EQUAL(ASK(SET_HASH_MAPPING, net.buffer[0], 1, 0).status, OKAY);
	net_post(0, 0, 60);
	net.give.bytes = 60000;
	net_make(net.give.data, 4, IPPROTO_TCP, net.give.bytes);
	net.give.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	net.give.vnet.csum_start = 34;
	net.give.vnet.csum_offset = 16;
	net.give.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	net.give.vnet.gso_size = 1000;
	net.to_give = 10;
	net_turn();
	CU_ASSERT_EQUAL(net.to_give, 0);
	CU_ASSERT_EQUAL(net_count(&net.stats.rx_dropped[PVR_NETBACK_DROP_NO_BUFFER]), 6);
	CU_ASSERT_EQUAL(net_received(0) + net_received(1), 0);
	CU_ASSERT_EQUAL(pvr_netback_queue_fd(net.queue[1].back, &events), -1);
	net_post(1, 60, 60);
	net_turn();
	CU_ASSERT_EQUAL(net_received(1), 3 * 17); /* 15 slots and two extra infos each */
	net_close();
}

static void an_impossible_index(void)
{
	set_up(1);
	net.ctrl.prod += 1000;
	pvr_ring_publish(&net.ctrl);
	CU_ASSERT_EQUAL(net_turn(), -EPROTO);
	CU_ASSERT_STRING_EQUAL(net.queue[0].back->error, "control ring: an impossible index");
	net_close();
}

PVR_SUITE(netback_ctrl, CASE(what_is_refused), CASE(keys), CASE(xsa_270_mapping_bounds),
	CASE(steering), CASE(a_full_inbox), CASE(an_impossible_index))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_ctrl_copied, netback_ctrl, mock_copy_begin, mock_copy_end)
