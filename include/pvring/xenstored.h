/* SPDX-License-Identifier: MIT */
/*
 * The core of the xenstore daemon: bytes in, bytes out, no I/O, no blocking, one thread.
 *
 * The owner (the hypervisor daemon) makes one store, and one connection for every client socket and
 * every guest's ring page. It feeds what the client sent, sends what the connection has to say, and
 * is told by a callback when there is something to do. The protocol is that of xen/io/xs_wire.h and
 * Xen's docs/misc/xenstore.txt; the quotas and error numbers are those of Xen's C xenstored.
 *
 * Functions that return int return 0 or a negative errno value. No function sleeps. Callbacks are
 * made from inside the functions below; what a callback may do is said where it is declared.
 */
#ifndef PVRING_XENSTORED_H
#define PVRING_XENSTORED_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct pvr_xs;
struct pvr_xs_conn;

/*
 * What one unprivileged domain may hold, over all of its connections. The values are the defaults
 * of Xen's xenstored (its --quota options); privileged connections and domain 0 are not limited,
 * except that no queue of theirs grows without end either.
 */
struct pvr_xs_quota {
	uint32_t nodes;             /* nodes owned; ENOSPC */
	uint32_t node_size;         /* bytes of permissions, value and children's names; ENOSPC */
	uint32_t node_perms;        /* permission entries of one node; ENOSPC */
	uint32_t watches;           /* E2BIG */
	uint32_t transactions;      /* open at the same time; ENOSPC */
	uint32_t transaction_nodes; /* nodes touched by one transaction; ENOSPC */
	uint32_t outstanding; /* unread replies of one connection, then it is not listened to */
	uint32_t memory;      /* bytes of nodes, watches, transactions and unread output; ENOMEM */
	uint32_t path_abs;    /* bytes of an absolute path; EINVAL */
	uint32_t path_rel;    /* bytes of a path relative to the domain's home; EINVAL */
};

#define PVR_XS_QUOTA_NODES             1000
#define PVR_XS_QUOTA_NODE_SIZE         2048
#define PVR_XS_QUOTA_NODE_PERMS        5
#define PVR_XS_QUOTA_WATCHES           128
#define PVR_XS_QUOTA_TRANSACTIONS      10
#define PVR_XS_QUOTA_TRANSACTION_NODES 1024
#define PVR_XS_QUOTA_OUTSTANDING       20
#define PVR_XS_QUOTA_MEMORY            (2560u * 1024)
#define PVR_XS_PATH_ABS                3072
#define PVR_XS_PATH_REL                2048

/* Bounds of ours that hold for everybody, privileged or not. */
#define PVR_XS_EVENTS_MAX     1024u               /* watch events that wait on one connection */
#define PVR_XS_SNAPSHOT_MAX   (16u * 1024 * 1024) /* bytes that only old transactions still see */
#define PVR_XS_CONFLICT_BURST 16 /* transactions of others a domain may break at once */
#define PVR_XS_CONFLICT_MS    20 /* and the time after which it may break one more */

/* The defaults above as an initializer. */
/* clang-format off */
#define PVR_XS_QUOTA_DEFAULT                                                                       \
	{                                                                                          \
		.nodes = PVR_XS_QUOTA_NODES,                                                       \
		.node_size = PVR_XS_QUOTA_NODE_SIZE,                                               \
		.node_perms = PVR_XS_QUOTA_NODE_PERMS,                                             \
		.watches = PVR_XS_QUOTA_WATCHES,                                                   \
		.transactions = PVR_XS_QUOTA_TRANSACTIONS,                                         \
		.transaction_nodes = PVR_XS_QUOTA_TRANSACTION_NODES,                               \
		.outstanding = PVR_XS_QUOTA_OUTSTANDING,                                           \
		.memory = PVR_XS_QUOTA_MEMORY,                                                     \
		.path_abs = PVR_XS_PATH_ABS,                                                       \
		.path_rel = PVR_XS_PATH_REL,                                                       \
	}
/* clang-format on */

/*
 * What the store asks of its owner, for requests of privileged clients. Any member may be NULL: the
 * request is then answered ENOSYS (introduce), or needs nothing more than the store's own part
 * (release, resume, set_target), or is dropped (print), or the time is CLOCK_MONOTONIC (now_ms).
 * They return 0 or a negative errno value, which the client gets. They may call pvr_xs_conn_create
 * and pvr_xs_conn_destroy for connections other than the one that asks; release is the place to
 * destroy the connections of the domain.
 */
struct pvr_xs_ops {
	int (*introduce)(void *opaque, uint16_t domid, uint64_t gfn, uint32_t evtchn);
	int (*release)(void *opaque, uint16_t domid);
	int (*resume)(void *opaque, uint16_t domid);
	int (*set_target)(void *opaque, uint16_t domid, uint16_t target);
	void (*print)(void *opaque, const char *text); /* XS_CONTROL "print" */
	uint64_t (*now_ms)(void *opaque);
};

/*
 * An empty store: "/", owned by domain 0 and readable by it alone, "/tool", "/tool/xenstored" and
 * "/local", "/local/domain" as Xen's has. NULL quota means the defaults, NULL ops none; both are
 * copied. Returns NULL when there is no memory.
 */
struct pvr_xs *pvr_xs_create(
	const struct pvr_xs_quota *quota, const struct pvr_xs_ops *ops, void *opaque);

/* Frees everything, the connections that are left included; calls nothing back. */
void pvr_xs_destroy(struct pvr_xs *xs);

/*
 * Milliseconds until pvr_xs_run has something to do, for epoll_wait; -1 when nothing is scheduled.
 * Time is needed for one purpose only: a domain that breaks other domains' transactions over and
 * over is not listened to for a while (PVR_XS_CONFLICT_*).
 */
int pvr_xs_timeout(struct pvr_xs *xs);
void pvr_xs_run(struct pvr_xs *xs);

/* ---- connections ---- */

/*
 * `ready` says that pvr_xs_conn_output has bytes where it had none, or that pvr_xs_conn_feed will
 * accept where it did not. It must only take a note (set a bit, arm epoll): it must not call back
 * into the store.
 */
struct pvr_xs_conn_ops {
	void (*ready)(void *opaque);
};

/*
 * A client of domain `domid`. Privileged is what dom0's tools are: it sees and changes everything
 * and may use INTRODUCE, RELEASE and so on. A domain needs not be introduced to have connections.
 * The ops are copied. Returns NULL when there is no memory.
 */
struct pvr_xs_conn *pvr_xs_conn_create(struct pvr_xs *xs, uint16_t domid, int privileged,
	const struct pvr_xs_conn_ops *ops, void *opaque);

/* Drops the client's watches and transactions, and the connection. */
void pvr_xs_conn_destroy(struct pvr_xs_conn *conn);

/*
 * Takes up to `len` bytes the client sent, answers complete requests, and returns how many bytes it
 * took. Fewer than `len` means that the client is held up: it does not read its replies, or it pays
 * for breaking transactions. The rest must be kept (in the ring, in the socket) and offered again
 * after `ready` or after pvr_xs_conn_consume. Messages may be cut anywhere.
 *
 * -EPROTO: the client announced a payload over XENSTORE_PAYLOAD_MAX; drop the connection (on a ring
 * page set XENSTORE_ERROR_PROTO). -ENOMEM: there was no memory for a reply; drop the connection
 * too. The error stays.
 */
ssize_t pvr_xs_conn_feed(struct pvr_xs_conn *conn, const void *bytes, size_t len);

/*
 * How many bytes feed would surely take now: 0 when the client is held up, else what is missing of
 * the current header or payload. For an owner that wants to keep no rest of its own.
 */
size_t pvr_xs_conn_wants(const struct pvr_xs_conn *conn);

/*
 * Bytes to be sent: stores a pointer to the first of them and returns how many follow it in one
 * piece (0: nothing waits; after consume there may be another piece). Valid until the next call for
 * this store.
 */
size_t pvr_xs_conn_output(struct pvr_xs_conn *conn, const void **bytes);

/* The first n bytes of the output were sent; n is at most what pvr_xs_conn_output returned. */
void pvr_xs_conn_consume(struct pvr_xs_conn *conn, size_t n);

/* ---- the daemon's own hand in the store: as domain 0, outside transactions ---- */

/* Writes a string (without its nul), creating what is missing above it; fires watches. */
int pvr_xs_write(struct pvr_xs *xs, const char *path, const char *value);
int pvr_xs_writef(struct pvr_xs *xs, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Copies the value into buf with a nul behind it and returns its length; -ENOENT; -ERANGE when it
 * does not fit into size bytes with its nul.
 */
ssize_t pvr_xs_read(struct pvr_xs *xs, const char *path, char *buf, size_t size);

/*
 * Copies the names of the children, each with its nul, and returns how many bytes that are;
 * -ENOENT; -ERANGE when they do not fit into size bytes.
 */
ssize_t pvr_xs_list(struct pvr_xs *xs, const char *path, char *names, size_t size);

/*
 * Makes the node if it is missing and sets its permissions: `perms` is a list as the tools write
 * it, separated by commas, "n5,r0": owner 5, nobody else but domain 0 reads. -EINVAL for a bad
 * list.
 */
int pvr_xs_mkdir_perms(struct pvr_xs *xs, const char *path, const char *perms);

/* Removes the node and all below it; 0 also when it is not there, -ENOENT without its parent. */
int pvr_xs_rm(struct pvr_xs *xs, const char *path);

/* The domain is there: fires @introduceDomain. -EEXIST when it is introduced already. */
int pvr_xs_introduce(struct pvr_xs *xs, uint16_t domid);

/* The domain has shut down or crashed: fires @releaseDomain, once until pvr_xs_resume. */
void pvr_xs_shutdown(struct pvr_xs *xs, uint16_t domid);
void pvr_xs_resume(struct pvr_xs *xs, uint16_t domid);

/*
 * The domain is gone: its watches and transactions go, /local/domain/<domid> is removed, nodes it
 * owns elsewhere become domain 0's, its entries in other nodes' permissions go, targets that name
 * it are cleared, and @releaseDomain fires. A later domain of the same number inherits nothing.
 * Connections of the domain stay until the owner destroys them but are no longer listened to.
 * -ENOENT when the domain is not known.
 */
int pvr_xs_release(struct pvr_xs *xs, uint16_t domid);

/* ---- looking inside ---- */

/*
 * Walks the store and compares: names, links, generations, per-domain counts with what is
 * accounted. Writes one line a fault to `out` when that is not NULL. Returns the number of faults.
 */
unsigned pvr_xs_check(struct pvr_xs *xs, FILE *out);

struct pvr_xs_usage {
	uint32_t nodes, watches, transactions;
	size_t memory;
};

/* What a domain holds now; zeroes for an unknown one. */
void pvr_xs_usage(const struct pvr_xs *xs, uint16_t domid, struct pvr_xs_usage *usage);

#endif
