/* SPDX-License-Identifier: MIT */
/*
 * The network frontend: an interface of the guest, served by whatever backend speaks Xen's public
 * io/netif.h.
 *
 * The interface has queues; a queue sends and receives, and belongs to one thread at a time. Its owner calls
 * pvr_netfront_send and _kick, and pvr_netfront_poll, which calls back for what was received and for what was
 * sent. It sleeps in pvr_netfront_wait, or arms the queue and waits for its event channels in its own way.
 *
 * Pages. What is sent lies in pages of the domain: pages from pvr_port_pages_alloc, granted while the
 * packet is in flight, or pages of the queue itself (pvr_netfront_page_get), granted once for all when static
 * grants were negotiated. What is received lies in pages of the queue, for as long as the callback runs.
 *
 * Packets start with an Ethernet header and have no checksum at their end. They are 14 to 65535 bytes. Those
 * that are longer than the MTU and a header need GSO.
 *
 * What a backend does wrong (an index too far, an id that is not on the ring, an answer that is longer than its
 * page or does not stand in its request's slot, extra information without end) puts the interface into the error
 * state: logged once, everything in flight ends with -EIO, what comes later with -ENODEV. A packet that is merely not to be
 * used (too many slices, an error status) is dropped and counted.
 *
 * A backend that is to come back is waited for, as pvring/blkfront.h has it: the interface then offers new rings.
 * Packets in flight at that time end with -EIO and are not sent again: the network may lose packets. What is sent
 * meanwhile is refused (0 taken).
 *
 * A page that the backend still has mapped when its packet must end is leaked, never reused; the packet ends
 * with -EBUSY, and its pages must be neither used again nor given back. A page for receiving that the backend
 * keeps cannot be posted again: it puts the interface into the error state.
 *
 * Freestanding. Thread context.
 */
#ifndef PVR_NETFRONT_H
#define PVR_NETFRONT_H

#include <stdint.h>

#include <pvring/xen/event_channel.h>
#include <pvring/xen/netif.h>

struct pvr_netfront;
struct pvr_netfront_queue;

#define PVR_NETFRONT_QUEUES_MAX 16u
#define PVR_NET_SLICES_MAX      XEN_NETIF_NR_SLOTS_MIN /* io/netif.h: what every backend accepts */
#define PVR_NET_HASH_KEY        40u                    /* bytes of a Toeplitz key */
#define PVR_NET_HASH_MAP_MAX    128u

/* A piece of a packet within one page. */
struct pvr_net_slice {
	void *address;
	uint32_t length; /* bytes, 1 to 4096 */
};

enum {
	PVR_NET_CSUM_BLANK = 1,     /* the TCP or UDP checksum holds the pseudo header's sum only */
	PVR_NET_DATA_VALIDATED = 2, /* nobody needs to check its checksum */
};

struct pvr_net_packet {
	uint32_t count, bytes;  /* slices, and bytes of all of them */
	uint16_t flags;         /* PVR_NET_* */
	uint16_t gso_size;      /* payload bytes of a segment; with gso_type */
	uint8_t gso_type;       /* XEN_NETIF_GSO_TYPE_*; not NONE implies CSUM_BLANK */
	uint8_t hash_algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_*; received ones only */
	uint8_t hash_type;      /* bit number _XEN_NETIF_CTRL_HASH_TYPE_* */
	uint32_t hash;          /* as Toeplitz gives it; the wire has its least significant byte first */
	void *token;            /* of a sent packet: the caller's own */
	struct pvr_net_slice slice[PVR_NET_SLICES_MAX];
};

/*
 * Called by pvr_netfront_poll (`sent` by _send and _close too), in the thread that called it. They may send, may not
 * sleep.
 *
 * received  packet and pages are the callback's until it returns. With static grants the backend can still write
 *           the pages meanwhile: copy once what decides anything.
 * sent      error is 0, -EIO (dropped by the backend, or it died), -ENODEV, or -EBUSY (the pages are lost).
 */
struct pvr_netfront_calls {
	void (*received)(
		void *user, struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet);
	void (*sent)(void *user, struct pvr_netfront_queue *queue, void *token, int error);
	void *user;
};

/* Features are used when the backend has them, unless they are named here. */
enum {
	PVR_NETFRONT_NO_SG = 1,
	PVR_NETFRONT_NO_GSO = 2,    /* neither direction, IPv4 nor IPv6 */
	PVR_NETFRONT_NO_CSUM = 4,   /* neither direction: feature-no-csum-offload is written */
	PVR_NETFRONT_NO_SPLIT = 8,  /* one event channel a queue */
	PVR_NETFRONT_NO_STATIC = 16 /* no static grants, even if the backend keeps mappings */
};

/* All zero: the defaults. */
struct pvr_netfront_options {
	uint32_t queues;    /* at most; 0: one */
	uint32_t without;   /* PVR_NETFRONT_NO_* */
	uint32_t multicast; /* ask for multicast control: nothing comes that was not joined */
	uint64_t
		reconnect_ns; /* how long to wait for a backend that vanished; 0: 60 s; UINT64_MAX: ever */
};

/* What was negotiated. Renewed by poll when the interface reconnects, but for the number of queues. */
struct pvr_netfront_info {
	uint8_t mac[6];
	uint16_t mtu;     /* 1500 when nobody says otherwise */
	uint32_t carrier; /* the backend is Connected, and its `carrier` node (ours) is not 0 */
	uint32_t queues, entries; /* queues, and slots of a ring */
	uint32_t sg, gso4, gso6;  /* for sending; without sg one slice a packet */
	uint32_t csum4, csum6;    /* packets with CSUM_BLANK can be sent */
	uint32_t split, control, multicast;
	uint32_t static_pages; /* pages a queue has granted for all time; 0: none */
};

struct pvr_netfront_stats {
	uint64_t tx_packets, tx_bytes, tx_errors;
	uint64_t rx_packets, rx_bytes, rx_dropped; /* dropped: not usable */
	uint64_t tx_gso, rx_gso;
	uint64_t notifies, events;
	uint64_t grants;        /* granted, one at a time */
	uint64_t grants_static; /* slots sent or posted by a static grant */
	uint64_t grants_leaked;
	uint64_t reconnects;
};

/*
 * Connect the interface whose directory is `path` ("device/vif/0"), until the backend is Connected or deadline_ns
 * (pvr_port_now_ns time) has passed; posts all receive buffers. Errors as pvr_blkfront_open's. options may be
 * NULL; calls is copied.
 */
int pvr_netfront_open(const char *path, const struct pvr_netfront_options *options,
	const struct pvr_netfront_calls *calls, uint64_t deadline_ns, struct pvr_netfront **net);

/*
 * Sends what was queued (a second at the most), ends what is in flight, goes through Closing and Closed (bounded by
 * five seconds), frees everything, the queues' pages too.
 */
void pvr_netfront_close(struct pvr_netfront *net);

const struct pvr_netfront_info *pvr_netfront_info(const struct pvr_netfront *net);
/* Of all queues together; exact only while their owners are still. */
void pvr_netfront_stats(const struct pvr_netfront *net, struct pvr_netfront_stats *stats);

/* Queue 0 to info->queues - 1; NULL beyond. The functions that take one are its owner's. */
struct pvr_netfront_queue *pvr_netfront_queue(struct pvr_netfront *net, unsigned index);
unsigned pvr_netfront_queue_index(const struct pvr_netfront_queue *queue);

/*
 * A page of the queue to send from; NULL when all are in use. The caller's until pvr_netfront_page_put, which may be
 * called from `sent` (never after -EBUSY). There are as many as slots in a ring.
 */
void *pvr_netfront_page_get(struct pvr_netfront_queue *queue);
void pvr_netfront_page_put(struct pvr_netfront_queue *queue, void *page);

/*
 * Queue one packet: 1 when it was taken, which `sent` will end; 0 when there is no room on the ring now, or no
 * backend; -EINVAL for one that can never be sent (no slices, lengths, features not negotiated); -ENODEV once the interface is in
 * error or gone. Nothing is visible to the backend before the kick. The packet is copied.
 */
int pvr_netfront_send(struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet);

/* Publish what was queued, with at most one event. */
void pvr_netfront_kick(struct pvr_netfront_queue *queue);

/*
 * Take at most `budget` received packets, and everything that was sent; give the buffers back. Also looks after
 * the backend's state. The number of packets and answers, or -ENODEV once the interface is in error or gone.
 */
int pvr_netfront_poll(struct pvr_netfront_queue *queue, unsigned budget);

/* Slots free for sending: a packet needs its slices and one more with gso_type. */
unsigned pvr_netfront_free(const struct pvr_netfront_queue *queue);

/*
 * Sleep until there may be something to poll for, or the deadline; as pvr_blkfront_wait. 0, -ETIMEDOUT, or a negative errno
 * of SCHEDOP_poll.
 */
int pvr_netfront_wait(struct pvr_netfront_queue *queue, uint64_t deadline_ns);

/*
 * To sleep in one's own way: arm returns nonzero when there is something to poll for already; else an event on one of the
 * queue's ports will tell. They stay masked; their owner clears them by pvr_evtchn_clear. Look at the
 * backend by a poll four times a second. ports[1] is 0 without split channels; both change with a reconnect.
 */
int pvr_netfront_arm(struct pvr_netfront_queue *queue);
void pvr_netfront_ports(const struct pvr_netfront_queue *queue, evtchn_port_t ports[2]);

/*
 * Ask the backend to hash what it sends to us and to choose the queue by it: queue map[hash % map_count]. types:
 * XEN_NETIF_CTRL_HASH_TYPE_* bits; 0: no hash. Sleeps. -EOPNOTSUPP without a control ring, -EINVAL, -EIO (the
 * backend refuses), -ETIMEDOUT (a second), -ENODEV. Said again to a new backend; while there is none it is noted for
 * the next, and 0. By any thread.
 */
int pvr_netfront_hash(struct pvr_netfront *net, uint32_t types, const uint8_t key[PVR_NET_HASH_KEY],
	const uint32_t *map, unsigned map_count);

/* Join or leave a multicast group; takes two slots. As pvr_netfront_send; -EOPNOTSUPP unless negotiated. */
int pvr_netfront_multicast(struct pvr_netfront_queue *queue, const uint8_t mac[6], int join);

#endif
