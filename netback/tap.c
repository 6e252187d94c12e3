/* SPDX-License-Identifier: MIT */
/*
 * The outside that is a TAP device of the kernel, with several queues and the virtio_net header, so
 * that GSO packets cross whole. It may join a bridge. All queues that may be needed are opened at
 * once; those that no frontend uses are detached: what comes for them is lost in the kernel.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>

#include "inbox.h"
#include "outside.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)
#define FRAME     18u /* Ethernet header and a VLAN tag */

#define IN_USE_NS    1200000000l
#define IN_USE_TRIES 60

struct tap {
	struct pvr_netback_outside outside;
	unsigned mtu, connected;
	char name[IFNAMSIZ];
	int fd[PVR_NETBACK_QUEUES_MAX]; /* -1: not opened, or of no more use */
};

static int fail(char error[PVR_NETBACK_LINE], int result, const char *what, const char *name)
{
	snprintf(error, PVR_NETBACK_LINE, "tap %s: %s: %s", name, what, strerror(-result));
	return result;
}

/* As the kernel allows it, without what it would fill in for a '%'. */
static int name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= IFNAMSIZ || !strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == '%' || !isgraph((unsigned char)*name))
			return 0;
	return 1;
}

/* ---- the device by its name ---- */

/* One ioctl on the interface; 0 or a negative errno. */
static int if_ioctl(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	result = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static struct ifreq ifreq_of(const char *name)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, name, strnlen(name, sizeof(ifr.ifr_name) - 1));
	return ifr;
}

/*
 * Somebody has its queues: they would get our packets, and we theirs. The kernel tells up to a second late that
 * nobody has them any more, as when a backend died just now (linkwatch), and so it is asked for a while.
 */
static int in_use(const char *name)
{
	const struct timespec pause = {.tv_nsec = IN_USE_NS / IN_USE_TRIES};
	struct ifreq ifr = ifreq_of(name);

	for (unsigned i = 0; i < IN_USE_TRIES; i++) {
		if (if_ioctl(SIOCGIFFLAGS, &ifr) || !(ifr.ifr_flags & IFF_UP) ||
			!(ifr.ifr_flags & IFF_RUNNING))
			return 0;
		nanosleep(&pause, NULL);
	}
	return 1;
}

static int set_up(const struct tap *tap)
{
	struct ifreq ifr = ifreq_of(tap->name);
	int result = if_ioctl(SIOCGIFFLAGS, &ifr);

	if (result)
		return result;
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
	return if_ioctl(SIOCSIFFLAGS, &ifr);
}

static int set_mtu(const struct tap *tap)
{
	struct ifreq ifr = ifreq_of(tap->name);

	ifr.ifr_mtu = (int)tap->mtu;
	return if_ioctl(SIOCSIFMTU, &ifr);
}

/* A bridge takes the lowest address of its ports for its own: as Xen's scripts, one it will not
 * take. */
static int join_bridge(const struct tap *tap, const char *bridge, char error[PVR_NETBACK_LINE])
{
	struct ifreq ifr = ifreq_of(tap->name), port = ifreq_of(bridge);
	int result;

	memset(ifr.ifr_hwaddr.sa_data, 0xff, 6);
	ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	result = if_ioctl(SIOCSIFHWADDR, &ifr);
	if (result)
		return fail(error, result, "cannot set its address", tap->name);
	port.ifr_ifindex = (int)if_nametoindex(tap->name);
	result = if_ioctl(SIOCBRADDIF, &port);
	/* It is a port of some bridge already: the toolstack's script was faster. */
	if (!result || result == -EBUSY)
		return 0;
	snprintf(error, PVR_NETBACK_LINE, "tap %s: cannot join bridge %.15s: %s", tap->name, bridge,
		result == -ENODEV ? "no such bridge" : strerror(-result));
	return result;
}

/* ---- its queues ---- */

static int attach(const struct tap *tap, unsigned queue, int on)
{
	struct ifreq ifr = {.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

	return ioctl(tap->fd[queue], TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

static int open_queue(struct tap *tap, unsigned queue, int exclusive)
{
	struct ifreq ifr = ifreq_of(tap->name);
	int header = sizeof(struct virtio_net_hdr);

	ifr.ifr_flags = (short)(TAP_FLAGS | exclusive);
	tap->fd[queue] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd[queue] < 0)
		return -errno;
	if (ioctl(tap->fd[queue], TUNSETIFF, &ifr) < 0 ||
		ioctl(tap->fd[queue], TUNSETVNETHDRSZ, &header) < 0) {
		int result = -errno;

		close(tap->fd[queue]);
		tap->fd[queue] = -1;
		return result;
	}
	return attach(tap, queue, 0);
}

static const char *why(int result)
{
	switch (result) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return "there is no /dev/net/tun";
	case -EPERM:
	case -EACCES:
		return "it may not be made without CAP_NET_ADMIN";
	case -EBUSY:
		return "the name is in use";
	case -EINVAL:
		return "there is a device of this name and another kind";
	default:
		return "it cannot be made";
	}
}

/* One that is there is taken when it is a TAP that nobody has. */
static int open_queues(struct tap *tap, unsigned queues, char error[PVR_NETBACK_LINE])
{
	int result = open_queue(tap, 0, IFF_TUN_EXCL);

	if (result == -EBUSY && !in_use(tap->name))
		result = open_queue(tap, 0, 0);
	tap->outside.queues_max = result ? 0 : 1;
	while (!result && tap->outside.queues_max < queues) {
		result = open_queue(tap, tap->outside.queues_max, 0);
		tap->outside.queues_max += !result;
	}
	return result ? fail(error, result, why(result), tap->name) : 0;
}

static void tap_close(struct pvr_netback_outside *outside)
{
	struct tap *tap = (struct tap *)outside;

	for (unsigned i = 0; i < PVR_NETBACK_QUEUES_MAX; i++)
		if (tap->fd[i] >= 0)
			close(tap->fd[i]);
	free(tap);
}

static int set_out(
	struct tap *tap, const struct pvr_netback_spec *spec, char error[PVR_NETBACK_LINE])
{
	int result = open_queues(tap, spec->queues, error);

	if (result)
		return result;
	result = set_mtu(tap);
	if (result)
		return fail(error, result, "cannot set its MTU", tap->name);
	if (spec->bridge)
		result = join_bridge(tap, spec->bridge, error);
	if (result)
		return result;
	result = set_up(tap);
	return result ? fail(error, result, "cannot set it up", tap->name) : 0;
}

static int tap_open(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
	char error[PVR_NETBACK_LINE])
{
	struct tap *tap = calloc(1, sizeof(*tap));
	char name[32];
	int result;

	if (!tap) {
		snprintf(error, PVR_NETBACK_LINE, "out of memory");
		return -ENOMEM;
	}
	memset(tap->fd, 0xff, sizeof(tap->fd));
	snprintf(name, sizeof(name), "vif%u.%u", spec->domid, spec->devid);
	if (spec->vifname)
		snprintf(name, sizeof(name), "%s", spec->vifname);
	if (!name_is_good(name) || (spec->bridge && !name_is_good(spec->bridge))) {
		snprintf(error, PVR_NETBACK_LINE, "vifname or bridge is no name of an interface");
		free(tap);
		return -EINVAL;
	}
	memcpy(tap->name, name, strlen(name) + 1);
	tap->outside.ops = &pvr_netback_outside_tap;
	tap->outside.takes = PVR_NETBACK_CSUM | PVR_NETBACK_GSO4 | PVR_NETBACK_GSO6;
	tap->mtu = spec->mtu;
	result = set_out(tap, spec, error);
	if (result)
		tap_close(&tap->outside);
	else
		*outside = &tap->outside;
	return result;
}

/* ---- a frontend comes and goes ---- */

static void tap_disconnect(struct pvr_netback_outside *outside)
{
	struct tap *tap = (struct tap *)outside;

	for (; tap->connected; tap->connected--)
		if (tap->fd[tap->connected - 1] >= 0)
			attach(tap, tap->connected - 1, 0);
}

/* The offloads tell the kernel what may come out of the device; it does the rest before. */
static int tap_connect(struct pvr_netback_outside *outside, unsigned queues, unsigned gives)
{
	struct tap *tap = (struct tap *)outside;
	unsigned long offload = (gives & PVR_NETBACK_CSUM ? TUN_F_CSUM : 0u) |
				(gives & PVR_NETBACK_GSO4 ? TUN_F_TSO4 : 0u) |
				(gives & PVR_NETBACK_GSO6 ? TUN_F_TSO6 : 0u);
	int result = 0;

	tap->connected = 0;
	while (!result && tap->connected < queues) {
		result = tap->fd[tap->connected] < 0 ? -ENODEV : attach(tap, tap->connected, 1);
		tap->connected += !result;
	}
	if (!result && ioctl(tap->fd[0], TUNSETOFFLOAD, offload) < 0)
		result = -errno;
	if (result)
		tap_disconnect(outside);
	outside->packet_max = gives & (PVR_NETBACK_GSO4 | PVR_NETBACK_GSO6)
				      ? PVR_NETBACK_PARCEL_MAX - 1
				      : tap->mtu + FRAME;
	return result;
}

/* ---- packets ---- */

static int tap_write(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	return writev(((struct tap *)outside)->fd[queue], iov, count) < 0 ? -errno : 0;
}

static ssize_t tap_read(
	struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov, int count)
{
	struct tap *tap = (struct tap *)outside;
	ssize_t n = readv(tap->fd[queue], iov, count);

	if (n >= 0)
		return n;
	/* The device was deleted: its descriptor would be readable for ever. */
	if (errno == EBADFD && tap->fd[queue] >= 0) {
		close(tap->fd[queue]);
		tap->fd[queue] = -1;
	}
	return -errno;
}

static int tap_fd(struct pvr_netback_outside *outside, unsigned queue)
{
	return ((struct tap *)outside)->fd[queue];
}

const struct pvr_netback_outside_ops pvr_netback_outside_tap = {
	.type = "tap",
	.open = tap_open,
	.close = tap_close,
	.connect = tap_connect,
	.disconnect = tap_disconnect,
	.write = tap_write,
	.read = tap_read,
	.fd = tap_fd,
};
