/* SPDX-License-Identifier: MIT */
/*
 * The outside that is passt, a user's way out without privileges: a Unix stream socket on which
 * each packet follows its length, four bytes, most significant first. It knows no offloads and no
 * queues. A stream takes and gives what it likes: a packet that is half written is kept until the
 * rest goes, and what is read waits until it is whole. One that goes away is dialled again, at most
 * once a second and when there is something for it. Source: passt(1), and QEMU's -netdev stream,
 * whose framing it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "inbox.h"
#include "outside.h"
#include "tx.h"

#define LENGTH   4u
#define FRAME    18u /* Ethernet header and a VLAN tag */
#define IN_BYTES (4u * (PVR_NETBACK_PARCEL_MAX + LENGTH))
#define IOV_MAX_ 64
#define AGAIN_NS 1000000000ull /* between two tries to reach one that is gone */
#define LINES    10u           /* of the log, for one that comes and goes */
/* There is room when nothing waits; then all packets of a batch find room here (tx.h). */
#define OUT_BYTES (PVR_NETBACK_TX_SLOTS * (4096u + LENGTH))

struct passt {
	struct pvr_netback_outside outside;
	struct sockaddr_un address;
	unsigned domid, devid, mtu;
	int fd;           /* -1: it is gone */
	uint64_t dialled; /* when */
	unsigned said;    /* lines */
	size_t out, sent; /* bytes in `rest`, and how many of them are gone */
	size_t in, taken; /* bytes in `bytes`, and how many of them were read */
	uint8_t rest[OUT_BYTES];
	uint8_t bytes[IN_BYTES];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(struct passt *passt, const char *what)
{
	if (passt->said++ < LINES)
		fprintf(stderr, "pvring netback: vif %u/%u: passt: %s: %s\n", passt->domid,
			passt->devid, passt->address.sun_path, what);
}

static int dial(struct passt *passt)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result;

	passt->dialled = now_ns();
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&passt->address, sizeof(passt->address))) {
		result = -errno;
		close(fd);
		return result;
	}
	passt->fd = fd;
	passt->out = passt->sent = passt->in = passt->taken = 0;
	return 0;
}

/* What was half sent or half received means nothing to the next one. */
static int hang_up(struct passt *passt, int result)
{
	if (passt->fd >= 0)
		close(passt->fd);
	if (passt->fd >= 0 && result)
		say(passt, result == -EPROTO ? "a packet of an impossible length" : "it is gone");
	passt->fd = -1;
	passt->out = passt->sent = passt->in = passt->taken = 0;
	return result;
}

/* 0 when it is back. */
static int dial_again(struct passt *passt)
{
	if (now_ns() - passt->dialled < AGAIN_NS || dial(passt))
		return -ENOTCONN;
	say(passt, "it is back");
	return 0;
}

static int passt_open(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
	char error[PVR_NETBACK_LINE])
{
	struct passt *passt;
	int result;

	if (!spec->params || *spec->params != '/' ||
		strlen(spec->params) >= sizeof(passt->address.sun_path)) {
		snprintf(error, PVR_NETBACK_LINE,
			"params: no absolute path of passt's socket, or too long");
		return -EINVAL;
	}
	passt = calloc(1, sizeof(*passt));
	if (!passt) {
		snprintf(error, PVR_NETBACK_LINE, "out of memory");
		return -ENOMEM;
	}
	passt->outside.ops = &pvr_netback_outside_passt;
	passt->outside.queues_max = 1;
	passt->address.sun_family = AF_UNIX;
	strcpy(passt->address.sun_path, spec->params);
	passt->domid = spec->domid;
	passt->devid = spec->devid;
	passt->mtu = spec->mtu;
	result = dial(passt);
	if (result) {
		snprintf(error, PVR_NETBACK_LINE, "passt: %s: %s", spec->params, strerror(-result));
		free(passt);
		return result;
	}
	*outside = &passt->outside;
	return 0;
}

static void passt_close(struct pvr_netback_outside *outside)
{
	hang_up((struct passt *)outside, 0);
	free(outside);
}

/* One that is gone may be back by now. */
static int passt_connect(struct pvr_netback_outside *outside, unsigned queues, unsigned gives)
{
	struct passt *passt = (struct passt *)outside;

	(void)queues;
	(void)gives;
	outside->packet_max = passt->mtu + FRAME;
	return passt->fd < 0 ? dial(passt) : 0;
}

static void passt_disconnect(struct pvr_netback_outside *outside)
{
	(void)outside;
}

/* ---- to passt ---- */

/* Sends what is left of the last packet: 0 when it is gone. */
static int flush(struct passt *passt)
{
	while (passt->sent < passt->out) {
		ssize_t n = send(passt->fd, passt->rest + passt->sent, passt->out - passt->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EAGAIN : hang_up(passt, -errno);
		passt->sent += (size_t)n;
	}
	passt->out = passt->sent = 0;
	return 0;
}

/* Keeps what follows the first `sent` bytes. */
static void keep(struct passt *passt, const struct iovec *iov, int count, size_t sent)
{
	for (int i = 0; i < count; i++) {
		size_t length = iov[i].iov_len, skip = sent < length ? sent : length;

		memcpy(passt->rest + passt->out, (const uint8_t *)iov[i].iov_base + skip,
			length - skip);
		passt->out += length - skip;
		sent -= skip;
	}
}

static int passt_write(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	struct passt *passt = (struct passt *)outside;
	struct iovec frame[IOV_MAX_];
	struct msghdr message = {.msg_iov = frame, .msg_iovlen = (size_t)count};
	size_t bytes = 0;
	uint32_t length;
	ssize_t sent;

	(void)queue;
	if (passt->fd < 0 && dial_again(passt))
		return -ENOTCONN;
	memcpy(frame, iov, (size_t)count * sizeof(*iov));
	for (int i = 1; i < count; i++)
		bytes += iov[i].iov_len;
	length = htonl((uint32_t)bytes);
	frame[0] = (struct iovec){&length, LENGTH}; /* instead of the virtio_net header */
	if (bytes + LENGTH > OUT_BYTES - passt->out)
		return -ENOBUFS;
	/* Behind what waits already, if there is such. */
	sent = passt->out ? 0 : sendmsg(passt->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return hang_up(passt, -errno);
	keep(passt, frame, count, sent < 0 ? 0 : (size_t)sent);
	return 0;
}

static int passt_room(struct pvr_netback_outside *outside, unsigned queue)
{
	struct passt *passt = (struct passt *)outside;

	(void)queue;
	return passt->fd < 0 || flush(passt) != -EAGAIN;
}

/* ---- from passt ---- */

/* Bytes of the packet that stands first, or -EAGAIN: it is not whole. */
static ssize_t first_packet(const struct passt *passt)
{
	size_t have = passt->in - passt->taken;
	uint32_t length;

	if (have < LENGTH)
		return -EAGAIN;
	memcpy(&length, passt->bytes + passt->taken, LENGTH);
	length = ntohl(length);
	if (length > PVR_NETBACK_PARCEL_MAX)
		return -EPROTO;
	return have - LENGTH >= length ? (ssize_t)length : -EAGAIN;
}

static int receive(struct passt *passt)
{
	ssize_t n;

	memmove(passt->bytes, passt->bytes + passt->taken, passt->in - passt->taken);
	passt->in -= passt->taken;
	passt->taken = 0;
	do {
		n = recv(passt->fd, passt->bytes + passt->in, IN_BYTES - passt->in, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		return hang_up(passt, -ENOTCONN);
	passt->in += (size_t)n;
	return 0;
}

static ssize_t passt_read(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	struct passt *passt = (struct passt *)outside;
	const uint8_t *from;
	ssize_t length;
	size_t done = 0;
	int result;

	(void)queue;
	if (passt->fd < 0)
		return -ENOTCONN;
	length = first_packet(passt);
	if (length == -EAGAIN) {
		result = receive(passt);
		length = result ? result : first_packet(passt);
	}
	if (length < 0)
		return length == -EPROTO ? hang_up(passt, -EPROTO) : length;
	from = passt->bytes + passt->taken + LENGTH;
	memset(iov[0].iov_base, 0, iov[0].iov_len);
	for (int i = 1; i < count && done < (size_t)length; i++) {
		size_t part = (size_t)length - done;

		if (part > iov[i].iov_len)
			part = iov[i].iov_len;
		memcpy(iov[i].iov_base, from + done, part);
		done += part;
	}
	passt->taken += LENGTH + (size_t)length;
	return (ssize_t)iov[0].iov_len + length;
}

static int passt_fd(struct pvr_netback_outside *outside, unsigned queue)
{
	(void)queue;
	return ((const struct passt *)outside)->fd;
}

static int passt_ready(struct pvr_netback_outside *outside, unsigned queue)
{
	(void)queue;
	return first_packet((const struct passt *)outside) != -EAGAIN;
}

const struct pvr_netback_outside_ops pvr_netback_outside_passt = {
	.type = "passt",
	.open = passt_open,
	.close = passt_close,
	.connect = passt_connect,
	.disconnect = passt_disconnect,
	.write = passt_write,
	.read = passt_read,
	.fd = passt_fd,
	.room = passt_room,
	.ready = passt_ready,
};
