/* SPDX-License-Identifier: MIT */
/* Static grants: added, used both ways, removed, and what a frontend may not do with them. */
#include "guest_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define OKAY               XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID            XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define ASK(what, a, b, c) net_control(XEN_NETIF_CTRL_TYPE_##what##_GREF_MAPPING, a, b, c)

#define LIST (NET_BUFFERS - 1) /* the buffer that holds a list */

static void set_up(void)
{
	net_reset();
	net.facts.queues = 2;
	net_open(NULL, NULL);
}

static struct xen_netif_gref *list(void)
{
	return (struct xen_netif_gref *)(void *)net_buffer(LIST);
}

static uint32_t add(unsigned queue, unsigned count)
{
	return ASK(ADD, queue, net.buffer[LIST], count).status;
}

/* The rings: two queues' and the control ring. */
static unsigned pages(void)
{
	return mock_host_mapped() - 5;
}

static void list_data(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		list()[i] = (struct xen_netif_gref){
			.ref = net.data[i], .flags = XEN_NETIF_CTRLF_GREF_readonly};
}

static void list_buffers(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		list()[i] = (struct xen_netif_gref){.ref = net.buffer[i]};
}

static void add_and_remove(void)
{
	struct xen_netif_ctrl_response response;

	set_up();
	CU_ASSERT_EQUAL(net_control(XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 1, 0, 0).data,
		PVR_NETBACK_STATICS_MAX);
	CU_ASSERT_EQUAL(
		net_control(XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 2, 0, 0).status, INVALID);
	list_data(8);
	CU_ASSERT_EQUAL(add(1, 8), OKAY);
	CU_ASSERT_EQUAL(pages(), 8);
	list()[3].ref = 400; /* was never added */
	response = ASK(DEL, 1, net.buffer[LIST], 8);
	CU_ASSERT_EQUAL(response.status, OKAY);
	CU_ASSERT_EQUAL(response.data, 7);
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(list()[i].status, i == 3 ? INVALID : OKAY);
	CU_ASSERT_EQUAL(pages(), 1);
	net_close(); /* what is left goes with the interface */
}

/* All or none, whichever of them fails, and why. */
static void add_is_all_or_none(void)
{
	for (unsigned bad = 0; bad < 6; bad++) {
		set_up();
		list_data(6);
		list()[bad].ref = 500;
		CU_ASSERT_EQUAL(add(0, 6), INVALID);
		CU_ASSERT_EQUAL(pages(), 0);
		CU_ASSERT_EQUAL(net.queue[0].back->statics.count, 0);
		net_close();
	}
	set_up();
	list_data(6);
	CU_ASSERT_EQUAL(add(0, 3), OKAY);
	CU_ASSERT_EQUAL(add(0, 6), INVALID); /* three are there already */
	CU_ASSERT_EQUAL(pages(), 3);
	list()[5].ref = list()[4].ref;
	list()[3].flags = 2; /* no such flag */
	CU_ASSERT_EQUAL(add(1, 6), INVALID);
	list()[3].flags = XEN_NETIF_CTRLF_GREF_readonly;
	CU_ASSERT_EQUAL(add(1, 6), INVALID); /* one twice */
	CU_ASSERT_EQUAL(pages(), 3);
	CU_ASSERT_EQUAL(add(2, 1), INVALID);
	CU_ASSERT_EQUAL(add(UINT32_MAX, 1), INVALID);
	CU_ASSERT_EQUAL(add(0, 513), INVALID);
	CU_ASSERT_EQUAL(add(0, UINT32_MAX), INVALID);
	CU_ASSERT_EQUAL(ASK(DEL, 0, net.buffer[LIST], 0x20001).status, INVALID);
	CU_ASSERT_EQUAL(ASK(ADD, 0, 499, 1).status, INVALID);
	net_close();
}

static void send_from_them(void)
{
	set_up();
	list_data(4);
	CU_ASSERT_EQUAL(add(0, 4), OKAY);
	memset(net_data(2), 0x42, 100);
	net_send(0, net_request(2, 0, 200, NETTXF_more_data, 1));
	net_send(0, net_request(5, 0, 100, 0, 2)); /* not one of them */
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net.last.bytes, 200);
	CU_ASSERT_EQUAL(net.last.data[99], 0x42);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_static), 1);
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_mapped), !mock_copies());
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_copied), mock_copies());
	CU_ASSERT_EQUAL(pages(), 4);
	/* Another queue's are not this one's. */
	net_send(1, net_request(2, 0, 100, 0, 1));
	net_publish(1);
	net_turn();
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_static), 1);
	net_close();
}

static void receive_into_them(void)
{
	set_up();
	list_buffers(30);
	CU_ASSERT_EQUAL(add(0, 30), OKAY);
	net_post(0, 0, 40);
	net.give.bytes = net_make(net.give.data, 4, IPPROTO_UDP, 300) ? 300 : 0;
	net.to_give = 1;
	net_turn();
	CU_ASSERT_EQUAL(net_count(&net.stats.grants_static), 30);
	CU_ASSERT_EQUAL(pages(), 40);
	CU_ASSERT_EQUAL(net_take(0).response.status, 300);
	CU_ASSERT_EQUAL(memcmp(net_buffer(0), net.give.data, 300), 0);
	/* Those that wait for a packet cannot go; the one that was answered can. */
	list_buffers(2);
	CU_ASSERT_EQUAL(ASK(DEL, 0, net.buffer[LIST], 2).data, 1);
	CU_ASSERT_EQUAL(list()[0].status, OKAY);
	CU_ASSERT_EQUAL(list()[1].status, INVALID);
	net_close();
}

/* A page that was given for reading is no buffer: its reference is tried, and refused by the grant.
 */
static void no_writing_to_readonly(void)
{
	set_up();
	list_data(1);
	CU_ASSERT_EQUAL(add(0, 1), OKAY);
	net.buffer[0] = net.data[0];
	net_post(0, 0, 1);
	net.give.bytes = net_make(net.give.data, 4, IPPROTO_UDP, 300) ? 300 : 0;
	net.to_give = 1; /* a port that copies finds out by this */
	net_turn();
	CU_ASSERT_EQUAL(net_take(0).response.status, NETIF_RSP_ERROR);
	net_close();
}

/* The table to its end, and a removal from the middle of each chain. */
static void the_table(void)
{
	static struct pvr_netback_statics statics;
	struct pvr_host_map map = {0}, out;

	pvr_netback_statics_init(&statics);
	for (unsigned i = 0; i < PVR_NETBACK_STATICS_MAX; i++) {
		map.ref = i / 4 + (i % 4) * PVR_NETBACK_STATICS_BUCKETS; /* four a bucket */
		CU_ASSERT_EQUAL(pvr_netback_statics_add(&statics, &map), 0);
	}
	map.ref = 99999;
	CU_ASSERT_EQUAL(pvr_netback_statics_add(&statics, &map), -ENOSPC);
	CU_ASSERT_EQUAL(pvr_netback_statics_remove(&statics, 99999, &out), -ENOENT);
	for (unsigned i = 0; i < PVR_NETBACK_STATICS_MAX; i += 2) {
		grant_ref_t ref = i / 4 + (i % 4) * PVR_NETBACK_STATICS_BUCKETS;

		CU_ASSERT_EQUAL(pvr_netback_statics_remove(&statics, ref, &out), 0);
		CU_ASSERT_EQUAL(out.ref, ref);
	}
	for (unsigned i = 0; i < PVR_NETBACK_STATICS_MAX; i++) {
		grant_ref_t ref = i / 4 + (i % 4) * PVR_NETBACK_STATICS_BUCKETS;

		CU_ASSERT_EQUAL(pvr_netback_statics_find(&statics, ref) != NULL, i % 2);
	}
	CU_ASSERT_EQUAL(statics.count, PVR_NETBACK_STATICS_MAX / 2);
}

PVR_SUITE(netback_static, CASE(add_and_remove), CASE(add_is_all_or_none), CASE(send_from_them),
	CASE(receive_into_them), CASE(no_writing_to_readonly), CASE(the_table))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_static_copied, netback_static, mock_copy_begin, mock_copy_end)
