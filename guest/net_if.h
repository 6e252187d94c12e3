/* SPDX-License-Identifier: MIT */
/*
 * The guest's network interface: lwIP over pvring/netfront.h. One task owns it, and all of lwIP is called by that
 * task: it opens the interface, takes turns until it has what it wants, and closes.
 */
#ifndef PVR_GUEST_NET_IF_H
#define PVR_GUEST_NET_IF_H

#include <lwip/netif.h>
#include <pvring/netfront.h>

/* All of it is net_if.c's; callers keep it at one address while it is open. */
struct net_if {
	struct netif netif;         /* lwIP's view; state is this structure */
	struct pvr_netfront *front; /* NULL: not open */
	struct pvr_netfront_queue *queue;
	_Atomic uint32_t events; /* a number that moves with every event; the task sleeps on it */
	evtchn_port_t ports[2];  /* whose events are counted; 0: none */
	uint64_t reconnects;     /* the rings those ports belong to */
	int refused;             /* a packet found no room to send since the last turn */
};

/*
 * Connect device/vif/0 and give it an IPv4 address and mask. 0, or a negative errno:
 * pvr_netfront_open's, -ENOMEM. One at a time. Thread context, sleeps.
 */
int net_if_open(struct net_if *nif, const ip4_addr_t *address, const ip4_addr_t *mask);

/*
 * Take what was received, run lwIP's timers, send; and when there was nothing to do sleep until there is, at the latest
 * at the deadline (pvr_port_now_ns time). 0, or -ENODEV once the interface is in error or gone. Thread context.
 */
int net_if_turn(struct net_if *nif, uint64_t deadline_ns);

/* Ends every connection that goes through it, then the interface. Thread context, sleeps. */
void net_if_close(struct net_if *nif);

#endif
