/* SPDX-License-Identifier: MIT */
/*
 * pvring bench taps: two TAP devices joined by a plain loop of read and write in one thread, GSO packets whole. What
 * TAP, netfront, netback, TAP is measured beside (bench/compare-net.sh): the same two devices with nothing between.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "../tools/tools.h"

#define BATCH 64

static int tap_open(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) ||
		ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)) {
		tool_error(EX_UNAVAILABLE, "%s: %s", name, strerror(errno));
		return -1;
	}
	return fd;
}

/* A batch from one to the other. Packets that it does not take are lost, as on any wire. */
static void carry(int from, int to)
{
	static char packet[1 << 17];

	for (int i = 0; i < BATCH; i++) {
		ssize_t bytes = read(from, packet, sizeof(packet));

		if (bytes <= 0 || (write(to, packet, (size_t)bytes) < 0 && errno == EBADFD))
			return;
	}
}

int bench_taps(int argc, char **argv)
{
	struct pollfd fds[2];

	if (argc != 3) {
		fprintf(stderr, "Usage: pvring bench taps NAME NAME\n"
				"Make two TAPs and carry packets between them until killed.\n");
		return EX_USAGE;
	}
	for (int i = 0; i < 2; i++) {
		fds[i] = (struct pollfd){.fd = tap_open(argv[1 + i]), .events = POLLIN};
		if (fds[i].fd < 0)
			return EX_UNAVAILABLE;
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents & POLLIN)
			carry(fds[0].fd, fds[1].fd);
		if (fds[1].revents & POLLIN)
			carry(fds[1].fd, fds[0].fd);
	}
	return EX_OSERR;
}
