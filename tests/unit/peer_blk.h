/* SPDX-License-Identifier: MIT */
/*
 * A block backend in the test process: it maps the front's ring by its grant, answers the xenbus
 * states in the store, and serves requests from a small disk in memory, or does one of the things a
 * backend must not.
 */
#ifndef PVR_PEER_BLK_H
#define PVR_PEER_BLK_H

#include <pvring/ring.h>
#include <pvring/xen/blkif.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/xenbus.h>

#define PEER_PATH    "device/vbd/51712"
#define PEER_FRONT   "/local/domain/7/device/vbd/51712"
#define PEER_BACK    "/local/domain/0/backend/vbd/7/51712"
#define PEER_SECTORS 2048u

PVR_RING_TYPE(peer, struct blkif_request, struct blkif_response);

struct peer {
	struct pvr_ring ring;
	evtchn_port_t port;
	grant_ref_t ring_ref;
	int connected;
	int manual;      /* requests wait for peer_serve */
	int deaf;        /* does not react to the front's state */
	unsigned serves; /* requests answered */
	uint8_t disk[PEER_SECTORS * 512];

	/* For the next answers: */
	int16_t status;  /* instead of BLKIF_RSP_OKAY, the data is not moved */
	int keep_grants; /* do not unmap */
};

extern struct peer peer;

/* A domain, a store and the device's nodes; the backend in InitWait. */
void peer_start(void);

/* Take and answer what the ring holds. How many, or -EPROTO. */
int peer_serve(void);

/* Take one request without answering it (manual), and answer anything at all, with an event. */
int peer_take(struct blkif_request *request);
void peer_answer(uint64_t id, uint8_t operation, int16_t status);

/* Write the backend's state. */
void peer_state(enum xenbus_state state);

/* A node of the backend, before the front connects. */
void peer_node(const char *name, const char *value);

#endif
