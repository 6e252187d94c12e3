/* SPDX-License-Identifier: MIT */
/*
 * How the owner of a queue waits for its backend: it polls for a while when that has paid lately, and
 * then sleeps on the event channels, in slices, because nobody promises to tell of a backend's death.
 */
#include "frontend.h"

#include <errno.h>

#define SPIN_MAX_NS   50000ull
#define SPIN_FIRST_NS 5000ull

/* Polls between two looks at the clock. */
#define SPIN_BATCH 32

/* The longest sleep in one piece: how late a change of the backend's state may be noticed. */
#define SLICE_NS 250000000ull

/* The same while there is no backend, for answers that one which is closing still gives. */
#define LOST_SLICE_NS 20000000ull

static int has_moved(const struct pvr_front_look *looks, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (atomic_load_explicit(looks[i].ring->in_prod, memory_order_relaxed) !=
			looks[i].cons)
			return 1;
	return 0;
}

int pvr_front_spin(
	const struct pvr_front_look *looks, unsigned count, uint64_t spin_ns, uint64_t deadline_ns)
{
	uint64_t now, until;

	/* With one vCPU the backend's answer cannot come while we hold the CPU. */
	if (!spin_ns || pvr_boot_facts.vcpus == 1)
		return 0;
	now = pvr_port_now_ns();
	until = now + spin_ns;
	if (until > deadline_ns)
		return 0;
	do {
		for (int i = 0; i < SPIN_BATCH; i++) {
			if (has_moved(looks, count))
				return 1;
			pvr_cpu_relax();
		}
	} while (pvr_port_now_ns() < until);
	return 0;
}

void pvr_front_spin_learn(uint64_t *spin_ns, uint64_t waited_ns)
{
	if (waited_ns > SPIN_MAX_NS)
		*spin_ns = *spin_ns > SPIN_FIRST_NS ? *spin_ns / 2 : 0;
	else if (waited_ns > *spin_ns)
		*spin_ns = *spin_ns ? *spin_ns * 2 : SPIN_FIRST_NS;
	if (*spin_ns > SPIN_MAX_NS)
		*spin_ns = SPIN_MAX_NS;
}

int pvr_front_has_news(const struct pvr_front *front, uint32_t version)
{
	pvr_store_pump();
	return pvr_store_is_broken() ||
	       atomic_load_explicit(&front->bus.watch.fired, memory_order_acquire) !=
		       atomic_load_explicit(&front->watch_seen, memory_order_relaxed) ||
	       (pvr_front_life(front) == PVR_FRONT_LIVE && pvr_front_version(front) != version);
}

/* The hypervisor closes the other end when its owner dies; some do not tell, and the store will. */
static int is_peer_gone(evtchn_port_t port)
{
	struct evtchn_status status = {.dom = DOMID_SELF, .port = port};

	return !pvr_port_hypercall(
		       __HYPERVISOR_event_channel_op, EVTCHNOP_status, (unsigned long)&status, 0) &&
	       status.status == EVTCHNSTAT_unbound;
}

int pvr_front_sleep(struct pvr_front *front, const evtchn_port_t *ports, unsigned count,
	int expects, uint64_t deadline_ns)
{
	uint64_t slice = pvr_port_now_ns();
	int r;

	/* Without a backend it is the store that has news. */
	if (pvr_front_life(front) == PVR_FRONT_LOST) {
		slice += LOST_SLICE_NS;
		return pvr_store_wait(&front->bus.watch,
			atomic_load_explicit(&front->watch_seen, memory_order_relaxed),
			slice < deadline_ns ? slice : deadline_ns);
	}
	slice += SLICE_NS;
	r = pvr_evtchn_wait_any(ports, count, slice < deadline_ns ? slice : deadline_ns);
	if (r == -ETIMEDOUT && expects && is_peer_gone(ports[0]))
		pvr_front_peer_gone(front);
	return r;
}
