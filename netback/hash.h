/* SPDX-License-Identifier: MIT */
/*
 * Toeplitz hashing of what goes to the frontend, as its control ring asks for it, and the queue
 * that the hash chooses. Pure. Source: Xen's io/netif.h, which follows Microsoft's receive side
 * scaling.
 */
#ifndef PVR_NETBACK_HASH_H
#define PVR_NETBACK_HASH_H

#include "headers.h"

#define PVR_NETBACK_HASH_KEY 40u
#define PVR_NETBACK_HASH_MAP 128u /* entries */
#define PVR_NETBACK_HASH_TYPES                                                                     \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |                       \
		XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

struct pvr_netback_hash {
	uint8_t algorithm;                 /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
	uint8_t types;                     /* XEN_NETIF_CTRL_HASH_TYPE_* bits; 0: no hash */
	uint8_t key[PVR_NETBACK_HASH_KEY]; /* the rest of a shorter one is 0 */
	uint16_t map_size;                 /* 0: the hash modulo the queues */
	uint8_t map[PVR_NETBACK_HASH_MAP];
};

uint32_t pvr_netback_toeplitz(
	const uint8_t key[PVR_NETBACK_HASH_KEY], const uint8_t *bytes, size_t length);

/* Hash a packet by its first bytes; the bit number of the type that was used, or -1: none fits. */
int pvr_netback_hash_packet(
	const struct pvr_netback_hash *hash, const uint8_t *head, size_t have, uint32_t *value);
unsigned pvr_netback_hash_queue(
	const struct pvr_netback_hash *hash, uint32_t value, unsigned queues);

#endif
