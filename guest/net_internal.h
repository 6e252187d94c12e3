/* SPDX-License-Identifier: MIT */
/* The network scenarios: what each is told. */
#ifndef PVR_GUEST_NET_INTERNAL_H
#define PVR_GUEST_NET_INTERNAL_H

#include <stdint.h>

#include <lwip/ip4_addr.h>

#include "net_if.h"

/* What a scenario was told: net=NAME[,ADDRESS][,PORT][,NUMBER[,CONNECTIONS]]; 0 is what was not said. */
struct net_orders {
	ip4_addr_t address;
	uint16_t port;
	unsigned connections;
	uint64_t number;
};

/*
 * Each says in one line what it has seen: 0, or failed() of kernel.h.
 *
 * ping   NUMBER (3) echo requests to ADDRESS, all of which are answered
 * serve  TCP port 7 says what it hears, for NUMBER seconds, for ever if it is 0; or until CONNECTIONS have ended in order, which
 *        is a failure when the time is over before
 * get    NUMBER bytes of the pattern come from PORT of ADDRESS, and no more
 * put    they go there and are acknowledged; then the peer closes
 */
int net_ping(struct net_if *nif, const struct net_orders *orders);
int net_serve(struct net_if *nif, const struct net_orders *orders);
int net_get(struct net_if *nif, const struct net_orders *orders);
int net_put(struct net_if *nif, const struct net_orders *orders);

#endif
