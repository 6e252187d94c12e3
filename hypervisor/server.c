/* SPDX-License-Identifier: MIT */
/* The daemon's directory, the lock on it, and the two listening sockets. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hv.h"

#define BACKLOG 64

static int say(const char *what, const char *where, int err)
{
	fprintf(stderr, "pvring: hypervisor: %s: %s: %s\n", where, what, strerror(-err));
	return err;
}

/*
 * Open, make if need be, and lock the directory. The lock is what tells a live daemon from the
 * sockets a dead one left, and it goes with the process.
 */
static int directory_open(struct hv *hv)
{
	const char *dir = hv->config.dir;
	struct stat st;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return say("cannot make the directory", dir, -errno);
	hv->directory = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (hv->directory < 0)
		return say("cannot open the directory", dir, -errno);
	if (fstat(hv->directory, &st))
		return say("cannot look at the directory", dir, -errno);
	if (st.st_uid != geteuid())
		return say("the directory belongs to somebody else; name another", dir, -EPERM);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return say("others may write the directory; chmod go-w it", dir, -EPERM);
	if (flock(hv->directory, LOCK_EX | LOCK_NB))
		return say("a hypervisor runs here already; stop it or name another directory", dir,
			errno == EWOULDBLOCK ? -EADDRINUSE : -errno);
	return 0;
}

static int socket_listen(struct hv *hv, const char *name, int type, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", hv->config.dir, name);

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return say("the path is too long for a socket", hv->config.dir, -ENAMETOOLONG);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return say("cannot make a socket", address.sun_path, -errno);
	/* We hold the lock: what is there was left by a daemon that died. */
	unlinkat(hv->directory, name, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
		fchmodat(hv->directory, name, mode, 0) || listen(fd, BACKLOG)) {
		int err = say("cannot listen", address.sun_path, -errno);

		close(fd);
		return err;
	}
	return fd;
}

int hv_server_open(struct hv *hv)
{
	int err = directory_open(hv);

	if (err)
		return err;
	/* Domain owners of other users may connect where the directory lets them; credentials
	 * decide then. */
	int control = socket_listen(hv, PVR_HV_SOCKET, SOCK_SEQPACKET, 0666);

	if (control < 0)
		return control;
	hv->control.event = hv_client_accept;
	err = hv_source_add(hv, &hv->control, control, EPOLLIN);
	if (err) {
		close(control);
		return err;
	}
	int xenstored = socket_listen(hv, PVR_XS_SOCKET, SOCK_STREAM, 0600);

	if (xenstored < 0)
		return xenstored;
	hv->xenstored.event = hv_xs_accept;
	err = hv_source_add(hv, &hv->xenstored, xenstored, EPOLLIN);
	if (err)
		close(xenstored);
	hv->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return err;
}

void hv_spare_turn_away(struct hv *hv, int listener)
{
	if (hv->spare < 0)
		return;
	close(hv->spare);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	hv->spare = fcntl(hv->directory, F_DUPFD_CLOEXEC, 0);
	hv_log("out of descriptors: a client was turned away");
}

void hv_server_close(struct hv *hv)
{
	if (hv->control.fd >= 0) {
		unlinkat(hv->directory, PVR_HV_SOCKET, 0);
		close(hv_source_remove(hv, &hv->control));
	}
	if (hv->xenstored.fd >= 0) {
		unlinkat(hv->directory, PVR_XS_SOCKET, 0);
		close(hv_source_remove(hv, &hv->xenstored));
	}
	if (hv->spare >= 0)
		close(hv->spare);
	if (hv->directory >= 0)
		close(hv->directory);
}

void hv_accept(struct hv *hv, int fd, const char *what, int (*make)(struct hv *hv, int fd))
{
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (connection < 0 && (errno == EMFILE || errno == ENFILE)) {
		hv_spare_turn_away(hv, fd);
		return;
	}
	if (connection < 0)
		return;
	int err = make(hv, connection);

	if (err) {
		hv_log("%s was turned away: %s", what, strerror(-err));
		close(connection);
	}
}
