/* SPDX-License-Identifier: MIT */
/*
 * A network frontend in the tests' hands, on the mock host, and the queues of a backend that serve
 * it without a thread: the frontend can do everything on its rings that a guest can, right and
 * wrong. The outside is a real one, or a probe that keeps what it is given and gives what the test
 * says.
 */
#ifndef PVR_TEST_GUEST_NET_H
#define PVR_TEST_GUEST_NET_H

#include "suite.h"

#include "../../netback/ctrl.h"
#include "../../netback/outside.h"
#include "../../netback/queue.h"
#include "mock_host.h"

#define NET_START   (UINT32_MAX - 5) /* the indices wrap soon */
#define NET_DATA    32u              /* frames of tx data */
#define NET_PAGES   64u
#define NET_BUFFERS 128u /* frames of rx buffers */
#define NET_QUEUES  2u
#define NET_PACKET  65536u

PVR_RING_TYPE(net_tx, union pvr_netback_slot, struct netif_tx_response);
PVR_RING_TYPE(net_rx, struct netif_rx_request, union pvr_netback_rx_response);
PVR_RING_TYPE(net_ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

struct net_queue {
	struct pvr_ring tx, rx;
	struct pvr_sring *tx_shared, *rx_shared;
	grant_ref_t tx_ref, rx_ref;
	evtchn_port_t tx_port, rx_port;
	struct pvr_netback_queue *back;
	uint16_t posted; /* id of the next rx request */
};

/* What the probe has or gives. */
struct net_packet {
	struct virtio_net_hdr vnet;
	size_t bytes;
	uint8_t data[NET_PACKET + 64];
};

struct net {
	struct net_queue queue[NET_QUEUES];
	struct pvr_ring ctrl;
	grant_ref_t data[NET_PAGES];     /* of mock_page(NET_DATA + i) */
	grant_ref_t buffer[NET_BUFFERS]; /* of net_buffer(i) */
	struct pvr_netback_spec spec;
	struct pvr_netback_facts facts;
	struct pvr_netback_journal_of journal;
	struct pvr_netback_outside *outside;
	struct pvr_netback_vif *vif;
	struct pvr_netback_stats stats;
	struct pvr_host *host;
	uint64_t now;
	/* The probe. */
	unsigned takes;         /* PVR_NETBACK_*, of the next probe */
	unsigned written;       /* packets */
	struct net_packet last; /* written */
	unsigned to_give;       /* times that `give` is given */
	struct net_packet give;
	int refuse, full; /* a write fails; there is no room */
};

extern struct net net;

/* Reset, with facts as a full-featured frontend has them; the test may change them and net.spec
 * before net_open. */
void net_reset(void);
/* type NULL: the probe. */
void net_open(const char *type, const char *params);
void net_close(void);
/*
 * The backend is dead, and another takes the queues over: 0, or the first error of their
 * connecting.
 */
int net_take_over(void);

/* A turn of every queue at net.now, published; the sum, or the first error. */
int net_turn(void);

/* tx: a slot, the publishing, and the next response; fails the test when there is none. */
void net_send(unsigned queue, union pvr_netback_slot slot);
union pvr_netback_slot net_request(
	unsigned page, uint16_t offset, uint16_t size, uint16_t flags, uint16_t id);
void net_publish(unsigned queue);
struct netif_tx_response net_answer(unsigned queue);
unsigned net_answers(unsigned queue);
uint8_t *net_data(unsigned page);

/* rx: post buffers first to first + count - 1 and publish; take the next response. */
void net_post(unsigned queue, unsigned first, unsigned count);
unsigned net_received(unsigned queue);
union pvr_netback_rx_response net_take(unsigned queue);
uint8_t *net_buffer(unsigned n);

/* Ask over the control ring. */
struct xen_netif_ctrl_response net_control(
	uint16_t type, uint32_t data0, uint32_t data1, uint32_t data2);

/* A packet of so many bytes: Ethernet, IPv4 or IPv6, TCP or UDP, with right lengths and pseudo
 * header's sum. */
size_t net_make(uint8_t *to, int version, int protocol, size_t bytes);
/* Its checksum, as of the receiver: 0 is right. */
unsigned net_sum_error(const uint8_t *packet, size_t bytes);
uint64_t net_count(const _Atomic uint64_t *counter);

#endif
