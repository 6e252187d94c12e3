/* SPDX-License-Identifier: MIT */
/*
 * Packets that the hash sends to another queue than the outside gave them to: copied into its
 * inbox, which any worker fills and its owner empties. Bounded: what does not fit is dropped.
 */
#ifndef PVR_NETBACK_INBOX_H
#define PVR_NETBACK_INBOX_H

#include <pthread.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#define PVR_NETBACK_PARCEL_MAX 65536u /* bytes of the largest packet; one over what netif can say  \
				       */
#define PVR_NETBACK_INBOX_BYTES (4u * PVR_NETBACK_PARCEL_MAX)

/* A packet for the frontend, without its bytes. */
struct pvr_netback_parcel {
	uint32_t bytes;
	struct virtio_net_hdr vnet;
	int8_t hash_type; /* -1: no hash */
	uint32_t hash;
};

struct pvr_netback_inbox {
	int fd; /* eventfd, readable while something is in it */
	pthread_mutex_t lock;
	_Atomic uint32_t used; /* bytes */
	uint32_t head;         /* free-running; where the next one is read */
	uint8_t *bytes;        /* PVR_NETBACK_INBOX_BYTES; allocated by the first put */
};

/* 0 or a negative errno. */
int pvr_netback_inbox_init(struct pvr_netback_inbox *inbox);
void pvr_netback_inbox_end(struct pvr_netback_inbox *inbox);

/* Copy a packet into it: 0, or -ENOBUFS. */
int pvr_netback_inbox_put(struct pvr_netback_inbox *inbox, const struct pvr_netback_parcel *parcel,
	const struct iovec *iov, int count);
/* Take the next one, its bytes into bytes[PVR_NETBACK_PARCEL_MAX]: 1, or 0 when there is none. */
int pvr_netback_inbox_take(
	struct pvr_netback_inbox *inbox, struct pvr_netback_parcel *parcel, uint8_t *bytes);

#endif
