/* SPDX-License-Identifier: MIT */
/*
 * The guest's network namespace: entering a new one, a TAP in it, and the interface's addresses. All by ioctl, which
 * does for IPv4 and IPv6 what is needed here without a netlink library.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools.h"

/* As linux/ipv6.h has it, which does not go together with netinet/in.h. */
struct ifreq6 {
	struct in6_addr address;
	uint32_t prefix;
	int index;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Be root of the new user namespace, as unshare -r has it; a group cannot be mapped before setgroups is denied. */
static int map_to_root(uid_t uid, gid_t gid)
{
	char text[48];
	int rc = write_file("/proc/self/setgroups", "deny");

	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (!rc || rc == -ENOENT)
		rc = write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return rc ? rc : write_file("/proc/self/gid_map", text);
}

int netns_enter(char *why, size_t size)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int rc;

	if (!unshare(CLONE_NEWNET))
		return 0;
	if (errno != EPERM)
		return tool_say(why, size, -errno, "no network namespace: %s", strerror(errno));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return tool_say(why, size, -errno,
			"a network of the command's own needs root, or user namespaces for "
			"everybody, which this "
			"system does not allow (%s): see user.max_user_namespaces and "
			"kernel.*userns* in sysctl",
			strerror(errno));
	rc = map_to_root(uid, gid);
	return rc ? tool_say(why, size, rc,
			    "this system lets nobody but root be root of a user namespace (%s): "
			    "see "
			    "kernel.apparmor_restrict_unprivileged_userns",
			    strerror(-rc))
		  : 0;
}

static int tap_attach(int fd, const char *name, int multi)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
						     (multi ? IFF_MULTI_QUEUE : 0))};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, TUNSETIFF, &request) ? -errno : 0;
}

int netns_tap_open(const char *name, unsigned queues, int *fds, char *why, size_t size)
{
	for (unsigned i = 0; i < queues; i++) {
		int rc = 0;

		fds[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fds[i] < 0)
			rc = tool_say(why, size, -errno,
				"the command's interface needs a TAP, and /dev/net/tun cannot be "
				"opened: %s",
				strerror(errno));
		else if ((rc = tap_attach(fds[i], name, queues > 1)))
			tool_say(why, size, rc, "no TAP %s: %s", name, strerror(-rc));
		if (!rc)
			continue;
		while (i--)
			close(fds[i]);
		return rc;
	}
	return 0;
}

static int set_flags(int sock, const char *name)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(sock, SIOCGIFFLAGS, &request))
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &request) ? -errno : 0;
}

int netns_loopback(char *why, size_t size)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = sock < 0 ? -errno : set_flags(sock, "lo");

	if (sock >= 0)
		close(sock);
	return rc ? tool_say(why, size, rc, "lo: %s", strerror(-rc)) : 0;
}

static int set_link(int sock, const char *name, const uint8_t mac[6], unsigned mtu)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, mac, 6);
	if (ioctl(sock, SIOCSIFHWADDR, &request))
		return -errno;
	request.ifr_mtu = (int)mtu;
	return ioctl(sock, SIOCSIFMTU, &request) ? -errno : 0;
}

static int set_v4(int sock, const char *name, const struct net_address *a)
{
	struct ifreq request = {0};
	struct sockaddr_in *to = (struct sockaddr_in *)&request.ifr_addr;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	*to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = a->host.v4};
	if (ioctl(sock, SIOCSIFADDR, &request))
		return -errno;
	to->sin_addr.s_addr = htonl(a->prefix ? UINT32_MAX << (32 - a->prefix) : 0);
	return ioctl(sock, SIOCSIFNETMASK, &request) ? -errno : 0;
}

static int set_route_v4(int sock, const struct net_address *a)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};

	*(struct sockaddr_in *)&route.rt_dst = (struct sockaddr_in){.sin_family = AF_INET};
	*(struct sockaddr_in *)&route.rt_genmask = (struct sockaddr_in){.sin_family = AF_INET};
	*(struct sockaddr_in *)&route.rt_gateway =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = a->gateway.v4};
	return ioctl(sock, SIOCADDRT, &route) ? -errno : 0;
}

static int set_v6(int sock, const char *name, const struct net_address *a)
{
	struct ifreq6 request = {
		.address = a->host.v6, .prefix = a->prefix, .index = (int)if_nametoindex(name)};

	return ioctl(sock, SIOCSIFADDR, &request) ? -errno : 0;
}

static int set_route_v6(int sock, const char *name, const struct net_address *a)
{
	struct in6_rtmsg route = {.rtmsg_gateway = a->gateway.v6,
		.rtmsg_flags = RTF_UP | RTF_GATEWAY,
		.rtmsg_metric = 1,
		.rtmsg_ifindex = (int)if_nametoindex(name)};

	return ioctl(sock, SIOCADDRT, &route) ? -errno : 0;
}

/* Nobody else has the address on this wire's end: not waiting a second for duplicates is best done, not needed. */
static void no_duplicate_detection(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", name);
	write_file(path, "0");
}

int netns_configure(const char *name, const struct net_spec *spec, const uint8_t mac[6],
	unsigned mtu, char *why, size_t size)
{
	const struct net_address *v4 = &spec->address[0], *v6 = &spec->address[1];
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int sock6 = v6->family ? socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	const char *what = "MAC or MTU";
	int rc = sock < 0 || (v6->family && sock6 < 0) ? -errno : set_link(sock, name, mac, mtu);

	no_duplicate_detection(name);
	if (!rc && v4->family)
		what = "ip", rc = set_v4(sock, name, v4);
	if (!rc)
		what = "up", rc = set_flags(sock, name);
	if (!rc && v4->has_gateway)
		what = "gw", rc = set_route_v4(sock, v4);
	if (!rc && v6->family)
		what = "IPv6 ip", rc = set_v6(sock6, name, v6);
	if (!rc && v6->has_gateway)
		what = "IPv6 gw", rc = set_route_v6(sock6, name, v6);
	if (sock >= 0)
		close(sock);
	if (sock6 >= 0)
		close(sock6);
	return rc ? tool_say(why, size, rc, "%s, %s: %s", name, what, strerror(-rc)) : 0;
}
