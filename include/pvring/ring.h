/* SPDX-License-Identifier: MIT */
/*
 * The shared ring: two free-running index pairs and an array of slots in one or more granted pages,
 * laid out as Xen's public io/ring.h has it (64 bytes of header, then a power of two of slots).
 *
 * One side produces requests and consumes responses (the front), the other the reverse (the back); a
 * response takes the slot of a request. Both sides use the same struct pvr_ring and the same functions:
 * "out" is what this side produces, "in" is what it consumes.
 *
 * What the peer can reach is hostile: its producer index is read once, checked against what the protocol
 * allows, and kept privately; a slot is copied once. Nothing that decides an address or a bound is ever
 * read from shared memory twice, and nothing this side wrote there is ever read back.
 *
 * Freestanding. No function here sleeps, allocates or takes a lock; a struct pvr_ring belongs to one
 * thread at a time.
 *
 * The barriers, two pairs:
 *
 *   PUBLISH  (pvr_ring_publish, store-release of the producer index)
 *   REFRESH  (pvr_ring_pending, load-acquire of the peer's producer index)
 *       pair with each other. Without them the consumer could see the index before the slots it covers,
 *       or a producer could refill a slot while the consumer is still copying it: the consumer's copy is
 *       ordered before its own next PUBLISH, which the producer's REFRESH sees before it reuses the slot.
 *
 *   ANNOUNCE (pvr_ring_publish_notify: publish the index, then read the peer's event index)
 *   RECHECK  (pvr_ring_final_check: write the event index, then read the peer's producer index)
 *       pair with each other; each is a store followed by a load of another word, and both pairs of
 *       accesses are sequentially consistent. Without that each side's store could wait in its store
 *       buffer while its load runs: the producer sees an old event index and stays silent, the consumer
 *       sees an old producer index and sleeps, and the wake-up is lost for good.
 */
#ifndef PVR_RING_H
#define PVR_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The head of the first shared page: struct xxx_sring of Xen's io/ring.h, without its slots. */
struct pvr_sring {
	_Atomic uint32_t req_prod;  /* requests produced; written by the front */
	_Atomic uint32_t req_event; /* the front notifies when req_prod passes this; written by the back */
	_Atomic uint32_t rsp_prod;  /* responses produced; written by the back */
	_Atomic uint32_t rsp_event; /* the back notifies when rsp_prod passes this; written by the front */
	uint8_t pvt[48];            /* private to a backend in Xen's header; not used here */
};

_Static_assert(sizeof(struct pvr_sring) == 64, "Xen's io/ring.h: slots start at byte 64");

struct pvr_ring {
	_Atomic uint32_t *out_prod;
	_Atomic uint32_t *out_event;
	_Atomic uint32_t *in_prod;
	_Atomic uint32_t *in_event;
	uint8_t *slots;
	uint32_t entries;   /* a power of two */
	uint32_t prod;      /* next slot to produce; private */
	uint32_t published; /* value of prod the peer may know of */
	uint32_t cons;      /* next slot to consume; private */
	uint32_t seen;      /* the peer's producer index as last read and checked */
	uint32_t credit;    /* how far the peer may produce beyond `published`: 0 in a front, entries in a back */
};

/* Slots of slot_size bytes that fit a ring of `bytes` bytes: the largest power of two (io/ring.h, __RING_SIZE). */
static inline uint32_t pvr_ring_entries(size_t bytes, size_t slot_size)
{
	size_t fit = (bytes - sizeof(struct pvr_sring)) / slot_size;
	uint32_t entries = 1;

	while ((size_t)entries * 2 <= fit)
		entries *= 2;
	return entries;
}

static inline void pvr_ring_setup_(struct pvr_ring *ring, struct pvr_sring *shared, uint32_t entries,
	uint32_t prod, uint32_t cons, uint32_t credit)
{
	*ring = (struct pvr_ring){
		.slots = (uint8_t *)(shared + 1),
		.entries = entries,
		.prod = prod,
		.published = prod,
		.cons = cons,
		.seen = cons,
		.credit = credit,
	};
}

/*
 * Front: initialise the shared page(s) and this side of the ring, before the peer is told of it.
 * `start` is the first index; 0 in production, near 2^32 in tests. io/ring.h starts both event indices
 * one beyond the producers.
 */
static inline void pvr_ring_front_init(
	struct pvr_ring *ring, struct pvr_sring *shared, uint32_t entries, uint32_t start)
{
	memset(shared, 0, sizeof(*shared));
	atomic_store_explicit(&shared->req_prod, start, memory_order_relaxed);
	atomic_store_explicit(&shared->rsp_prod, start, memory_order_relaxed);
	atomic_store_explicit(&shared->req_event, start + 1, memory_order_relaxed);
	atomic_store_explicit(&shared->rsp_event, start + 1, memory_order_release);
	pvr_ring_setup_(ring, shared, entries, start, start, 0);
	ring->out_prod = &shared->req_prod;
	ring->out_event = &shared->req_event;
	ring->in_prod = &shared->rsp_prod;
	ring->in_event = &shared->rsp_event;
}

/*
 * Back: attach to a ring the front has initialised, taking over where its responses stand (0 for a new
 * ring; not for one whose previous backend died). Returns 0, or -EPROTO when the indices the front left
 * there cannot be those of a ring of this size.
 */
static inline int pvr_ring_back_attach(struct pvr_ring *ring, struct pvr_sring *shared, uint32_t entries)
{
	uint32_t rsp = atomic_load_explicit(&shared->rsp_prod, memory_order_acquire);
	uint32_t req = atomic_load_explicit(&shared->req_prod, memory_order_acquire);

	if (req - rsp > entries)
		return -EPROTO;
	pvr_ring_setup_(ring, shared, entries, rsp, rsp, entries);
	ring->out_prod = &shared->rsp_prod;
	ring->out_event = &shared->rsp_event;
	ring->in_prod = &shared->req_prod;
	ring->in_event = &shared->req_event;
	return 0;
}

/* Front: slots free for requests. A slot is free again when its response has been consumed. */
static inline uint32_t pvr_ring_free(const struct pvr_ring *ring)
{
	return ring->entries - (ring->prod - ring->cons);
}

/*
 * How many slots wait to be consumed; the peer's index is read only when the ones known are used up.
 * -EPROTO when the peer claims more than the protocol allows: a front more responses than it has
 * published requests, a back more unanswered requests than the ring has slots. The ring is then dead;
 * its owner stops using it.
 */
static inline int pvr_ring_pending(struct pvr_ring *ring)
{
	if (ring->seen != ring->cons)
		return (int)(ring->seen - ring->cons);

	/* REFRESH, partner PUBLISH: the slots up to `prod` are read after the index that covers them. */
	uint32_t prod = atomic_load_explicit(ring->in_prod, memory_order_acquire);

	if (prod - ring->cons > ring->published + ring->credit - ring->cons)
		return -EPROTO;
	ring->seen = prod;
	return (int)(prod - ring->cons);
}

/* Consume `count` slots that were copied by a peek. */
static inline void pvr_ring_consume(struct pvr_ring *ring, uint32_t count)
{
	ring->cons += count;
}

/* Let the peer see what was produced. Does not notify: for a peer that is known to be awake, or mid-batch. */
static inline void pvr_ring_publish(struct pvr_ring *ring)
{
	/* PUBLISH, partner REFRESH: the slots are written before the index that covers them. */
	atomic_store_explicit(ring->out_prod, ring->prod, memory_order_release);
	ring->published = ring->prod;
}

/*
 * Publish, and tell whether the peer asked to be notified of something just published. The caller sends
 * the event when it returns nonzero. One call covers a whole batch.
 */
static inline int pvr_ring_publish_notify(struct pvr_ring *ring)
{
	uint32_t old = ring->published;

	if (ring->prod == old)
		return 0;
	/* ANNOUNCE, partner RECHECK (and PUBLISH for REFRESH): index first, then the event index. */
	atomic_store_explicit(ring->out_prod, ring->prod, memory_order_seq_cst);
	ring->published = ring->prod;
	return ring->prod - atomic_load_explicit(ring->out_event, memory_order_seq_cst) < ring->prod - old;
}

/*
 * Before sleeping: ask for an event at the `wanted`-th slot from now, then look once more. Returns as
 * pvr_ring_pending; the caller may sleep only on 0. Until it is called again the peer stays silent, so a
 * side that polls simply does not call it. `wanted` is 1, or more where answers are owed and none is urgent:
 * never more than are owed, or nobody would wake the caller.
 */
static inline int pvr_ring_final_check_at(struct pvr_ring *ring, uint32_t wanted)
{
	if (ring->seen != ring->cons)
		return (int)(ring->seen - ring->cons);
	/* RECHECK, partner ANNOUNCE: event index first, then the peer's index. */
	atomic_store_explicit(ring->in_event, ring->cons + wanted, memory_order_seq_cst);
	if (atomic_load_explicit(ring->in_prod, memory_order_seq_cst) == ring->cons)
		return 0;
	return pvr_ring_pending(ring);
}

static inline int pvr_ring_final_check(struct pvr_ring *ring)
{
	return pvr_ring_final_check_at(ring, 1);
}

/*
 * Copy `size` bytes out of shared memory exactly once. The compiler must not read the source again
 * later in place of the copy (a double fetch), so memory is declared clobbered behind it.
 */
static inline void pvr_copy_once(void *to, const volatile void *from, size_t size)
{
	memcpy(to, (const void *)(uintptr_t)from, size);
	__asm__ volatile("" ::: "memory");
}

/* For spinning on a ring: tells the core that this is a spin, and costs nothing else. */
static inline void pvr_cpu_relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
	__asm__ volatile("pause");
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * PVR_RING_TYPE(name, request, response) makes the typed accessors of one protocol:
 *
 *   name_entries(bytes)                  slots of a ring in `bytes` bytes of pages
 *   name_request_put(ring, &request)     front: fill the next slot; the caller has checked pvr_ring_free
 *   name_response_take(ring, &copy)      front: copy the next response; pvr_ring_pending was > 0
 *   name_response_peek(ring, n, &copy)   front: copy the n-th response after the next, and consume nothing;
 *                                        pvr_ring_pending was > n
 *   name_request_take(ring, &copy)       back: copy the next request; pvr_ring_pending was > 0
 *   name_response_put(ring, &response)   back: fill the next slot; never more than requests taken
 *
 * A put copies the whole structure, padding too: the caller zeroes it first, so that no stale byte of
 * this side leaks to the peer.
 */
#define PVR_RING_TYPE(name, request, response)                                                     \
	union name##_slot_ {                                                                       \
		request req;                                                                       \
		response rsp;                                                                      \
	};                                                                                         \
	static inline uint32_t name##_entries(size_t bytes)                                        \
	{                                                                                          \
		return pvr_ring_entries(bytes, sizeof(union name##_slot_));                        \
	}                                                                                          \
	static inline void *name##_slot_at_(const struct pvr_ring *ring, uint32_t index)           \
	{                                                                                          \
		return ring->slots + sizeof(union name##_slot_) * (index & (ring->entries - 1));   \
	}                                                                                          \
	static inline void name##_request_put(struct pvr_ring *ring, const request *from)          \
	{                                                                                          \
		memcpy(name##_slot_at_(ring, ring->prod++), from, sizeof(*from));                  \
	}                                                                                          \
	static inline void name##_response_take(struct pvr_ring *ring, response *copy)             \
	{                                                                                          \
		pvr_copy_once(copy, name##_slot_at_(ring, ring->cons++), sizeof(*copy));           \
	}                                                                                          \
	static inline void name##_response_peek(                                                   \
		const struct pvr_ring *ring, uint32_t n, response *copy)                           \
	{                                                                                          \
		pvr_copy_once(copy, name##_slot_at_(ring, ring->cons + n), sizeof(*copy));         \
	}                                                                                          \
	static inline void name##_request_take(struct pvr_ring *ring, request *copy)               \
	{                                                                                          \
		pvr_copy_once(copy, name##_slot_at_(ring, ring->cons++), sizeof(*copy));           \
	}                                                                                          \
	static inline void name##_response_put(struct pvr_ring *ring, const response *from)        \
	{                                                                                          \
		memcpy(name##_slot_at_(ring, ring->prod++), from, sizeof(*from));                  \
	}                                                                                          \
	_Static_assert(sizeof(union name##_slot_) > 0, #name)

#endif
