/* SPDX-License-Identifier: MIT */
/* See rig.h. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/evtchn.h>
#include <pvring/grant.h>
#include <pvring/xenbus.h>

#define START    (UINT32_MAX - 40) /* the indices wrap soon */
#define SECOND   1000000000ull
#define PATIENCE (5 * SECOND)

struct rig rig;
static struct pvr_xenbus_dev dev;
static grant_ref_t ring_ref[3];
static uint16_t posted[256]; /* the buffer of each slot of the rx ring: an answer stands in its request's */
static unsigned next_buffer;

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "hostile: %s: %d\n", what, result);
	exit(70);
}

static void *page_new(grant_ref_t *ref)
{
	void *page = pvr_port_pages_alloc(1);

	must(page ? 0 : -1, "pages");
	must(pvr_grant_alloc(ref, 1), "grants");
	pvr_grant_access(*ref, dev.backend_id, pvr_port_gfn(page), 0);
	return page;
}

static void rings_make(void)
{
	rig.tx_shared = page_new(&ring_ref[0]);
	rig.rx_shared = page_new(&ring_ref[1]);
	rig.ctrl_shared = page_new(&ring_ref[2]);
	pvr_ring_front_init(&rig.tx, rig.tx_shared, tx_entries(PVR_PAGE_SIZE), START);
	pvr_ring_front_init(&rig.rx, rig.rx_shared, rx_entries(PVR_PAGE_SIZE), START);
	pvr_ring_front_init(&rig.ctrl, rig.ctrl_shared, ctrl_entries(PVR_PAGE_SIZE), START);
	for (unsigned i = 0; i < PAGES; i++)
		rig.page[i] = page_new(&rig.ref[i]);
	for (unsigned i = 0; i < BUFFERS; i++)
		rig.buffer[i] = page_new(&rig.buffer_ref[i]);
	rig.tx_port = (evtchn_port_t)pvr_evtchn_alloc_unbound(dev.backend_id);
	rig.rx_port = (evtchn_port_t)pvr_evtchn_alloc_unbound(dev.backend_id);
	rig.ctrl_port = (evtchn_port_t)pvr_evtchn_alloc_unbound(dev.backend_id);
}

static void node(const char *name, const char *value)
{
	must(pvr_xenbus_write(&dev, 0, name, value), name);
}

static void node_number(const char *name, uint32_t value)
{
	must(pvr_xenbus_write_u64(&dev, 0, name, value), name);
}

static void offer(const struct rig_options *options)
{
	static const char *const yes[] = {"request-rx-copy", "feature-rx-notify", "feature-sg",
		"feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload"};

	for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		node(yes[i], "1");
	node_number("tx-ring-ref", ring_ref[0]);
	node_number("rx-ring-ref", ring_ref[1]);
	node_number("event-channel-tx", rig.tx_port);
	node_number("event-channel-rx", rig.rx_port);
	node_number("ctrl-ring-ref", ring_ref[2]);
	node_number("event-channel-ctrl", rig.ctrl_port);
	if (options->queues)
		node("multi-queue-num-queues", options->queues);
	if (options->headroom)
		node("xdp-headroom", options->headroom);
	if (options->tx_ref)
		node("tx-ring-ref", options->tx_ref);
}

static int is_in(enum xenbus_state low, enum xenbus_state high)
{
	enum xenbus_state state = pvr_xenbus_backend_state(&dev);

	return state >= low && state <= high;
}

static int comes_to(enum xenbus_state low, enum xenbus_state high, uint64_t deadline)
{
	for (;;) {
		uint32_t seen = atomic_load(&dev.watch.fired);

		if (is_in(low, high))
			return 1;
		if (pvr_store_wait(&dev.watch, seen, deadline))
			return is_in(low, high);
	}
}

const char *rig_backend_node(const char *name)
{
	static char value[200];

	if (pvr_xenbus_backend_read(&dev, name, value, sizeof(value)) < 0)
		value[0] = '\0';
	return value;
}

static enum outcome broken(void)
{
	snprintf(rig.error, sizeof(rig.error), "%s", rig_backend_node("error"));
	return BROKEN;
}

enum outcome rig_wait_broken(void)
{
	return comes_to(XenbusStateClosing, XenbusStateClosed, pvr_port_now_ns() + PATIENCE)
		       ? broken()
		       : SILENT;
}

enum outcome rig_open(const struct rig_options *options)
{
	must(pvr_xenbus_open(&dev, "device/vif/0"), "device/vif/0");
	must(comes_to(XenbusStateInitWait, XenbusStateInitWait, pvr_port_now_ns() + PATIENCE) - 1,
		"the backend does not wait");
	rings_make();
	offer(options);
	must(pvr_xenbus_switch(&dev, 0, XenbusStateConnected), "state");
	if (!comes_to(XenbusStateConnected, XenbusStateClosed, pvr_port_now_ns() + PATIENCE))
		return SILENT;
	if (!is_in(XenbusStateConnected, XenbusStateConnected))
		return broken();
	if (!options->no_buffers)
		rig_post();
	return OKAY;
}

void rig_close(void)
{
	pvr_xenbus_switch(&dev, 0, XenbusStateClosing);
	comes_to(XenbusStateClosing, XenbusStateClosed, pvr_port_now_ns() + PATIENCE);
	pvr_xenbus_switch(&dev, 0, XenbusStateClosed);
	pvr_xenbus_close(&dev);
}

/* ---- tx ---- */

void rig_put(union tx_slot slot)
{
	tx_request_put(&rig.tx, &slot);
}

void rig_request(unsigned page, uint16_t offset, uint16_t size, uint16_t flags)
{
	rig_put((union tx_slot){.request = {rig.ref[page], offset, flags, 0, size}});
}

void rig_extra(uint8_t type, uint8_t flags, uint16_t gso_size, uint8_t gso_type)
{
	rig_put((union tx_slot){
		.extra = {type, flags, {.gso = {.size = gso_size, .type = gso_type}}}});
}

static void sleep_on(struct pvr_ring *ring, evtchn_port_t port)
{
	if (!pvr_ring_final_check(ring))
		pvr_evtchn_wait(port, pvr_port_now_ns() + SECOND / 10);
}

enum outcome rig_flush(void)
{
	uint64_t deadline = pvr_port_now_ns() + PATIENCE;
	enum outcome outcome = OKAY;

	pvr_ring_publish(&rig.tx);
	pvr_evtchn_notify(rig.tx_port);
	while (rig.tx.cons != rig.tx.prod) {
		struct netif_tx_response response;
		int pending = pvr_ring_pending(&rig.tx);

		must(pending, "the backend's responses");
		while (pending--) {
			tx_response_take(&rig.tx, &response);
			if (response.status < 0)
				outcome = DROPPED;
		}
		if (rig.tx.cons == rig.tx.prod)
			break;
		if (is_in(XenbusStateClosing, XenbusStateClosed))
			return broken();
		if (pvr_port_now_ns() > deadline)
			return SILENT;
		sleep_on(&rig.tx, rig.tx_port);
	}
	return outcome;
}

/* ---- rx ---- */

static void post(unsigned buffer)
{
	struct netif_rx_request request = {
		.id = (uint16_t)buffer, .gref = rig.buffer_ref[buffer]};

	posted[rig.rx.prod % 256] = (uint16_t)buffer;
	rx_request_put(&rig.rx, &request);
}

void rig_post(void)
{
	while (next_buffer < BUFFERS)
		post(next_buffer++);
	pvr_ring_publish(&rig.rx);
	pvr_evtchn_notify(rig.rx_port);
}

/* The answer, and whose buffer it is, which is posted again: its page is not written before that is published. */
static int take(union rx_slot *slot, uint64_t deadline)
{
	unsigned buffer = posted[rig.rx.cons % 256];


	for (;;) {
		int pending = pvr_ring_pending(&rig.rx);

		must(pending, "the backend's packets");
		if (pending)
			break;
		if (pvr_port_now_ns() > deadline)
			return -1;
		sleep_on(&rig.rx, rig.rx_port);
	}
	rx_response_take(&rig.rx, slot);
	post(buffer);
	return (int)buffer;
}

int rig_receive(struct packet *packet)
{
	uint64_t deadline = pvr_port_now_ns() + SECOND;
	union rx_slot slot;
	uint16_t flags;
	int buffer;

	*packet = (struct packet){0};
	do {
		buffer = take(&slot, deadline);
		if (buffer < 0)
			return -1;
		must(slot.response.status, "a buffer");
		must(slot.response.id == buffer ? 0 : -1, "an answer in another's slot");
		flags = slot.response.flags;
		packet->flags |= flags;
		memcpy(packet->bytes + packet->length,
			rig.buffer[buffer] + slot.response.offset,
			(size_t)slot.response.status);
		packet->length += (uint16_t)slot.response.status;
		for (int more = flags & NETRXF_extra_info; more;) {
			if (take(&slot, deadline) < 0)
				return -1;
			more = slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
			if (slot.extra.type == XEN_NETIF_EXTRA_TYPE_GSO)
				packet->gso_size = slot.extra.u.gso.size;
		}
	} while (flags & NETRXF_more_data);
	rig_post();
	return 0;
}

/* ---- control ---- */

int64_t rig_control(uint16_t type, uint32_t data0, uint32_t data1, uint32_t data2)
{
	struct xen_netif_ctrl_request request = {.type = type, .data = {data0, data1, data2}};
	struct xen_netif_ctrl_response response;
	uint64_t deadline = pvr_port_now_ns() + PATIENCE;

	ctrl_request_put(&rig.ctrl, &request);
	pvr_ring_publish(&rig.ctrl);
	pvr_evtchn_notify(rig.ctrl_port);
	while (!pvr_ring_pending(&rig.ctrl)) {
		if (pvr_port_now_ns() > deadline)
			return -1;
		sleep_on(&rig.ctrl, rig.ctrl_port);
	}
	ctrl_response_take(&rig.ctrl, &response);
	return response.status;
}
