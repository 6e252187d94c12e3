/* SPDX-License-Identifier: MIT */
/* What the backends in the test process have in common. See peer.h. */
#include "peer.h"
#include "mock_port.h"
#include "mock_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer peer;

static long number(const char *directory, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return mock_xs_number(path);
}

void peer_node(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", peer.kind->back, name);
	if (value)
		mock_xs_write(path, value);
	else
		mock_xs_rm(path);
}

/*
 * A front that is Connected when the backend comes to InitWait has the rings of the last one, until its state is written
 * again.
 */
void peer_state(enum xenbus_state state)
{
	if (state == XenbusStateInitWait) {
		pthread_mutex_lock(&peer.lock);
		peer.connected = 0;
		peer.fresh = number(peer.kind->front, "state") != XenbusStateConnected;
		peer.front_events = mock_xs_events();
		pthread_mutex_unlock(&peer.lock);
	}
	peer_node("state", (const char[]){(char)('0' + state), '\0'});
}

long peer_front(unsigned queue, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "queue-%u/%s", queue, name);
	return number(peer.kind->front, peer.queues > 1 ? path : name);
}

/* ---- pages ---- */

void *peer_map(grant_ref_t ref, int write)
{
	void *page = ref < PEER_REFS ? mock_grant_map(ref, 0, write) : NULL;

	if (page && !peer.mapped[ref])
		peer.mapped[ref] = 1;
	return page;
}

void peer_unmap(grant_ref_t ref)
{
	if (ref >= PEER_REFS || peer.mapped[ref] != 1)
		return;
	mock_grant_unmap(ref);
	peer.mapped[ref] = 0;
}

void peer_kill(void)
{
	pthread_mutex_lock(&peer.lock);
	for (unsigned i = 0; i < PEER_REFS; i++)
		if (peer.mapped[i]) {
			mock_grant_unmap(i);
			peer.mapped[i] = 0;
		}
	peer.connected = 0;
	pthread_mutex_unlock(&peer.lock);
}

/* ---- requests ---- */

static int serve(unsigned queue)
{
	struct pvr_ring *ring;
	evtchn_port_t port;
	int total = 0, n = 0, notify = 0;

	pthread_mutex_lock(&peer.lock);
	ring = peer.queue[queue].ring;
	port = peer.queue[queue].port;
	if (peer.connected && queue < peer.queues)
		do {
			for (; (n = pvr_ring_pending(ring)) > 0; total++)
				peer.kind->serve(queue);
			notify |= pvr_ring_publish_notify(ring);
		} while (n == 0 && pvr_ring_final_check(ring) > 0);
	pthread_mutex_unlock(&peer.lock);
	if (notify)
		mock_raise(port);
	return n < 0 ? n : total;
}

int peer_serve(void)
{
	int total = 0;

	for (unsigned i = 0; i < PEER_QUEUES; i++) {
		int n = serve(i);

		if (n < 0)
			return n;
		total += n;
	}
	return total;
}

static void on_event(void *queue)
{
	if (!peer.manual)
		serve((unsigned)(uintptr_t)queue);
}

/* ---- states ---- */

static void connect(void)
{
	long queues = number(peer.kind->front, "multi-queue-num-queues");
	int is_first;

	if (queues > (long)PEER_QUEUES)
		abort();
	pthread_mutex_lock(&peer.lock);
	is_first = !peer.connected; /* of the threads that saw the offer */
	if (is_first) {
		peer.queues = queues < 1 ? 1 : (unsigned)queues;
		peer.kind->connect();
		for (uintptr_t i = 0; i < peer.queues; i++)
			mock_on_send(peer.queue[i].port, on_event, (void *)i);
		peer.connected = 1;
		peer.connects++;
	}
	pthread_mutex_unlock(&peer.lock);
	if (is_first)
		peer_state(XenbusStateConnected);
}

static void on_request(void *arg)
{
	long front = number(peer.kind->front, "state"), back = number(peer.kind->back, "state");
	int fresh;

	(void)arg;
	pthread_mutex_lock(&peer.lock);
	if (front != XenbusStateConnected || mock_xs_events() != peer.front_events)
		peer.fresh = 1;
	fresh = peer.fresh;
	pthread_mutex_unlock(&peer.lock);
	if (peer.deaf)
		return;
	if (front == XenbusStateInitialising && back == XenbusStateClosed)
		peer_state(XenbusStateInitWait);
	if (front == (long)peer.kind->offered && back == XenbusStateInitWait && fresh)
		connect();
	if ((front != XenbusStateClosing && front != XenbusStateClosed) || back == -1 ||
		back == XenbusStateClosed)
		return;
	if (front == XenbusStateClosed)
		peer_kill();
	if (back != front)
		peer_state((enum xenbus_state)front);
}

void peer_begin(const struct peer_kind *kind)
{
	char path[128];

	mock_start_with_xs();
	peer = (struct peer){.kind = kind, .lock = PTHREAD_MUTEX_INITIALIZER};
	mock_xs_mkdir(kind->back, "n0,r7");
	snprintf(path, sizeof(path), "%s/backend", kind->front);
	mock_xs_write(path, kind->back);
	snprintf(path, sizeof(path), "%s/backend-id", kind->front);
	mock_xs_write(path, "0");
	snprintf(path, sizeof(path), "%s/state", kind->front);
	mock_xs_write(path, "1");
	mock_xs_watch(path);
	mock_xs_on_request(on_request, NULL);
}
