/* SPDX-License-Identifier: MIT */
/*
 * A guest's network interface in hostile hands: rings, grants and nodes as a frontend has them, every field of them
 * the caller's. Built on the guest's public headers and the process port. One interface, device/vif/0, of one
 * queue.
 */
#ifndef PVR_HOSTILE_RIG_H
#define PVR_HOSTILE_RIG_H

#include <stdint.h>

#include <pvring/port.h>
#include <pvring/ring.h>
#include <pvring/xen/netif.h>

#define PAGES   64u  /* of data to send */
#define BUFFERS 128u /* to receive in */

union tx_slot {
	struct netif_tx_request request;
	struct netif_extra_info extra;
};

union rx_slot {
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

PVR_RING_TYPE(tx, union tx_slot, struct netif_tx_response);
PVR_RING_TYPE(rx, struct netif_rx_request, union rx_slot);
PVR_RING_TYPE(ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

/* Nodes that are not as a good frontend has them. All zero: they are. */
struct rig_options {
	const char *queues, *headroom, *tx_ref; /* values of their nodes */
	int no_buffers;                         /* posts none */
};

/* What the backend did with what was sent. */
enum outcome {
	OKAY,    /* every slot answered, and none with an error */
	DROPPED, /* every slot answered, some with an error */
	BROKEN,  /* it does not serve the interface any more, and says why */
	SILENT,  /* none of it within five seconds */
};

struct packet {
	uint32_t length;
	uint16_t flags; /* NETRXF_* */
	uint16_t gso_size;
	uint8_t bytes[65536];
};

struct rig {
	struct pvr_ring tx, rx, ctrl;
	struct pvr_sring *tx_shared, *rx_shared, *ctrl_shared;
	evtchn_port_t tx_port, rx_port, ctrl_port;
	uint8_t *page[PAGES];
	grant_ref_t ref[PAGES];
	uint8_t *buffer[BUFFERS];
	grant_ref_t buffer_ref[BUFFERS];
	char error[200]; /* the backend's node, when BROKEN */
};

extern struct rig rig;

/* Connect: OKAY, BROKEN (refused), or SILENT. Whatever else fails ends the program. */
enum outcome rig_open(const struct rig_options *options);
void rig_close(void);

/* Put a slot on the ring. */
void rig_put(union tx_slot slot);
void rig_request(unsigned page, uint16_t offset, uint16_t size, uint16_t flags);
void rig_extra(uint8_t type, uint8_t flags, uint16_t gso_size, uint8_t gso_type);
/* Publish what was put, and wait for what becomes of it. */
enum outcome rig_flush(void);

/* Give the backend buffers, as many as there are. */
void rig_post(void);
/* The next packet received, whose buffers are posted again: 0, or -1 when none comes within a second. */
int rig_receive(struct packet *packet);

/* Ask over the control ring: the status, or -1 without an answer. */
int64_t rig_control(uint16_t type, uint32_t data0, uint32_t data1, uint32_t data2);

/* A node of the backend's directory. */
const char *rig_backend_node(const char *name);
/* Wait for the backend to end with the interface: BROKEN or SILENT. */
enum outcome rig_wait_broken(void);

#endif
