/* SPDX-License-Identifier: MIT */
/*
 * What stands behind an interface: a TAP device, passt's socket, nothing (null), or a mirror
 * (loop). One is open a vif, with a port for each queue, which belongs to the worker that has the
 * queue.
 *
 * Packets cross with a struct virtio_net_hdr (Linux's, ten bytes, native byte order) in iov[0],
 * which says checksum and GSO; the rest of the iovecs is the packet.
 */
#ifndef PVR_NETBACK_OUTSIDE_H
#define PVR_NETBACK_OUTSIDE_H

#include <sys/types.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#include "vif.h"

/* What it takes from us, and what it may give us. Everything else is done in software, or not
 * offered. */
enum {
	PVR_NETBACK_CSUM = 1, /* a checksum that is not complete */
	PVR_NETBACK_GSO4 = 2,
	PVR_NETBACK_GSO6 = 4,
};

/* An outside without a header of its own starts with this. */
struct pvr_netback_outside {
	const struct pvr_netback_outside_ops *ops;
	unsigned queues_max; /* to be offered to the frontend; at most what the spec says */
	unsigned takes;      /* PVR_NETBACK_* */
	size_t packet_max;   /* bytes of the largest packet it can give, when connected */
};

struct pvr_netback_outside_ops {
	const char *type;
	int (*open)(const struct pvr_netback_spec *spec, struct pvr_netback_outside **outside,
		char error[PVR_NETBACK_LINE]);
	void (*close)(struct pvr_netback_outside *outside);
	int (*connect)(struct pvr_netback_outside *outside, unsigned queues, unsigned gives);
	void (*disconnect)(struct pvr_netback_outside *outside);

	/*
	 * One packet; nothing here sleeps. write: 0, or a negative errno: it is lost. read: the
	 * bytes of it and of its header; -EAGAIN: there is none. What does not fit the iovecs is
	 * lost: the caller gives enough and a little more, to see it.
	 */
	int (*write)(struct pvr_netback_outside *outside, unsigned queue, const struct iovec *iov,
		int count);
	ssize_t (*read)(struct pvr_netback_outside *outside, unsigned queue,
		const struct iovec *iov, int count);

	/* To wait on, or -1. `room`: a write can be taken now, else wait for POLLOUT; NULL: always.
	 */
	int (*fd)(struct pvr_netback_outside *outside, unsigned queue);
	int (*room)(struct pvr_netback_outside *outside, unsigned queue);
	/* For what has no fd: a read has something. NULL: ask the fd. */
	int (*ready)(struct pvr_netback_outside *outside, unsigned queue);
};

/*
 * Open what spec->type names, on the control thread; may sleep. 0, or a negative errno and one line
 * that says what is missing.
 */
int pvr_netback_outside_open(const struct pvr_netback_spec *spec,
	struct pvr_netback_outside **outside, char error[PVR_NETBACK_LINE]);
/* NULL is allowed. */
void pvr_netback_outside_close(struct pvr_netback_outside *outside);

/*
 * A frontend is there: packets come to so many ports, made so that it can take them. Or gone: what
 * comes is lost. 0 or a negative errno. On the control thread while no worker has a queue of it.
 */
int pvr_netback_outside_connect(
	struct pvr_netback_outside *outside, const struct pvr_netback_facts *facts);
void pvr_netback_outside_disconnect(struct pvr_netback_outside *outside);

extern const struct pvr_netback_outside_ops pvr_netback_outside_tap, pvr_netback_outside_passt,
	pvr_netback_outside_null, pvr_netback_outside_loop;

#endif
