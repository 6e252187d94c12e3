/* SPDX-License-Identifier: MIT */
/* One poll(2) on events, completions, commands and the rings' own descriptors, and what comes before. See sleep.h. */
#include "sleep.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <pvring/ring.h>

#define FDS_OWN 2u /* of the worker itself: commands, events */

/*
 * The spin before a sleep. It is worth its time when the next request comes within a wake-up's
 * cost; so it doubles after a sleep that was that short and is given up after one that was not. An
 * idle worker never spins.
 */
#define SPIN_MAX_NS 50000u
#define SPIN_MIN_NS 10000u

/*
 * Events that bring no request cost their sender one write and this worker a wake-up. After a few
 * in a row it looks at its events only this often, so that a flood (XSA-332) costs a bounded part
 * of a CPU; a request of somebody else waits that long at most.
 */
#define EMPTY_WAKES_FREE 16u
#define PACE_NS          200000u

int pvr_back_sleep_room(struct pvr_back_sleep *s, unsigned rings)
{
	struct pollfd *fds = realloc(s->fds, (FDS_OWN + PVR_BACK_FDS + rings) * sizeof(*s->fds));

	if (!fds)
		return -ENOMEM;
	s->fds = fds;
	return 0;
}

static void clear_fd(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static int anything_pending(struct pvr_back_ring *rings)
{
	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next)
		if (pvr_back_ring_is_served(ring) && ring->ops->pending(ring))
			return 1;
	return 0;
}

static void count(_Atomic uint64_t *counter)
{
	if (counter)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void count_poll(struct pvr_back_ring *rings, int hit)
{
	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next)
		if (pvr_back_ring_is_served(ring))
			count(hit ? ring->polls_hit : ring->polls_missed);
}

/*
 * 1 when something turned up. Completions count too: finish them here rather than sleep for them.
 */
static int spin(
	const struct pvr_back_sleep *s, struct pvr_back_turn *turn, struct pvr_back_ring *rings)
{
	uint64_t end = pvr_back_now_ns() + s->spin_ns;
	int hit = 0;

	if (!s->spin_ns)
		return 0;
	do {
		pvr_cpu_relax();
		hit = anything_pending(rings) || pvr_back_turn_finish(turn);
	} while (!hit && pvr_back_now_ns() < end);
	count_poll(rings, hit);
	return hit;
}

/* Ask every ring for an event; 1 when one has work after all. */
static int arm(struct pvr_back_ring *rings)
{
	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next)
		if (pvr_back_ring_is_served(ring) && ring->ops->arm(ring))
			return 1;
	return 0;
}

static void count_event(struct pvr_back_ring *rings, evtchn_port_t port)
{
	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next)
		for (unsigned i = 0; i < PVR_BACK_PORTS; i++)
			if (ring->ports[i] == port)
				count(ring->events_in);
}

/* Clear what is pending, at most as many as there are ports: a flood must end this loop too. How
 * many. */
static unsigned drain_events(
	struct pvr_back_turn *turn, struct pvr_back_ring *rings, unsigned ring_count)
{
	unsigned taken = 0;

	while (taken < ring_count * PVR_BACK_PORTS) {
		int port = pvr_host_evtchn_pending(turn->host);

		if (port < 0)
			break;
		count_event(rings, (evtchn_port_t)port);
		taken++;
	}
	return taken;
}

void pvr_back_sleep_judge(struct pvr_back_sleep *s, unsigned work)
{
	uint64_t idle = s->spin_ns + s->slept_ns, twice = s->spin_ns * 2;

	if (work)
		s->empty_wakes = 0;
	if (!s->slept_ns)
		return;
	s->slept_ns = 0;
	if (!s->may_spin || !work || idle > SPIN_MAX_NS)
		s->spin_ns = 0;
	else if (twice < SPIN_MIN_NS)
		s->spin_ns = SPIN_MIN_NS;
	else
		s->spin_ns = twice < SPIN_MAX_NS ? twice : SPIN_MAX_NS;
}

/* How long a sleep may be for all that no event ends. PVR_BACK_NEVER: no limit. */
static uint64_t longest(
	struct pvr_back_turn *turn, struct pvr_back_ring *rings, uint64_t now, int paced)
{
	uint64_t end = paced ? now + PACE_NS : PVR_BACK_NEVER;

	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next) {
		uint64_t due = ring->ops->due ? ring->ops->due(ring, turn, now) : PVR_BACK_NEVER;

		if (due < end)
			end = due;
	}
	if (turn->ops->due) {
		uint64_t due = turn->ops->due(turn, now);

		if (due < end)
			end = due;
	}
	if (end == PVR_BACK_NEVER)
		return end;
	return end > now ? end - now : 0;
}

/* What to sleep on, behind the worker's own; how many in all. */
static nfds_t gather_fds(
	struct pvr_back_sleep *s, struct pvr_back_turn *turn, struct pvr_back_ring *rings)
{
	int turn_fds[PVR_BACK_FDS];
	unsigned turn_count = turn->ops->fds ? turn->ops->fds(turn, turn_fds) : 0;
	nfds_t count_all = FDS_OWN;

	for (unsigned i = 0; i < turn_count; i++)
		s->fds[count_all++] = (struct pollfd){.fd = turn_fds[i], .events = POLLIN};
	for (struct pvr_back_ring *ring = rings; ring; ring = ring->next) {
		short events = 0;
		int fd = ring->ops->fd && pvr_back_ring_is_served(ring)
				 ? ring->ops->fd(ring, &events)
				 : -1;

		if (fd >= 0)
			s->fds[count_all++] = (struct pollfd){.fd = fd, .events = events};
	}
	return count_all;
}

static void sleep_on(struct pvr_back_sleep *s, struct pvr_back_turn *turn,
	struct pvr_back_ring *rings, unsigned ring_count)
{
	int paced = s->empty_wakes > EMPTY_WAKES_FREE;
	uint64_t before = pvr_back_now_ns(), limit = longest(turn, rings, before, paced);
	struct timespec timeout = {
		.tv_sec = (time_t)(limit / 1000000000u), .tv_nsec = (long)(limit % 1000000000u)};
	struct pollfd *fds = s->fds;

	fds[0] = (struct pollfd){.fd = s->command_fd, .events = POLLIN};
	fds[1] = (struct pollfd){
		.fd = paced ? -1 : pvr_host_evtchn_fd(turn->host), .events = POLLIN};
	if (ppoll(fds, gather_fds(s, turn, rings), limit == PVR_BACK_NEVER ? NULL : &timeout,
		    NULL) < 0)
		return;
	s->slept_ns = pvr_back_now_ns() - before;
	if (fds[0].revents)
		clear_fd(s->command_fd);
	if (fds[1].revents) {
		drain_events(turn, rings, ring_count);
		s->empty_wakes++;
	} else if (paced && drain_events(turn, rings, ring_count) == 0) {
		s->empty_wakes = EMPTY_WAKES_FREE; /* the flood is over, or draws breath */
	}
}

void pvr_back_sleep(struct pvr_back_sleep *s, struct pvr_back_turn *turn,
	struct pvr_back_ring *rings, unsigned ring_count)
{
	if (!spin(s, turn, rings) && !arm(rings))
		sleep_on(s, turn, rings, ring_count);
}
