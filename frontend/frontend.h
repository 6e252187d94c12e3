/* SPDX-License-Identifier: MIT */
/*
 * What the frontends have in common: the life of a device from its handshake to its close, through
 * the deaths of its backends; granted pages; nodes; and how a queue's owner waits.
 *
 * A device embeds struct pvr_front and supplies pvr_front_ops. Its queues are owned by threads, which
 * share nothing but what is said here: `life` and `version` are read by all, the rest is under
 * `control`. A reconnect makes new rings beside those in use and raises `version` once the backend has
 * them; each owner sees that in its next poll, and takes its own over.
 */
#ifndef PVR_FRONTEND_H
#define PVR_FRONTEND_H

#include <pvring/evtchn.h>
#include <pvring/grant.h>
#include <pvring/port.h>
#include <pvring/ring.h>
#include <pvring/xenbus.h>

#include "../rings/internal.h"

/* How long a backend that is wrong or gone may still keep our pages before we call them lost. */
#define PVR_FRONT_PATIENCE_NS 1000000000ull

/* How long a close, ours or the backend's, may take. */
#define PVR_FRONT_CLOSE_NS 5000000000ull

/* How long to wait for a backend that vanished, unless told otherwise. */
#define PVR_FRONT_RECONNECT_NS 60000000000ull

enum pvr_front_life {
	PVR_FRONT_LIVE,
	PVR_FRONT_LOST,    /* the backend went, and another one is expected */
	PVR_FRONT_LEAVING, /* the backend closes: it may still answer, nothing is added */
	PVR_FRONT_GONE,    /* what is in flight ends, nothing comes after it */
	PVR_FRONT_FAILED,  /* the same, because the backend was wrong */
};

struct pvr_front;

/*
 * What a kind of device does, all under `control` (or before the device is anybody else's).
 *
 * offered   the state that tells the backend of the rings: Initialised, or Connected where the
 *           protocol has it so
 * make      the rings of an offer, as both sides can. `again`: the number of queues is settled;
 *           -ENODEV when the backend takes fewer
 * write     the nodes that tell of them, in transaction tx
 * drop      the rings of an offer that nobody took over; also one half made, or none
 * facts     what the backend published, once it is Connected; a negative errno refuses it
 * changed   a live backend's state was written: nonzero when the owners have something to take over
 * idle      whether nothing is in flight
 */
struct pvr_front_ops {
	enum xenbus_state offered;
	int (*make)(struct pvr_front *front, int again);
	int (*write)(struct pvr_front *front, pvr_store_tx tx);
	void (*drop)(struct pvr_front *front);
	int (*facts)(struct pvr_front *front, int again);
	int (*changed)(struct pvr_front *front);
	int (*idle)(struct pvr_front *front);
};

struct pvr_front {
	const struct pvr_front_ops *ops;
	uint64_t reconnect_ns;
	_Atomic uint32_t life;
	_Atomic uint32_t version;    /* goes up when the owners have something to take over */
	_Atomic uint32_t watch_seen; /* bus.watch.fired as last acted upon */
	struct pvr_mutex control;

	/* Under `control`, once the device is open. */
	struct pvr_xenbus_dev bus;
	int has_offered;      /* rings that no Connected has answered yet */
	uint64_t offer_again; /* when an offer that nobody took is made anew */
	uint64_t deadline;    /* of LEAVING and LOST */
	uint64_t next_look;
	uint64_t reconnects;
};

/* ---- connect.c ---- */

/* `once` opens what `request` asks for, until deadline_ns; see pvr_blkfront_open for the errors. */
int pvr_front_open(
	int (*once)(void *request, uint64_t deadline_ns), void *request, uint64_t deadline_ns);

/* The handshake up to a backend that is Connected; then ops->facts. */
int pvr_front_connect(struct pvr_front *front, uint64_t deadline_ns);

/* Through Closing to Closed. How long the backend may then keep our pages, as a deadline. */
uint64_t pvr_front_disconnect(struct pvr_front *front, uint64_t deadline_ns);

/* ---- offer.c ---- */

/* Drop the last offer, make the next, write its nodes, go to ops->offered. */
int pvr_front_offer(struct pvr_front *front, int again);

/*
 * Where Connected is the offer, a backend that was replaced after it takes it for one to its predecessor,
 * and waits for another, which nobody can tell from one that is slow and maps the rings just now. So the
 * state is written again, when it is time, and the rings stay as they are. 0 or a negative errno.
 */
int pvr_front_offer_repeat(struct pvr_front *front, enum xenbus_state back);
void pvr_front_offer_drop(struct pvr_front *front);

/*
 * "queue-N/name", or the name alone where there is one queue; with `number` behind it, unless it is
 * negative.
 */
int pvr_front_write_queue(struct pvr_front *front, pvr_store_tx tx, unsigned queues, unsigned index,
	const char *name, int number, uint64_t value);

/* An optional node: written if wanted, else removed, since an earlier owner may have written it. */
int pvr_front_write_optional(
	struct pvr_front *front, pvr_store_tx tx, const char *name, uint64_t value, int wanted);

/* ---- pages.c ---- */

#define PVR_FRONT_PAGES_MAX 16u

/* Pages the backend can write for as long as they exist: those of a ring. */
struct pvr_front_pages {
	void *at;
	unsigned count;
	unsigned granted; /* of ref */
	grant_ref_t ref[PVR_FRONT_PAGES_MAX];
};

int pvr_front_pages_make(struct pvr_front *front, struct pvr_front_pages *pages, unsigned count);

/*
 * Also for pages half made, or none. Those the backend keeps mapped are lost, and with them all that
 * were allocated together; how many references are lost, is returned.
 */
unsigned pvr_front_pages_free(struct pvr_front_pages *pages, uint64_t deadline_ns);

/* Take a page's grant back, waiting until the deadline for a peer that still maps it; -EBUSY. */
int pvr_front_grant_end(grant_ref_t ref, uint64_t deadline_ns);

/* The same, and free the reference: 0, or 1 when it is lost, and with it the page behind. */
unsigned pvr_front_grant_drop(grant_ref_t ref, uint64_t deadline_ns);

/* A channel for the backend to bind to, into *port. */
int pvr_front_channel_make(struct pvr_front *front, evtchn_port_t *port);

unsigned pvr_front_pages_for(size_t bytes);

/* ---- life.c ---- */

/* Act on what the backend's state has become since the last time; cheap when it did not change. */
void pvr_front_check_backend(struct pvr_front *front);

/* The backend's end of a channel is closed: it died, or will be heard of otherwise. */
void pvr_front_peer_gone(struct pvr_front *front);

/* Another life, unless it is over already. */
void pvr_front_become(struct pvr_front *front, enum pvr_front_life life);

/* The backend did what no backend may: one line that ends with `number`, and the device is in error. */
void pvr_front_fail(struct pvr_front *front, const char *what, const char *more, uint64_t number);

static inline enum pvr_front_life pvr_front_life(const struct pvr_front *front)
{
	return (enum pvr_front_life)atomic_load_explicit(&front->life, memory_order_acquire);
}

static inline int pvr_front_is_dead(const struct pvr_front *front)
{
	return pvr_front_life(front) >= PVR_FRONT_GONE;
}

static inline uint32_t pvr_front_version(const struct pvr_front *front)
{
	return atomic_load_explicit(&front->version, memory_order_acquire);
}

/* Whether there is a backend, and its rings are those an owner took over as `version`. */
static inline int pvr_front_is_current(const struct pvr_front *front, uint32_t version)
{
	return pvr_front_life(front) == PVR_FRONT_LIVE && pvr_front_version(front) == version;
}

/* ---- wait.c: how an owner waits. Nothing here touches what another thread's submit writes. ---- */

/* A ring that is waited for: its consumer index when the wait began. */
struct pvr_front_look {
	const struct pvr_ring *ring;
	uint32_t cons;
};

/* Poll for *spin_ns, if that has paid lately: nonzero when one of the rings has moved. */
int pvr_front_spin(
	const struct pvr_front_look *looks, unsigned count, uint64_t spin_ns, uint64_t deadline_ns);
void pvr_front_spin_learn(uint64_t *spin_ns, uint64_t waited_ns);

/* After the rings' final checks: nonzero when the device itself has news for an owner's poll. */
int pvr_front_has_news(const struct pvr_front *front, uint32_t version);

/*
 * Sleep until an event on one of the ports, news of the store where there is no backend, or a slice of
 * time has passed: 0, -ETIMEDOUT (of the slice), or an error. `expects`: the backend owes us something,
 * so its death is looked for.
 */
int pvr_front_sleep(struct pvr_front *front, const evtchn_port_t *ports, unsigned count,
	int expects, uint64_t deadline_ns);

#endif
