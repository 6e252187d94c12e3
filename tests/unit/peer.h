/* SPDX-License-Identifier: MIT */
/*
 * What the backends in the test process have in common: it maps the front's pages by their grants, answers the xenbus
 * states in the store as Linux's backends do, and serves a ring when its event comes. There is one at a time.
 *
 * It runs in the front's threads, and the test's own thread has a hand in it: all is under one lock, but for what is
 * atomic, and what a test looks at while no thread is there.
 */
#ifndef PVR_PEER_H
#define PVR_PEER_H

#include <pvring/ring.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/xenbus.h>

#include <pthread.h>

#define PEER_QUEUES 4u
#define PEER_REFS   4096u

/* A kind of device, and its functions, which are called under the lock. */
struct peer_kind {
	const char *front, *back;      /* directories */
	enum xenbus_state offered;     /* the front's state that offers rings */
	void (*connect)(void);         /* attach to the rings of peer.queues; fill in peer.queue */
	void (*serve)(unsigned queue); /* one request of several that the ring holds */
};

struct peer {
	const struct peer_kind *kind;
	_Atomic int manual; /* requests wait for peer_serve */
	_Atomic int deaf;   /* does not react to the front's state */
	_Atomic unsigned connects;
	pthread_mutex_t lock;
	int connected;
	unsigned front_events; /* of the front's state when the backend went to InitWait */
	int fresh;             /* Connected of the front is an offer to this backend */
	unsigned queues;
	struct {
		struct pvr_ring *ring; /* of requests */
		evtchn_port_t port;
	} queue[PEER_QUEUES];
	uint8_t mapped[PEER_REFS]; /* 1: for now, 2: for good */
};

extern struct peer peer;

/* A domain, a store, the device's directories; the front in Initialising, the backend in no state so far. */
void peer_begin(const struct peer_kind *kind);

/* A node of the backend; NULL: none. Its state. */
void peer_node(const char *name, const char *value);
void peer_state(enum xenbus_state state);

/* A number of the front's; of a queue where there are several. */
long peer_front(unsigned queue, const char *name);

/* Serve what the rings hold: how many requests, or -EPROTO. */
int peer_serve(void);

/* The backend's process is killed: what it mapped is unmapped, and nothing else is said. */
void peer_kill(void);

/* For the kinds: the page behind a grant, or NULL. */
void *peer_map(grant_ref_t ref, int write);
void peer_unmap(grant_ref_t ref); /* unless it is for good */

#endif
