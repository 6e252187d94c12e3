/* SPDX-License-Identifier: MIT */
/*
 * The outsides that are not in this process: a TAP of the kernel, in a network namespace of its own
 * (root only; skipped else), and a passt that is a socket here.
 */
#include "guest_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME "pvrtest0"

/* ---- in a namespace ---- */

static void *in_namespace(void *opaque)
{
	void (*body)(void) = *(void (**)(void))opaque;
	int fd;

	if (unshare(CLONE_NEWNET) || access("/dev/net/tun", R_OK | W_OK)) {
		fprintf(stderr, "skipped: no network namespace or no /dev/net/tun: %s\n",
			strerror(errno));
		return NULL;
	}
	/* The kernel's own packets would come in between. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			fprintf(stderr, "IPv6 stays on\n");
		close(fd);
	}
	body();
	return NULL;
}

/* A namespace is a thread's. */
static void isolated(void (*body)(void))
{
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, in_namespace, &body), 0);
	pthread_join(thread, NULL);
}

static void set_up(void)
{
	net_reset();
	net.spec.vifname = NAME;
}

/* The kernel's side of the TAP, with the virtio_net header too. */
static int open_packet(void)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons(0x0003),
		.sll_ifindex = (int)if_nametoindex(NAME)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0003)), on = 1;
	struct timeval long_enough = {.tv_sec = 20};

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &long_enough, sizeof(long_enough)), 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* ---- the device ---- */

static int try_open(const char *name, const char *bridge, char error[PVR_NETBACK_LINE],
	struct pvr_netback_outside **outside)
{
	net.spec.vifname = name;
	net.spec.bridge = bridge;
	*outside = NULL;
	error[0] = '\0';
	return pvr_netback_outside_open(&net.spec, outside, error);
}

static void device(void)
{
	struct pvr_netback_outside *outside, *second;
	char error[PVR_NETBACK_LINE];
	struct ifreq ifr = {.ifr_name = NAME};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_up();
	net.spec.mtu = 9000;
	net.spec.queues = 4;
	CU_ASSERT_EQUAL_FATAL(try_open(NAME, NULL, error, &outside), 0);
	CU_ASSERT_EQUAL(outside->queues_max, 4);
	CU_ASSERT_EQUAL(ioctl(fd, SIOCGIFMTU, &ifr), 0);
	CU_ASSERT_EQUAL(ifr.ifr_mtu, 9000);
	CU_ASSERT_EQUAL(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	CU_ASSERT_TRUE(ifr.ifr_flags & IFF_UP);
	CU_ASSERT_EQUAL(try_open(NAME, NULL, error, &second), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "in use"));
	CU_ASSERT_EQUAL(try_open("pvrtest1", "nobridge", error, &second), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "no such bridge"));
	CU_ASSERT_EQUAL(if_nametoindex("pvrtest1"), 0); /* nothing stays of it */
	pvr_netback_outside_close(outside);
	CU_ASSERT_EQUAL(if_nametoindex(NAME), 0);
	/* Without a name it is called after its frontend. */
	CU_ASSERT_EQUAL_FATAL(try_open(NULL, NULL, error, &outside), 0);
	CU_ASSERT_NOT_EQUAL(if_nametoindex("vif7.0"), 0);
	pvr_netback_outside_close(outside);
	close(fd);
}

static void tap_device(void)
{
	isolated(device);
}

/* One that the operator made stays, and the successor of a backend that died takes it at once. */
static void lasting(void)
{
	struct ifreq ifr = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	unsigned index;

	CU_ASSERT_EQUAL_FATAL(ioctl(fd, TUNSETIFF, &ifr), 0);
	CU_ASSERT_EQUAL_FATAL(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
	index = if_nametoindex(NAME);
	set_up();
	for (unsigned i = 0; i < 3; i++) {
		struct pvr_netback_outside *outside;
		char error[PVR_NETBACK_LINE];

		CU_ASSERT_EQUAL_FATAL(try_open(NAME, NULL, error, &outside), 0);
		pvr_netback_outside_close(outside);
		CU_ASSERT_EQUAL(if_nametoindex(NAME), index);
	}
}

static void tap_that_lasts(void)
{
	isolated(lasting);
}

static void bad_names(void)
{
	static const char *const names[] = {
		"", "a/b", "..", "tap%d", "a b", "sixteen-letters!", "a:1"};
	struct pvr_netback_outside *outside;
	char error[PVR_NETBACK_LINE];

	net_reset();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CU_ASSERT_EQUAL(try_open(names[i], NULL, error, &outside), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(error, "vifname"));
	}
	net.spec.type = "tun";
	CU_ASSERT_EQUAL(try_open(NAME, NULL, error, &outside), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, "\"tun\""));
	net.spec.type = "null";
	for (const char *const *size = (const char *const[]){"13", "65536", "-1", "x", "64x", NULL};
		*size; size++) {
		net.spec.params = *size;
		CU_ASSERT_EQUAL(pvr_netback_outside_open(&net.spec, &outside, error), -EINVAL);
	}
}

static void join(void)
{
	struct pvr_netback_outside *outside;
	char error[PVR_NETBACK_LINE], path[64];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	set_up();
	if (ioctl(fd, SIOCBRADDBR, "pvrbr0")) {
		fprintf(stderr, "skipped: no bridges in this kernel\n");
		close(fd);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(try_open(NAME, "pvrbr0", error, &outside), 0);
	snprintf(path, sizeof(path), "/sys/class/net/%s", "pvrbr0");
	/* Asked to leave, it was there. */
	struct ifreq ifr = {.ifr_name = "pvrbr0"};
	ifr.ifr_ifindex = (int)if_nametoindex(NAME);
	CU_ASSERT_EQUAL(ioctl(fd, SIOCBRDELIF, &ifr), 0);
	pvr_netback_outside_close(outside);
	ioctl(fd, SIOCBRDELBR, "pvrbr0");
	close(fd);
}

static void tap_bridge(void)
{
	isolated(join);
}

/* ---- packets ---- */

/* What the frontend sends comes out of the kernel's side whole, a GSO packet too. */
static void out(void)
{
	struct {
		struct virtio_net_hdr vnet;
		uint8_t data[NET_PACKET];
	} __attribute__((packed)) in;
	uint8_t packet[20000];
	ssize_t n;
	int fd;

	set_up();
	net_open("tap", NULL);
	fd = open_packet();
	net_make(packet, 4, IPPROTO_TCP, sizeof(packet));
	for (unsigned i = 0; i < 5; i++)
		memcpy(net_data(i), packet + 4000 * i, 4000);
	net_send(0, net_request(0, 0, 20000,
			    NETTXF_csum_blank | NETTXF_more_data | NETTXF_extra_info, 1));
	net_send(0, (union pvr_netback_slot){
			    .extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
				    .u.gso = {.size = 1400, .type = XEN_NETIF_GSO_TYPE_TCPV4}}});
	for (unsigned i = 1; i < 5; i++)
		net_send(0, net_request(i, 0, 4000, i < 4 ? NETTXF_more_data : 0, 1));
	net_publish(0);
	CU_ASSERT_EQUAL(net_turn(), 6);
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_OKAY);
	n = recv(fd, &in, sizeof(in), 0);
	CU_ASSERT_EQUAL(n, (ssize_t)(sizeof(in.vnet) + sizeof(packet)));
	CU_ASSERT_EQUAL(in.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CU_ASSERT_EQUAL(in.vnet.gso_size, 1400);
	CU_ASSERT_EQUAL(memcmp(in.data, packet, sizeof(packet)), 0);
	close(fd);
	net_close();
}

static void tap_out(void)
{
	isolated(out);
}

/* A GSO packet of the kernel's for the frontend. */
static void send_gso(int fd, uint8_t *packet, size_t bytes)
{
	struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1400,
		.hdr_len = 54,
		.csum_start = 34,
		.csum_offset = 16};
	struct iovec iov[2] = {{&vnet, sizeof(vnet)}, {packet, bytes}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};

	net_make(packet, 4, IPPROTO_TCP, bytes);
	CU_ASSERT_EQUAL(sendmsg(fd, &message, 0), (ssize_t)(sizeof(vnet) + bytes));
}

/* To a frontend that takes GSO it comes whole; for another the kernel cuts it, and completes the
 * checksums. */
static void in(void)
{
	uint8_t packet[20000];

	for (int gso = 0; gso < 2; gso++) {
		unsigned packets = 0, bytes = 0, more = 0;
		int fd;

		set_up();
		if (!gso)
			net.facts.gso4 = net.facts.gso6 = net.facts.csum4 = net.facts.csum6 = 0;
		net_open("tap", NULL);
		fd = open_packet();
		net_post(0, 0, 100);
		send_gso(fd, packet, sizeof(packet));
		for (unsigned i = 0; i < 10000 && !net_received(0); i++) {
			net_turn();
			usleep(1000);
		}
		while (net_received(0)) {
			struct netif_rx_response response = net_take(0).response;

			if (!more) {
				packets++;
				CU_ASSERT_EQUAL((response.flags & NETRXF_csum_blank) != 0, gso);
				if (response.flags & NETRXF_extra_info)
					CU_ASSERT_EQUAL(net_take(0).extra.u.gso.size, 1400);
				if (!gso)
					CU_ASSERT_EQUAL(net_sum_error(net_buffer(response.id),
								(size_t)response.status),
						0);
			}
			bytes += (unsigned)response.status;
			more = response.flags & NETRXF_more_data;
		}
		CU_ASSERT_EQUAL(packets, gso ? 1 : (20000 - 54 + 1399) / 1400);
		CU_ASSERT_EQUAL(bytes, 20000 + (packets - 1) * 54);
		CU_ASSERT_EQUAL(net_count(&net.stats.copied), 0);
		close(fd);
		net_close();
	}
}

static void tap_in(void)
{
	isolated(in);
}

/* The device is deleted under its feet: an error a packet, and no descriptor that is readable for
 * ever. */
static void vanish(void)
{
	short events;
	int fd;

	set_up();
	net_open("tap", NULL);
	net_post(0, 0, 60);
	net_turn();
	CU_ASSERT_TRUE(pvr_netback_queue_fd(net.queue[0].back, &events) >= 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = NAME};
	CU_ASSERT_EQUAL(ioctl(fd, SIOCSIFFLAGS, &ifr), 0); /* down */
	close(fd);
	net_send(0, net_request(0, 0, 60, 0, 1));
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_DROPPED);
	CU_ASSERT_EQUAL(net_count(&net.stats.tx_dropped[PVR_NETBACK_DROP_OUTSIDE]), 1);
	net_close();
}

static void tap_down(void)
{
	isolated(vanish);
}

/* ---- passt ---- */

static char directory[] = "/tmp/pvr-passt-XXXXXX", path[64];
static int listener, peer;

static void passt_up(int sndbuf)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	strcpy(address.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sndbuf)
		setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
	net_reset();
	net_open("passt", path);
	peer = accept(listener, NULL, NULL);
	CU_ASSERT_FATAL(peer >= 0);
	CU_ASSERT_EQUAL(net.outside->queues_max, 1);
}

static void passt_down(void)
{
	net_close();
	close(peer);
	close(listener);
	unlink(path);
	rmdir(directory);
}

/* The backend has turns meanwhile: it may hold the rest of a packet. Bounded. */
static size_t recv_all(uint8_t *to, size_t bytes)
{
	size_t done = 0;

	for (unsigned i = 0; i < 1000 && done < bytes; i++) {
		ssize_t n = recv(peer, to + done, bytes - done, MSG_DONTWAIT);

		if (n > 0)
			done += (size_t)n;
		net_turn();
	}
	return done;
}

static void passt_frames(void)
{
	uint8_t bytes[1004] = {0};

	passt_up(0);
	net_make(net_data(0), 4, IPPROTO_UDP, 1000);
	net_send(0, net_request(0, 0, 1000, NETTXF_csum_blank, 1));
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(recv_all(bytes, 1004), 1004);
	CU_ASSERT_EQUAL(memcmp(bytes, "\0\0\x03\xe8", 4), 0);
	CU_ASSERT_EQUAL(net_sum_error(bytes + 4, 1000), 0); /* it knows no blank ones */
	/* Back byte by byte: nothing before it is whole. */
	net_post(0, 0, 60);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		CU_ASSERT_EQUAL(net_received(0), 0);
		CU_ASSERT_EQUAL(send(peer, bytes + i, 1, 0), 1);
		net_turn();
	}
	CU_ASSERT_EQUAL_FATAL(net_received(0), 1);
	CU_ASSERT_EQUAL(net_take(0).response.status, 1000);
	CU_ASSERT_EQUAL(memcmp(net_buffer(0), bytes + 4, 1000), 0);
	/* Several by one send. */
	for (unsigned i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
	net_turn();
	CU_ASSERT_EQUAL(net_received(0), 3);
	passt_down();
}

/* A peer that does not read: what does not fit waits on the ring, and every byte comes in order. */
static void passt_slow_reader(void)
{
	static uint8_t frame[4004];
	unsigned sent = 0, read = 0, answered = 0;
	short events;

	passt_up(0);
	for (; sent < 250; sent++) {
		net_send(0, net_request(sent % 8, 0, 4000, 0, (uint16_t)sent));
		memset(net_data(sent % 8), (int)(sent % 8), 4000);
	}
	net_publish(0);
	for (unsigned i = 0; i < 10; i++)
		net_turn();
	for (; net_answers(0); answered++)
		net_answer(0);
	CU_ASSERT_TRUE(answered < 250);
	pvr_netback_queue_fd(net.queue[0].back, &events);
	CU_ASSERT_TRUE(events & POLLOUT);
	for (; read < 250; read++) {
		CU_ASSERT_EQUAL_FATAL(recv_all(frame, sizeof(frame)), sizeof(frame));
		CU_ASSERT_EQUAL(memcmp(frame, "\0\0\x0f\xa0", 4), 0);
		CU_ASSERT_EQUAL(frame[4 + 3999], read % 8);
	}
	for (; net_answers(0); answered++)
		CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(answered, 250);
	passt_down();
}

static void passt_that_lies_or_leaves(void)
{
	short events;

	passt_up(0);
	net_post(0, 0, 60);
	CU_ASSERT_EQUAL(send(peer, "\xff\xff\xff\xff....", 8, 0), 8);
	net_turn();
	CU_ASSERT_EQUAL(pvr_netback_queue_fd(net.queue[0].back, &events), -1);
	CU_ASSERT_EQUAL(net_turn(), 0);
	passt_down();
	passt_up(0);
	net_post(0, 0, 60);
	close(peer);
	net_turn();
	CU_ASSERT_EQUAL(pvr_netback_queue_fd(net.queue[0].back, &events), -1);
	net_send(0, net_request(0, 0, 60, 0, 1));
	net_publish(0);
	net_turn();
	CU_ASSERT_EQUAL(net_answer(0).status, NETIF_RSP_DROPPED);
	passt_down();
}

/* The guest's own packets bring it back, once its patience of a second is over. */
static void passt_that_comes_back(void)
{
	struct pollfd waiting = {.events = POLLIN};
	int16_t status = NETIF_RSP_DROPPED;
	uint8_t frame[64];
	short events;

	passt_up(0);
	net_post(0, 0, 60);
	close(peer);
	net_turn();
	for (unsigned i = 0; i < 100 && status != NETIF_RSP_OKAY; i++) {
		net_send(0, net_request(0, 0, 60, 0, 1));
		net_publish(0);
		net_turn();
		status = net_answer(0).status;
		poll(NULL, 0, 50);
	}
	CU_ASSERT_EQUAL(status, NETIF_RSP_OKAY);
	waiting.fd = listener;
	CU_ASSERT_EQUAL_FATAL(poll(&waiting, 1, 0), 1);
	peer = accept(listener, NULL, NULL);
	CU_ASSERT_EQUAL(recv_all(frame, 64), 64);
	CU_ASSERT_EQUAL(memcmp(frame, "\0\0\0\74", 4), 0);
	CU_ASSERT(pvr_netback_queue_fd(net.queue[0].back, &events) >= 0);
	passt_down();
}

static void passt_missing(void)
{
	struct pvr_netback_outside *outside;
	char error[PVR_NETBACK_LINE];

	net_reset();
	net.spec.type = "passt";
	net.spec.params = "/tmp/pvr-there-is-no-such-socket";
	CU_ASSERT_EQUAL(pvr_netback_outside_open(&net.spec, &outside, error), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(error, net.spec.params));
	net.spec.params = "relative";
	CU_ASSERT_EQUAL(pvr_netback_outside_open(&net.spec, &outside, error), -EINVAL);
}

PVR_SUITE(netback_outside, CASE(tap_device), CASE(tap_that_lasts), CASE(bad_names), CASE(tap_bridge), CASE(tap_out),
	CASE(tap_in), CASE(tap_down), CASE(passt_frames), CASE(passt_slow_reader),
	CASE(passt_that_lies_or_leaves), CASE(passt_that_comes_back), CASE(passt_missing))

/* And where brief mappings are copies. */
PVR_SUITE_AGAIN(netback_outside_copied, netback_outside, mock_copy_begin, mock_copy_end)
