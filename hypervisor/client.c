/* SPDX-License-Identifier: MIT */
/*
 * Connections on the control socket: who they are, one request at a time, and what is released when
 * they end. A client that sends nonsense or does not read its replies loses its connection.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv.h"

/* Linux 6.5; the value is that of asm-generic/socket.h, which older headers lack. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static int limits_check(const struct hv *hv, const struct ucred *who, int privileged)
{
	unsigned same = 0;
	struct hv_client *c;

	if (hv->client_count >= HV_CLIENTS_MAX)
		return -EMFILE;
	if (privileged)
		return 0;
	TAILQ_FOREACH(c, &hv->clients, entry)
	same += c->uid == who->uid;
	return same < HV_CLIENTS_UID_MAX && hv->guest_client_count < HV_CLIENTS_GUEST_MAX ? 0
											  : -EMFILE;
}

static int reply_send(struct hv_client *client, uint32_t op, int64_t result, struct hv_reply *reply)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PVR_HV_FDS_MAX * sizeof(int))];
	} room = {0};
	struct pvr_hv_msg head = {.op = op, .length = (uint32_t)reply->length, .result = result};
	struct iovec parts[2] = {{&head, sizeof(head)}, {reply->data, reply->length}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};

	if (reply->fds_count) {
		size_t bytes = reply->fds_count * sizeof(int);

		msg.msg_control = room.bytes;
		msg.msg_controllen = CMSG_SPACE(bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(c), reply->fds, bytes);
	}
	return sendmsg(client->source.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void client_event(struct hv_source *source, uint32_t events)
{
	/* One thread, one request at a time: the buffers can be shared by all. */
	static _Alignas(16) uint8_t in[sizeof(struct pvr_hv_msg) + PVR_HV_DATA_MAX];
	static _Alignas(16) uint8_t out[PVR_HV_DATA_MAX];
	struct hv_client *client = container_of(source, struct hv_client, source);
	struct iovec part = {in, sizeof(in)};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	struct hv_reply reply = {.data = out};
	struct pvr_hv_msg head;
	ssize_t n = recvmsg(source->fd, &msg, MSG_DONTWAIT);
	int err;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hv_client_drop(client);
		return;
	}
	if ((size_t)n >= sizeof(head))
		memcpy(&head, in, sizeof(head));
	if ((size_t)n < sizeof(head) || (msg.msg_flags & MSG_TRUNC) || head.result != 0 ||
		head.length != (size_t)n - sizeof(head)) {
		hv_log("client %u (pid %d): a malformed message of %zd bytes, disconnected",
			client->number, (int)client->pid, n);
		hv_client_drop(client);
		return;
	}
	int64_t result =
		hv_control_request(client, head.op, in + sizeof(head), head.length, &reply);

	if (result < 0)
		reply.fds_count = 0;
	err = reply_send(client, head.op, result, &reply);
	if (err) {
		if (err != -EPIPE && err != -ECONNRESET)
			hv_log("client %u (pid %d): cannot take its reply, disconnected: %s",
				client->number, (int)client->pid, strerror(-err));
		hv_client_drop(client);
	}
}

static uint32_t client_number(struct hv *hv)
{
	struct hv_client *c;

	do {
		if (++hv->last_client < HV_CLIENT_FIRST)
			hv->last_client = HV_CLIENT_FIRST;
		TAILQ_FOREACH(c, &hv->clients, entry)
		if (c->number == hv->last_client)
			break;
	} while (c);
	return hv->last_client;
}

int hv_client_new(struct hv *hv, int fd)
{
	struct ucred who;
	socklen_t length = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length))
		return -errno;
	int privileged = who.uid == 0 || who.uid == geteuid();
	int err = limits_check(hv, &who, privileged);

	if (err)
		return err;
	struct hv_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->hv = hv;
	client->source = (struct hv_source){client_event, -1};
	client->death.fd = client->maptrack_fd = -1;
	client->number = client_number(hv);
	client->uid = who.uid;
	client->pid = who.pid;
	client->privileged = privileged;
	err = hv_source_add(hv, &client->source, fd, EPOLLIN);
	if (err) {
		free(client);
		return err;
	}
	TAILQ_INSERT_TAIL(&hv->clients, client, entry);
	hv->client_count++;
	hv->guest_client_count += !privileged;
	return 0;
}

void hv_client_accept(struct hv_source *source, uint32_t events)
{
	(void)events;
	hv_accept(container_of(source, struct hv, control), source->fd, "a client", hv_client_new);
}

static void client_died(struct hv_source *source, uint32_t events)
{
	(void)events;
	hv_client_drop(container_of(source, struct hv_client, death));
}

int hv_client_watch(struct hv_client *client)
{
	int pidfd = -1;
	socklen_t length = sizeof(pidfd);

	/* The pidfd of the socket's peer cannot be somebody else's; a pid could be, by now. */
	if (getsockopt(client->source.fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length)) {
		if (errno != ENOPROTOOPT)
			return -errno;
		pidfd = (int)syscall(SYS_pidfd_open, client->pid, 0);
	}
	if (pidfd < 0)
		return -errno;
	client->death.event = client_died;
	int err = hv_source_add(client->hv, &client->death, pidfd, EPOLLIN);

	if (err)
		close(pidfd);
	return err;
}

void hv_client_kill(struct hv_client *client)
{
	if (client->death.fd >= 0)
		syscall(SYS_pidfd_send_signal, client->death.fd, SIGKILL, NULL, 0);
	hv_client_drop(client);
}

static int was_given(const struct hv_client *client, domid_t domid)
{
	return client->opened[domid / 8] & 1u << domid % 8;
}

static uint32_t tracks_mapped(const struct hv_client *client, domid_t domid)
{
	uint32_t mapped = 0;

	if (!client->maptrack || !was_given(client, domid))
		return 0;
	for (uint32_t i = 0; i < HV_MAPTRACK_ENTRIES; i++)
		mapped += client->maptrack[i].domid == domid &&
			  atomic_load(&client->maptrack[i].state) != PVR_MAPTRACK_FREE;
	return mapped;
}

uint32_t hv_clients_mapped(struct hv *hv, domid_t domid)
{
	uint32_t mapped = 0;
	struct hv_client *c;

	TAILQ_FOREACH(c, &hv->clients, entry)
	mapped += tracks_mapped(c, domid);
	return mapped;
}

/*
 * Undo what a dead dom0 client had mapped, and locks it held, in every domain whose books it was
 * given. How much could not be undone, because somebody else holds a lock.
 */
static unsigned grants_recover(struct hv *hv, struct hv_client *dead)
{
	struct pvr_maptrack *tables[2 * HV_CLIENTS_MAX];
	unsigned count = 0, left = 0;
	struct hv_client *c;
	struct hv_domain *d;

	TAILQ_FOREACH(c, &hv->clients, entry)
	if (c->maptrack)
		tables[count++] = c->maptrack;
	TAILQ_FOREACH(c, &hv->ghosts, entry)
	if (count < sizeof(tables) / sizeof(tables[0]))
		tables[count++] = c->maptrack;
	TAILQ_FOREACH(d, &hv->domains, entry)
	if (d->books && was_given(dead, d->domid))
		left += pvr_gnttab_recover(&d->gnttab, dead->number, dead->maptrack, tables, count,
			HV_MAPTRACK_ENTRIES);
	return left;
}

static void ghost_free(struct hv *hv, struct hv_client *ghost)
{
	TAILQ_REMOVE(&hv->ghosts, ghost, entry);
	munmap(ghost->maptrack, HV_MAPTRACK_ENTRIES * sizeof(*ghost->maptrack));
	close(ghost->maptrack_fd);
	free(ghost);
}

void hv_ghosts_retry(struct hv *hv)
{
	struct hv_client *ghost, *next;

	for (ghost = TAILQ_FIRST(&hv->ghosts); ghost; ghost = next) {
		next = TAILQ_NEXT(ghost, entry);
		if (!grants_recover(hv, ghost))
			ghost_free(hv, ghost);
	}
}

void hv_ghosts_free(struct hv *hv)
{
	while (!TAILQ_EMPTY(&hv->ghosts))
		ghost_free(hv, TAILQ_FIRST(&hv->ghosts));
}

void hv_client_drop(struct hv_client *client)
{
	struct hv *hv = client->hv;

	TAILQ_REMOVE(&hv->clients, client, entry);
	hv->client_count--;
	hv->guest_client_count -= !client->privileged;
	if (client->death.fd >= 0)
		close(hv_source_remove(hv, &client->death));
	close(hv_source_remove(hv, &client->source));
	if (client->role == HV_ROLE_DOM0) {
		hv_ports_reset(&hv->dom0.ports, client->number, 1);
		TAILQ_INSERT_TAIL(&hv->ghosts, client, entry);
		hv_ghosts_retry(hv);
		hv_domains_reap(hv);
		return;
	}
	if (client->domain)
		hv_domain_down(client->domain);
	free(client);
}
