/* SPDX-License-Identifier: MIT */
/*
 * One queue between a TAP in the guest's network namespace and netfront. A packet is read from the TAP into pages that
 * the frontend lends and written to it from pages that the frontend received in: nothing is copied here but by
 * those two system calls.
 *
 * Nothing waits for room in vain: while the ring is full, or the backend away, packets wait in the TAP's own queue.
 */
#include "net.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pvring/port.h>
#include <pvring/process.h>

#include "../netback/headers.h"

#define BATCH   64
#define TURNS   64  /* without a look at whether it is time to end */
#define LOOK_MS 250 /* netfront.h: the backend's state, four times a second */
/*
 * The command has ended, but what it said last may be on its way, and its sockets' goodbyes too: a peer that never
 * hears them waits for a dead one. So a queue ends when it was quiet for a while, or after a longer one.
 */
#define QUIET_MS     20
#define LINGER_NS    500000000ull
#define PACKET_MAX   65535u
#define PACKET_PAGES ((PACKET_MAX + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE)

/* ---- towards the guest ---- */

/* Where the checksum of a packet's TCP or UDP is, by its first slice: 0, or -EINVAL for no packet of that kind. */
static int locate(const struct pvr_net_packet *packet, uint16_t *start, uint16_t *offset)
{
	const struct pvr_net_slice *head = &packet->slice[0];
	struct pvr_netback_headers at;
	size_t place;

	pvr_netback_headers_parse(head->address, head->length, &at);
	place = at.l4 && !at.fragment ? pvr_netback_headers_csum(&at, head->length) : 0;
	*start = at.l4;
	*offset = (uint16_t)(place - at.l4);
	return place ? 0 : -EINVAL;
}

/*
 * The checksum that the guest's kernel, or the next one, is to complete, and the segments it is to make: 0, or
 * -EINVAL. That kernel does not trust what is said here. With static grants the backend may write the page meanwhile.
 */
static int blank_header(const struct pvr_net_packet *packet, struct virtio_net_hdr *header)
{
	if (locate(packet, &header->csum_start, &header->csum_offset))
		return -EINVAL;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (packet->gso_type == XEN_NETIF_GSO_TYPE_NONE)
		return 0;
	header->gso_type = packet->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
									: VIRTIO_NET_HDR_GSO_TCPV6;
	header->gso_size = packet->gso_size;
	header->hdr_len = (uint16_t)(header->csum_start + 20);
	return 0;
}

static void received(
	void *user, struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	struct net_queue *q = (struct net_queue *)user + pvr_netfront_queue_index(queue);
	struct virtio_net_hdr header = {0};
	struct iovec iov[1 + PVR_NET_SLICES_MAX] = {{&header, sizeof(header)}};

	if (packet->flags & PVR_NET_CSUM_BLANK || packet->gso_type != XEN_NETIF_GSO_TYPE_NONE) {
		if (blank_header(packet, &header)) {
			q->refused++;
			return;
		}
	} else if (packet->flags & PVR_NET_DATA_VALIDATED) {
		header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	for (uint32_t i = 0; i < packet->count; i++)
		iov[1 + i] = (struct iovec){packet->slice[i].address, packet->slice[i].length};
	if (writev(q->tap, iov, 1 + (int)packet->count) < 0)
		q->refused++;
}

/* ---- from the guest ---- */

static void sent(void *user, struct pvr_netfront_queue *queue, void *token, int error)
{
	struct net_queue *q = (struct net_queue *)user + pvr_netfront_queue_index(queue);
	struct net_flight *flight = token;

	for (unsigned i = 0; i < flight->count && error != -EBUSY; i++)
		pvr_netfront_page_put(queue, flight->page[i]);
	flight->next = q->idle;
	q->idle = flight;
}

const struct pvr_netfront_calls net_queue_calls = {.received = received, .sent = sent};

/* As many pages in hand as the largest packet needs, a flight to send it in, and slots on the ring. */
static int hand_fill(struct net_queue *q, struct pvr_netfront_queue *queue, unsigned want)
{
	if (!q->idle || pvr_netfront_free(queue) < want + 1)
		return 0;
	while (q->pages < want) {
		void *page = pvr_netfront_page_get(queue);

		if (!page)
			return 0;
		q->page[q->pages++] = page;
	}
	return 1;
}

/* What goes without its checksum must be TCP or UDP, where the other half looks for it; any other is completed here. */
static int checksum(struct pvr_net_packet *packet, const struct virtio_net_hdr *header)
{
	struct iovec iov[PVR_NET_SLICES_MAX];
	uint16_t start, offset, sum;
	size_t place = (size_t)header->csum_start + header->csum_offset;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;
	if (!locate(packet, &start, &offset) && start == header->csum_start &&
		offset == header->csum_offset) {
		packet->flags = PVR_NET_CSUM_BLANK;
		return 0;
	}
	if (packet->gso_type != XEN_NETIF_GSO_TYPE_NONE || place + 2 > packet->slice[0].length)
		return -EINVAL;
	for (unsigned i = 0; i < packet->count; i++)
		iov[i] = (struct iovec){packet->slice[i].address, packet->slice[i].length};
	sum = pvr_netback_checksum(iov, (int)packet->count, header->csum_start);
	memcpy((uint8_t *)packet->slice[0].address + place, &sum, sizeof(sum));
	return 0;
}

static int describe(struct net_queue *q, struct pvr_net_packet *packet,
	const struct virtio_net_hdr *header, size_t bytes)
{
	unsigned gso = header->gso_type & (unsigned)~VIRTIO_NET_HDR_GSO_ECN;

	if (bytes > PACKET_MAX)
		return -EINVAL;
	packet->bytes = (uint32_t)bytes;
	packet->flags = 0;
	packet->gso_type = XEN_NETIF_GSO_TYPE_NONE;
	packet->gso_size = 0;
	for (packet->count = 0; bytes; packet->count++) {
		size_t part = bytes < PVR_PAGE_SIZE ? bytes : PVR_PAGE_SIZE;

		packet->slice[packet->count].address = q->page[packet->count];
		packet->slice[packet->count].length = (uint32_t)part;
		bytes -= part;
	}
	if (gso == VIRTIO_NET_HDR_GSO_TCPV4 || gso == VIRTIO_NET_HDR_GSO_TCPV6) {
		packet->gso_type = gso == VIRTIO_NET_HDR_GSO_TCPV4 ? XEN_NETIF_GSO_TYPE_TCPV4
								   : XEN_NETIF_GSO_TYPE_TCPV6;
		packet->gso_size = header->gso_size;
	} else if (gso != VIRTIO_NET_HDR_GSO_NONE) {
		return -EINVAL;
	}
	return checksum(packet, header);
}

/* The pages of the packet leave the hand, in a flight. */
static int launch(
	struct net_queue *q, struct pvr_netfront_queue *queue, struct pvr_net_packet *packet)
{
	struct net_flight *flight = q->idle;
	int rc;

	packet->token = flight;
	flight->count = packet->count;
	for (unsigned i = 0; i < packet->count; i++)
		flight->page[i] = q->page[i];
	q->idle = flight->next; /* `sent` may come before pvr_netfront_send returns */
	rc = pvr_netfront_send(queue, packet);
	if (rc <= 0) {
		flight->next = q->idle;
		q->idle = flight;
		q->refused++;
		return rc == -ENODEV ? rc : 0;
	}
	q->pages -= packet->count;
	for (unsigned i = 0; i < q->pages; i++)
		q->page[i] = q->page[i + packet->count];
	return 0;
}

/* Packets from the TAP to the ring: how many, or a negative errno. q->room: whether there was room to the end. */
static int tap_take(struct net_queue *q, struct pvr_netfront_queue *queue)
{
	unsigned want = pvr_netfront_info(q->net)->sg ? PACKET_PAGES + 1 : 1;
	struct iovec iov[2 + PACKET_PAGES];
	struct virtio_net_hdr header;
	struct pvr_net_packet packet;
	int taken = 0, rc = 0;

	iov[0] = (struct iovec){&header, sizeof(header)};
	for (; taken < BATCH && (q->room = hand_fill(q, queue, want)); taken++) {
		for (unsigned i = 0; i < want; i++)
			iov[1 + i] = (struct iovec){q->page[i], PVR_PAGE_SIZE};

		ssize_t bytes = readv(q->tap, iov, 1 + (int)want);

		if (bytes < 0 && errno != EAGAIN && errno != EINTR)
			rc = -errno;
		if (bytes < 0)
			break;
		if (bytes < (ssize_t)sizeof(header) ||
			describe(q, &packet, &header, (size_t)bytes - sizeof(header)))
			q->refused++;
		else
			rc = launch(q, queue, &packet);
		if (rc)
			break;
	}
	if (taken)
		pvr_netfront_kick(queue);
	return rc ? rc : taken;
}

/* ---- both ---- */

/* What the guest's kernel may leave to others, as the frontend negotiated it; again after each new backend. */
static void offload_renew(struct net_queue *q)
{
	const struct pvr_netfront_info *info = pvr_netfront_info(q->net);
	uint32_t offload = 0;

	if (info->csum4 && info->csum6)
		offload =
			TUN_F_CSUM | (info->gso4 ? TUN_F_TSO4 : 0) | (info->gso6 ? TUN_F_TSO6 : 0);
	if (offload != q->offload && !ioctl(q->tap, TUNSETOFFLOAD, offload))
		q->offload = offload;
}

/* Told to end: from now on it ends when it is quiet, or at the deadline. */
static void begin_end(struct net_queue *q)
{
	q->deadline = pvr_port_now_ns() + LINGER_NS;
	q->stop = -1;
}

/* Sleep until the TAP, an event channel or the end has something; not with work left. Nonzero: it is over. */
static int sleep_for_work(struct net_queue *q, struct pvr_netfront_queue *queue, int busy)
{
	struct pollfd fds[4] = {
		{.fd = q->stop, .events = POLLIN}, {.fd = q->room ? q->tap : -1, .events = POLLIN}};
	evtchn_port_t ports[2];

	pvr_netfront_ports(queue, ports);
	for (unsigned i = 0; i < 2; i++)
		fds[2 + i] = (struct pollfd){
			.fd = ports[i] ? pvr_process_evtchn_fd(ports[i]) : -1, .events = POLLIN};
	if (poll(fds, 4, busy ? 0 : q->deadline ? QUIET_MS : LOOK_MS) <= 0)
		return q->deadline && (!busy || pvr_port_now_ns() > q->deadline);
	for (unsigned i = 0; i < 2; i++)
		if (fds[2 + i].revents)
			pvr_process_evtchn_drain(ports[i]);
	if (fds[0].revents)
		begin_end(q);
	return q->deadline && pvr_port_now_ns() > q->deadline;
}

static int flights_make(struct net_queue *q, unsigned count)
{
	q->flights = calloc(count, sizeof(*q->flights));
	for (unsigned i = 0; q->flights && i < count; i++) {
		q->flights[i].next = q->idle;
		q->idle = &q->flights[i];
	}
	return q->flights ? 0 : -ENOMEM;
}

int net_queue_run(struct net_queue *q)
{
	struct pvr_netfront_queue *queue = pvr_netfront_queue(q->net, q->index);
	int rc = flights_make(q, pvr_netfront_info(q->net)->entries);

	for (unsigned turn = 1; !rc; turn++) {
		int got = pvr_netfront_poll(queue, BATCH);
		int taken = got < 0 ? got : tap_take(q, queue), busy;

		if (taken < 0) {
			rc = taken;
			break;
		}
		if (!q->index)
			offload_renew(q);
		busy = got >= BATCH || taken == BATCH || pvr_netfront_arm(queue);
		if (busy && turn % TURNS)
			continue;
		if (sleep_for_work(q, queue, busy))
			break;
	}
	while (q->pages)
		pvr_netfront_page_put(queue, q->page[--q->pages]);
	q->error = rc;
	return rc;
}
