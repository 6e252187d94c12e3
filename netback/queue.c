/* SPDX-License-Identifier: MIT */
/* A queue as its worker sees it: it comes, has turns, tells what it waits for, and goes. See
 * queue.h. */
#include "queue.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ctrl.h"
#include "outside.h"

#define PAGE 4096u

enum { TX, RX, CONTROL };

int pvr_netback_queue_break(struct pvr_netback_queue *queue, const char *error)
{
	queue->error = error;
	return -EPROTO;
}

/* ---- it comes and goes ---- */

struct pvr_netback_queue *pvr_netback_queue_create(
	struct pvr_netback_vif *vif, unsigned index, const struct pvr_netback_offer *offer)
{
	struct pvr_netback_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->vif = vif;
	queue->index = index;
	queue->offer = *offer;
	queue->both_fd = -1;
	if (pvr_netback_inbox_init(&queue->inbox)) {
		free(queue);
		return NULL;
	}
	if (pvr_netback_rx_init(queue)) {
		pvr_netback_inbox_end(&queue->inbox);
		free(queue);
		return NULL;
	}
	queue->journal = pvr_netback_journal_open(queue);
	if (!queue->journal) {
		free(queue->rx.bounce);
		pvr_netback_inbox_end(&queue->inbox);
		free(queue);
		return NULL;
	}
	pthread_mutex_init(&queue->lock, NULL);
	pvr_netback_statics_init(&queue->statics);
	pvr_netback_credit_init(&queue->tx.credit, vif->spec.credit_bytes, vif->spec.credit_us);
	vif->queue[index] = queue;
	return queue;
}

void pvr_netback_queue_destroy(struct pvr_netback_queue *queue)
{
	if (!queue)
		return;
	queue->vif->queue[queue->index] = NULL;
	if (queue->both_fd >= 0)
		close(queue->both_fd);
	pthread_mutex_destroy(&queue->lock);
	pvr_netback_inbox_end(&queue->inbox);
	pvr_netback_journal_close(queue->journal, queue->vif->journal.dir, queue->host != NULL);
	free(queue->rx.bounce);
	free(queue);
}

static int map_ring(struct pvr_netback_queue *queue, struct pvr_host *host, grant_ref_t ref,
	uint32_t entries, struct pvr_host_area *area, struct pvr_ring *ring)
{
	int16_t status;
	int result = pvr_host_map_area(host, queue->vif->spec.domid, &ref, 1, area, &status);

	if (result) {
		queue->error = "cannot map a ring: tx-ring-ref or rx-ring-ref is not granted";
		return result;
	}
	result = pvr_ring_back_attach(ring, area->address, entries);
	if (result) {
		queue->error = "a ring's indices are impossible";
		pvr_host_unmap_area(host, area);
	}
	return result;
}

static int bind(struct pvr_netback_queue *queue, struct pvr_host *host, unsigned which,
	evtchn_port_t remote)
{
	int port = pvr_host_evtchn_bind(host, queue->vif->spec.domid, remote);

	if (port < 0) {
		queue->error = "cannot bind an event channel";
		return port;
	}
	queue->ports[which] = (evtchn_port_t)port;
	return 0;
}

static void unbind(struct pvr_netback_queue *queue, struct pvr_host *host)
{
	for (unsigned i = 0; i < 3; i++) {
		if (queue->ports[i])
			pvr_host_evtchn_unbind(host, queue->ports[i]);
		queue->ports[i] = 0;
	}
}

static int bind_all(struct pvr_netback_queue *queue, struct pvr_host *host)
{
	const struct pvr_netback_offer *offer = &queue->offer;
	int result = bind(queue, host, TX, offer->tx_port);

	if (!result && offer->rx_port != offer->tx_port)
		result = bind(queue, host, RX, offer->rx_port);
	if (!result && queue->index == 0 && queue->vif->ctrl)
		result = pvr_netback_ctrl_connect(queue, host, &queue->ports[CONTROL]);
	if (result)
		unbind(queue, host);
	return result;
}

int pvr_netback_queue_connect(struct pvr_netback_queue *queue, struct pvr_host *host)
{
	struct pvr_netback_tx *tx = &queue->tx;
	struct pvr_netback_rx *rx = &queue->rx;
	int result = map_ring(queue, host, queue->offer.tx_ref, pvr_netback_tx_entries(PAGE),
		&tx->area, &tx->ring);

	if (result)
		return result;
	result = map_ring(queue, host, queue->offer.rx_ref, pvr_netback_rx_entries(PAGE), &rx->area,
		&rx->ring);
	if (result)
		goto unmap_tx;
	result = pvr_netback_journal_start(queue, &queue->rewound);
	if (result)
		queue->error = "the rings are not as the journal of their last backend has them";
	else
		result = bind_all(queue, host);
	if (result)
		goto unmap_rx;
	queue->host = host;
	if (queue->vif->journal.again) {
		/* Events for the last answers may have died with who published them. */
		pvr_host_evtchn_notify(host, queue->ports[TX]);
		if (queue->ports[RX])
			pvr_host_evtchn_notify(host, queue->ports[RX]);
	}
	return 0;

unmap_rx:
	pvr_host_unmap_area(host, &rx->area);
unmap_tx:
	pvr_host_unmap_area(host, &tx->area);
	return result;
}

void pvr_netback_queue_disconnect(struct pvr_netback_queue *queue)
{
	struct pvr_host *host = queue->host;

	if (queue->index == 0)
		atomic_store_explicit(&queue->vif->closing, 1, memory_order_relaxed);
	pthread_mutex_lock(&queue->lock);
	pvr_netback_rx_end(queue);
	pthread_mutex_unlock(&queue->lock);
	if (queue->index == 0 && queue->vif->ctrl)
		pvr_netback_ctrl_disconnect(queue);
	pvr_netback_queue_publish(queue);
	unbind(queue, host);
	pvr_host_unmap_area(host, &queue->rx.area);
	pvr_host_unmap_area(host, &queue->tx.area);
	queue->host = NULL;
}

/* ---- a turn ---- */

/* Pairs with the queue's lock: closing is set before the pages go, which takes the lock. */
static int closing(const struct pvr_netback_queue *queue)
{
	return atomic_load_explicit(&queue->vif->closing, memory_order_relaxed);
}

static int has_control(const struct pvr_netback_queue *queue)
{
	return queue->index == 0 && queue->vif->ctrl;
}

int pvr_netback_queue_turn(struct pvr_netback_queue *queue, uint64_t now_ns)
{
	int work = has_control(queue) ? pvr_netback_ctrl_turn(queue) : 0;
	int tx = 0, rx = 0;

	if (work < 0)
		return work;
	pthread_mutex_lock(&queue->lock);
	if (!closing(queue)) {
		tx = pvr_netback_tx_turn(queue, now_ns);
		rx = tx < 0 ? 0 : pvr_netback_rx_turn(queue, now_ns);
	}
	pthread_mutex_unlock(&queue->lock);
	if (tx < 0 || rx < 0)
		return -EPROTO;
	return work + tx + rx;
}

/* The counters stand in a row, so that none can be forgotten here. */
static void add_counts(struct pvr_netback_queue *queue)
{
	_Atomic uint64_t *to = &queue->vif->stats->tx_packets, *from = &queue->counts.tx_packets;
	size_t count = (offsetof(struct pvr_netback_stats, queues) -
			       offsetof(struct pvr_netback_stats, tx_packets)) /
		       sizeof(*to);

	for (size_t i = 0; i < count; i++) {
		uint64_t n = atomic_load_explicit(&from[i], memory_order_relaxed);

		if (!n)
			continue;
		atomic_fetch_add_explicit(&to[i], n, memory_order_relaxed);
		atomic_store_explicit(&from[i], 0, memory_order_relaxed);
	}
	queue->counted = 0;
}

void pvr_netback_queue_publish(struct pvr_netback_queue *queue)
{
	int tx = pvr_ring_publish_notify(&queue->tx.ring);
	int rx = pvr_ring_publish_notify(&queue->rx.ring);
	int split = queue->ports[RX] != 0;

	if (tx || (rx && !split))
		pvr_host_evtchn_notify(queue->host, queue->ports[TX]);
	if (rx && split)
		pvr_host_evtchn_notify(queue->host, queue->ports[RX]);
	if (tx || rx)
		pvr_netback_count(queue, &queue->counts.events_out, tx && rx && split ? 2 : 1);
	if (queue->counted)
		add_counts(queue);
}

/* ---- waiting ---- */

static int outside_ready(struct pvr_netback_queue *queue)
{
	struct pvr_netback_outside *outside = queue->vif->outside;

	if (atomic_load_explicit(&queue->inbox.used, memory_order_relaxed))
		return 1;
	return outside->ops->ready && outside->ops->ready(outside, queue->index);
}

int pvr_netback_queue_pending(struct pvr_netback_queue *queue)
{
	if (has_control(queue) && pvr_ring_pending(&queue->vif->ctrl->ring))
		return 1;
	if (closing(queue))
		return 0;
	if (pvr_netback_tx_open(queue) && pvr_ring_pending(&queue->tx.ring))
		return 1;
	if (pvr_netback_rx_wants_buffers(queue) && pvr_ring_pending(&queue->rx.ring))
		return 1;
	return pvr_netback_rx_open(queue) && outside_ready(queue);
}

int pvr_netback_queue_arm(struct pvr_netback_queue *queue)
{
	if (has_control(queue) && pvr_ring_final_check(&queue->vif->ctrl->ring))
		return 1;
	if (closing(queue))
		return 0;
	if (pvr_netback_tx_open(queue) && pvr_ring_final_check(&queue->tx.ring))
		return 1;
	if (pvr_netback_rx_wants_buffers(queue) && pvr_ring_final_check(&queue->rx.ring))
		return 1;
	return pvr_netback_rx_open(queue) && outside_ready(queue);
}

uint64_t pvr_netback_queue_due(const struct pvr_netback_queue *queue)
{
	uint64_t rx = pvr_netback_rx_due(queue), tx = queue->tx.wait_until;

	if (closing(queue))
		return UINT64_MAX;
	return tx && tx < rx ? tx : rx;
}

/* Both the outside and the inbox; made when hashing first needs it. */
static int both_fd(struct pvr_netback_queue *queue, int outside_fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (queue->both_fd >= 0)
		return queue->both_fd;
	queue->both_fd = epoll_create1(EPOLL_CLOEXEC);
	if (queue->both_fd < 0 || epoll_ctl(queue->both_fd, EPOLL_CTL_ADD, outside_fd, &event) ||
		epoll_ctl(queue->both_fd, EPOLL_CTL_ADD, queue->inbox.fd, &event))
		return outside_fd;
	return queue->both_fd;
}

int pvr_netback_queue_fd(struct pvr_netback_queue *queue, short *events)
{
	struct pvr_netback_outside *outside = queue->vif->outside;
	int fd = outside->ops->fd ? outside->ops->fd(outside, queue->index) : -1;
	int steered = queue->vif->ctrl && queue->vif->facts.queues > 1;

	*events = 0;
	if (closing(queue))
		return -1;
	if (pvr_netback_rx_open(queue))
		*events |= POLLIN;
	if (queue->tx.blocked)
		*events |= POLLOUT;
	if (!*events)
		return -1;
	if (!steered || !(*events & POLLIN))
		return fd;
	return fd < 0 ? queue->inbox.fd : both_fd(queue, fd);
}
