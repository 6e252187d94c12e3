/* SPDX-License-Identifier: MIT */
/* What a user writes to give a guest a network interface, and what `pvring run` makes of it. */
#ifndef PVR_TOOLS_NET_H
#define PVR_TOOLS_NET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/netfront.h>

struct ephemeral;
struct pvr_host;

/* ---- the text (net_spec.c): pure, no I/O ---- */

enum net_type { NET_TAP, NET_USER, NET_PASST, NET_NULL, NET_LOOP };

/* An address of the guest's interface, IPv4 or IPv6, and the way out. */
struct net_address {
	int family;      /* AF_INET, AF_INET6; 0: none */
	unsigned prefix; /* bits */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} host, gateway;
	int has_gateway;
};

struct net_spec {
	enum net_type type;
	char target
		[108];  /* the TAP's name ("": the backend's choice), or passt's socket, absolute */
	uint32_t bytes; /* of a packet that null sends to the guest; 0: none */
	uint8_t mac[6]; /* zeroes until one is chosen */
	char bridge[16];
	unsigned queues;     /* 0: the backend's default */
	unsigned mtu;        /* 0: 1500 */
	uint64_t rate_bytes; /* in each rate_us; 0: no limit */
	uint64_t rate_us;
	struct net_address address[2]; /* IPv4, IPv6 */
	uint32_t back_without;         /* PVR_NETBACK_NO_* */
	uint32_t front_without;        /* PVR_NETFRONT_NO_* */
};

/* For --help: what a SPEC is. */
extern const char net_spec_help[];

/* Read a SPEC: tap[=NAME]|user|passt=SOCKET|null[=BYTES]|loop, then ,key=value... 0, or -EINVAL with one line in why[size]. */
int net_spec_parse(const char *text, struct net_spec *spec, char *why, size_t size);

/* "02:00:00:00:00:01" to six bytes and back: 0 or -EINVAL. */
int net_mac_parse(const char *text, uint8_t mac[6]);
const char *net_mac_text(const uint8_t mac[6], char out[18]);

/* A locally chosen address of Xen's range 00:16:3e, where the user gave none. */
void net_mac_choose(struct net_spec *spec);

/* ---- interfaces in xenstore (vif.c) ---- */

/* Give a domain an interface; chooses spec->mac where there is none. As disk_attach. */
int vif_attach(
	struct pvr_host *host, uint32_t domid, struct net_spec *spec, char *why, size_t size);

/* ---- the guest's network namespace (netns.c) ---- */

/*
 * Leave for a new network namespace, and without privilege for a new user namespace too, in which the caller is root. 0, or a
 * negative errno with one line in why[size] that says what is missing.
 */
int netns_enter(char *why, size_t size);

/* Open `queues` descriptors of the TAP `name`, made in this namespace, each with a virtio_net_hdr before a packet. As above. */
int netns_tap_open(const char *name, unsigned queues, int *fds, char *why, size_t size);

/* Give the interface its addresses, and bring it up. As above. */
int netns_configure(const char *name, const struct net_spec *spec, const uint8_t mac[6],
	unsigned mtu, char *why, size_t size);

/* Bring the loopback interface up. As above. */
int netns_loopback(char *why, size_t size);

/* ---- the pump (net_pump.c, net_queue.c) ---- */

/*
 * Be the guest: attach to domain `domid` of the hypervisor in `dir`, connect its `count` interfaces, and move packets between
 * them and TAPs eth0, eth1, ... in a network namespace of the calling process' own, until SIGTERM. A byte goes to
 * ready_fd once all is up. 0, or a sysexits status with the reason said.
 */
int net_pump_run(const char *dir, uint32_t domid, const struct net_spec *specs, unsigned count,
	int ready_fd);

/* A packet on its way: its pages, until the frontend is done with them. */
struct net_flight {
	struct net_flight *next;
	unsigned count;
	void *page[PVR_NET_SLICES_MAX];
};

/* One queue of an interface, and its TAP descriptor. */
struct net_queue {
	struct pvr_netfront *net;
	unsigned index;
	int tap, stop;    /* stop: readable when it is time to end; -1 then */
	uint64_t deadline; /* of its end; 0: not told to */
	uint32_t offload; /* TUN_F_*, as told to the TAP by queue 0 */
	int room;         /* for what the TAP has */
	struct net_flight *flights, *idle;
	void *page[PVR_NET_SLICES_MAX]; /* in hand: where the next packet goes */
	unsigned pages;
	uint64_t refused; /* packets that the TAP or the frontend did not take */
	int error;
};

/* Move packets until `stop` is readable (0), or the interface or the TAP is gone: a negative errno, in queue->error too. */
int net_queue_run(struct net_queue *queue);

/* The calls of a frontend whose queues are run so; `user` is an array of struct net_queue, by index. */
extern const struct pvr_netfront_calls net_queue_calls;

/* ---- interfaces of an ephemeral system (net_system.c) ---- */

#define NETS_MAX 8u

/* Start the network backend of `system`, again when it died. 0 or a sysexits status, said. */
int ephemeral_netback(struct ephemeral *system);

/*
 * Start a network backend beside `system`, and attach these interfaces: to a domain "guest-net" with a pump, or (pumped 0) to
 * the system's own, whose kernel has frontends. 0, or a sysexits status with the reason said; ephemeral_stop ends it in
 * any case.
 */
int ephemeral_net(
	struct ephemeral *system, struct net_spec *specs, unsigned count, int pumped);

/* Join the network namespace of the system's pump: in the child that becomes the command. 0 or a sysexits status, said. */
int ephemeral_net_join(const struct ephemeral *system);

#endif
