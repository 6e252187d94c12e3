/* SPDX-License-Identifier: MIT */
/*
 * The client's half of the hypervisor daemon's control protocol: find the directory, connect, call.
 * Used by the process port, by dom0's port and by the tools.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <pvring/hypervisor.h>

int pvr_hv_dir(const char *dir, char *out, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (!dir || !*dir)
		dir = getenv(PVR_HV_ENV_DIR);
	if (dir && *dir)
		n = snprintf(out, size, "%s", dir);
	else if (geteuid() == 0)
		n = snprintf(out, size, "/run/pvring");
	else if (runtime && *runtime)
		n = snprintf(out, size, "%s/pvring", runtime);
	else
		n = snprintf(out, size, "/tmp/pvring-%u", (unsigned)geteuid());
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int pvr_hv_connect(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char base[sizeof(address.sun_path)];
	int err = pvr_hv_dir(dir, base, sizeof(base));

	if (err)
		return err;
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", base, PVR_HV_SOCKET);

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Room for the descriptors of one message, aligned for its header. */
union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PVR_HV_FDS_MAX * sizeof(int))];
};

/*
 * Sort the descriptors that came: up to `room` into fds[], the others closed. How many were kept.
 */
static unsigned fds_take(struct msghdr *msg, int *fds, unsigned room)
{
	unsigned kept = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (kept < room)
				fds[kept++] = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/* A peer that is gone shows as any of these, depending on the moment. */
static int gone(int err)
{
	return err == EPIPE || err == ECONNRESET || err == ENOTCONN ? ECONNRESET : err;
}

static long send_request(int control, uint32_t op, struct iovec *parts, int count)
{
	struct pvr_hv_msg head = {.op = op};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)count};
	ssize_t n;

	for (int i = 1; i < count; i++)
		head.length += (uint32_t)parts[i].iov_len;
	parts[0] = (struct iovec){&head, sizeof(head)};
	do {
		n = sendmsg(control, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -gone(errno) : 0;
}

static long receive_reply(int control, uint32_t op, struct iovec *parts, int count,
	size_t *data_length, int *fds, unsigned *fds_count)
{
	union fd_room room;
	struct pvr_hv_msg head;
	struct msghdr msg = {
		.msg_iov = parts,
		.msg_iovlen = (size_t)count,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes),
	};
	ssize_t n;

	parts[0] = (struct iovec){&head, sizeof(head)};
	do {
		n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	unsigned kept = n < 0 ? 0 : fds_take(&msg, fds, fds ? *fds_count : 0);

	if (fds_count)
		*fds_count = kept;
	if (n < 0)
		return -gone(errno);
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n < sizeof(head) || head.op != op || (msg.msg_flags & MSG_TRUNC)) {
		while (kept)
			close(fds[--kept]);
		if (fds_count)
			*fds_count = 0;
		return -EPROTO;
	}
	*data_length = (size_t)n - sizeof(head);
	return (long)head.result;
}

long pvr_hv_call(int control, uint32_t op, const void *data, size_t length, void *reply,
	size_t *reply_length, int *fds, unsigned *fds_count)
{
	struct iovec out[2] = {[1] = {(void *)(uintptr_t)data, length}};
	struct iovec in[2] = {[1] = {reply, reply_length ? *reply_length : 0}};
	size_t came = 0;

	if (length > PVR_HV_DATA_MAX)
		return -E2BIG;
	long result = send_request(control, op, out, 2);

	if (!result)
		result = receive_reply(control, op, in, 2, &came, fds, fds_count);
	else if (fds_count)
		*fds_count = 0;
	if (reply_length)
		*reply_length = came;
	return result;
}

long pvr_hv_hypercall(int control, uint32_t op, uint32_t cmd, void *argument, size_t length,
	uint32_t count, int *fds, unsigned *fds_count)
{
	struct pvr_hv_hypercall call = {.op = op, .cmd = cmd, .count = count};
	struct iovec out[3] = {[1] = {&call, sizeof(call)}, [2] = {argument, length}};
	struct iovec in[2] = {[1] = {argument, length}};
	size_t came = 0;

	if (length > PVR_HV_DATA_MAX - sizeof(call))
		return -E2BIG;
	call.length = (uint32_t)length;
	long result = send_request(control, PVR_HV_HYPERCALL, out, 3);

	if (!result)
		return receive_reply(control, PVR_HV_HYPERCALL, in, 2, &came, fds, fds_count);
	if (fds_count)
		*fds_count = 0;
	return result;
}
