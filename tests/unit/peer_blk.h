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

#define PEER_QUEUES 4u
#define PEER_REFS   4096u

struct peer_queue {
	struct pvr_ring ring;
	evtchn_port_t port;
	unsigned pages;
	grant_ref_t ref[16];
};

struct peer {
	struct peer_queue queue[PEER_QUEUES];
	unsigned queues;
	int persistent; /* what both sides agreed on */
	int connected;
	int manual;      /* requests wait for peer_serve */
	int deaf;        /* does not react to the front's state */
	unsigned serves; /* requests answered */
	_Atomic unsigned connects;
	uint8_t mapped[PEER_REFS];
	uint8_t disk[PEER_SECTORS * 512];

	/* What was seen, of the latest kind. */
	unsigned ops[8], most_segments;
	struct blkif_request_discard discard;
	uint8_t page[4096]; /* the whole page behind the last segment */

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

/* The backend's process is killed: what it mapped is unmapped, and nothing else is said. */
void peer_kill(void);

/* Attach to a ring that the test has begun anew, in the same pages. */
void peer_attach(unsigned queue);

/* Write the backend's state. */
void peer_state(enum xenbus_state state);

/* A node of the backend, before the front connects. */
void peer_node(const char *name, const char *value);

#endif
