/* SPDX-License-Identifier: MIT */
/*
 * A block backend in the test process: it maps the front's ring by its grant, answers the xenbus
 * states in the store, and serves requests from a small disk in memory, or does one of the things a
 * backend must not.
 */
#ifndef PVR_PEER_BLK_H
#define PVR_PEER_BLK_H

#include <pvring/xen/blkif.h>

#include "peer.h"

#define BLK_PATH    "device/vbd/51712"
#define BLK_FRONT   "/local/domain/7/device/vbd/51712"
#define BLK_BACK    "/local/domain/0/backend/vbd/7/51712"
#define BLK_SECTORS 2048u

PVR_RING_TYPE(blk, struct blkif_request, struct blkif_response);

struct blk_peer_queue {
	struct pvr_ring ring;
	evtchn_port_t port;
	unsigned pages;
	grant_ref_t ref[16];
};

struct blk_peer {
	struct blk_peer_queue queue[PEER_QUEUES];
	int persistent;  /* what both sides agreed on */
	unsigned serves; /* requests answered */
	uint8_t disk[BLK_SECTORS * 512];

	/* What was seen, of the latest kind. */
	unsigned ops[8], most_segments;
	struct blkif_request_discard discard;
	uint8_t page[4096]; /* the whole page behind the last segment */

	/* For the next answers: */
	int16_t status; /* instead of BLKIF_RSP_OKAY, the data is not moved */
};

extern struct blk_peer blk_peer;

/* A domain, a store and the device's nodes; the backend in InitWait. */
void blk_peer_start(void);

/* Take one request without answering it (manual), and answer anything at all, with an event. */
int blk_peer_take(struct blkif_request *request);
void blk_peer_answer(uint64_t id, uint8_t operation, int16_t status);

/* Attach to a ring that the test has begun anew, in the same pages. */
void blk_peer_attach(unsigned queue);

#endif
