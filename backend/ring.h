/* SPDX-License-Identifier: MIT */
/*
 * What a worker knows of a ring it serves: a ring of a disk, or a queue of an interface. The kind's
 * own structure begins with this one, and its functions stand in one table.
 *
 * A ring is made by the control thread, lent to one worker, and given back; `state` says whose it
 * is.
 */
#ifndef PVR_BACKEND_RING_H
#define PVR_BACKEND_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/host.h>

#define PVR_BACK_PORTS 3u /* event channels of one ring */
#define PVR_BACK_FDS   8u /* descriptors that a worker has for all of its rings */
#define PVR_BACK_NEVER UINT64_MAX

enum pvr_back_ring_state {
	PVR_BACK_JOINING, /* the worker's: it will say LIVE or FAILED */
	PVR_BACK_LIVE,    /* the worker's */
	PVR_BACK_BROKEN,  /* the worker's: the frontend broke the protocol, nothing more is taken */
	PVR_BACK_FAILED,  /* the control thread's: never became live; `error` says why */
	PVR_BACK_GONE,    /* the control thread's: drained and unmapped */
};

struct pvr_back_ring {
	const struct pvr_back_ring_ops *ops;
	_Atomic int
		state; /* enum pvr_back_ring_state; a release store hands over what stands below */
	_Atomic int leave; /* the control thread wants it back */
	const char *error; /* with FAILED and BROKEN: one line, a constant */
	unsigned rewound;  /* with LIVE: so many are done again, of what a dead backend left */
	/* Where events that came in, and spins that found work or did not, are counted. */
	_Atomic uint64_t *events_in, *polls_hit, *polls_missed;

	/* From here on the worker's. */
	evtchn_port_t ports[PVR_BACK_PORTS]; /* ours, set by connect; 0: none */
	struct pvr_back_ring *next;
};

/*
 * What one worker brings along for all of its rings. A kind that needs more begins its own
 * structure with this one.
 */
struct pvr_back_turn {
	const struct pvr_back_turn_ops *ops;
	struct pvr_host *host;
	int wake_fd; /* eventfd: wakes the control thread, which then looks at every device */
};

/* By the worker's thread; what may be NULL does nothing then. */
struct pvr_back_ring_ops {
	/*
	 * Map the ring, bind its event channels; 0, or a negative errno with ring->error set and
	 * nothing held. Sleeps.
	 */
	int (*connect)(struct pvr_back_ring *ring, struct pvr_back_turn *turn);
	/* It is drained: publish the last answers, unbind and unmap. */
	void (*disconnect)(struct pvr_back_ring *ring, struct pvr_back_turn *turn);

	/*
	 * Do a batch of what can be done now, in every direction: how much, 0 when there was
	 * nothing, or a negative errno after pvr_back_ring_break. Only while the ring is LIVE and not
	 * to leave. A dead event, or bytes that had to be dropped, are work too: whoever returns 0
	 * is going to sleep.
	 */
	int (*take)(struct pvr_back_ring *ring, struct pvr_back_turn *turn);
	/* What goes on also while the ring is being drained: how much. Or NULL. */
	unsigned (*go_on)(struct pvr_back_ring *ring, struct pvr_back_turn *turn);
	/* At the end of a turn: publish, one event for each direction that the frontend asked for. */
	void (*publish)(struct pvr_back_ring *ring, struct pvr_back_turn *turn);

	/* Whether take has something to do, without system calls: asked while spinning. */
	int (*pending)(struct pvr_back_ring *ring);
	/* Ask the frontend for events; 1 when take has something to do after all. */
	int (*arm)(struct pvr_back_ring *ring);
	/*
	 * When it wants a turn even if no event comes, on CLOCK_MONOTONIC in ns; PVR_BACK_NEVER. Or
	 * NULL: never. It may tidy up, for it is called before every sleep.
	 */
	uint64_t (*due)(struct pvr_back_ring *ring, struct pvr_back_turn *turn, uint64_t now_ns);
	/*
	 * A descriptor that ends a sleep, and what of it (POLLIN, POLLOUT) in *events; -1: none
	 * now. Asked before every sleep, while the ring is served; so what is of no use (input when
	 * the guest has no buffers) must not be asked for, or the worker does not sleep. Or NULL.
	 */
	int (*fd)(struct pvr_back_ring *ring, short *events);
	/* Whether everything that was taken is answered. Or NULL: always. */
	int (*drained)(const struct pvr_back_ring *ring);

	/* By the control thread: FAILED, GONE, or never given to a worker. */
	void (*destroy)(struct pvr_back_ring *ring);
};

/* By the worker's thread, but for the size. Each may be NULL. */
struct pvr_back_turn_ops {
	size_t size; /* of the kind's structure; it is zeroed */
	/* 0 or a negative errno; `first`: of the process's workers. close is called either way. */
	int (*open)(struct pvr_back_turn *turn, int first);
	void (*close)(struct pvr_back_turn *turn);
	/* Submit what all rings have taken, reap and answer: how much. Nothing is published yet. */
	unsigned (*finish)(struct pvr_back_turn *turn);
	/* Descriptors that are readable when finish has something to do: how many. */
	unsigned (*fds)(struct pvr_back_turn *turn, int fds[PVR_BACK_FDS]);
	/* When finish is to be called even if nothing becomes readable. */
	uint64_t (*due)(struct pvr_back_turn *turn, uint64_t now_ns);
	/* A ring has gone; `rest` is the list of those that are left. */
	void (*parted)(struct pvr_back_turn *turn, const struct pvr_back_ring *ring,
		const struct pvr_back_ring *rest);
};

/* What the frontend did to the protocol: this ring is over, nothing else is. For take: -EPROTO. */
int pvr_back_ring_break(struct pvr_back_ring *ring, const char *error);

/* Bind to one of the frontend's ports: 0 and the port in ports[index], or a negative errno. */
int pvr_back_ring_bind(struct pvr_back_ring *ring, struct pvr_host *host, unsigned index,
	domid_t domid, evtchn_port_t port);
/* Unbind all. */
void pvr_back_ring_unbind(struct pvr_back_ring *ring, struct pvr_host *host);

/* Something the control thread looks at has changed. */
void pvr_back_turn_wake(struct pvr_back_turn *turn);

uint64_t pvr_back_now_ns(void);

static inline int pvr_back_ring_state(const struct pvr_back_ring *ring)
{
	return atomic_load_explicit(&ring->state, memory_order_acquire);
}

/* Whether anything is to be taken from it now. */
static inline int pvr_back_ring_is_served(const struct pvr_back_ring *ring)
{
	return pvr_back_ring_state(ring) == PVR_BACK_LIVE &&
	       !atomic_load_explicit(&ring->leave, memory_order_relaxed);
}

static inline unsigned pvr_back_turn_finish(struct pvr_back_turn *turn)
{
	return turn->ops->finish ? turn->ops->finish(turn) : 0;
}

#endif
