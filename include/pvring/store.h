/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client of a guest: Xen's public xs_wire.h over the shared ring page. Requests are
 * serialised; each sleeps until its reply is there. Paths are absolute, or relative to the domain's own
 * /local/domain/<domid>. A reply that does not fit what the caller offers is -E2BIG, never cut short.
 *
 * Errors are the errno values xenstored names (-ENOENT, -EACCES, -EAGAIN at a transaction's end, ...),
 * -EPROTO when the ring holds what no xenstored sends, -ETIMEDOUT when no reply came within
 * PVR_STORE_TIMEOUT_NS.
 *
 * Freestanding. Thread context, may sleep, but where noted.
 */
#ifndef PVR_STORE_H
#define PVR_STORE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/xs_wire.h>

#define PVR_STORE_TIMEOUT_NS 10000000000ull

/* Transaction number; 0: outside of any. */
typedef uint32_t pvr_store_tx;

/*
 * A watch that counts: `fired` goes up with every event, and waiters on it are woken. Coalescing is the
 * point: a flood of events costs a counter. The caller owns the structure and keeps it, at one address, until
 * pvr_store_unwatch has returned.
 */
struct pvr_store_watch {
	_Atomic uint32_t fired;
	char path[128];
	uint32_t token;               /* private: names the watch to xenstored */
	struct pvr_store_watch *next; /* private */
};

/* Value of a node into value[size], terminated by NUL; the length without it. */
int pvr_store_read(pvr_store_tx tx, const char *path, char *value, size_t size);

/* Value of a node as an unsigned decimal number; -EINVAL when it is not exactly that or too large. */
int pvr_store_read_u64(pvr_store_tx tx, const char *path, uint64_t *value);

/* Write a NUL-terminated value, and a number in decimal. */
int pvr_store_write(pvr_store_tx tx, const char *path, const char *value);
int pvr_store_write_u64(pvr_store_tx tx, const char *path, uint64_t value);

int pvr_store_rm(pvr_store_tx tx, const char *path);

/* Names of the children of a node, each ended by NUL, into names[size]; the bytes used. */
int pvr_store_list(pvr_store_tx tx, const char *path, char *names, size_t size);

/* Begin; end by commit (-EAGAIN: do it all again) or abort. */
int pvr_store_tx_start(pvr_store_tx *tx);
int pvr_store_tx_end(pvr_store_tx tx, int commit);

/* Start watching path (at most 127 bytes); xenstored fires every watch once at the start. */
int pvr_store_watch(struct pvr_store_watch *watch, const char *path);
void pvr_store_unwatch(struct pvr_store_watch *watch);

/*
 * Sleep until watch->fired is not `seen` any more (0) or the deadline (-ETIMEDOUT). With several watches,
 * pvr_store_wait_any sleeps until any watch at all fires: `*fired_total` is the caller's memory of the sum.
 */
int pvr_store_wait(struct pvr_store_watch *watch, uint32_t seen, uint64_t deadline_ns);
int pvr_store_wait_any(uint32_t *fired_total, uint64_t deadline_ns);

/*
 * Take in whatever the ring holds now, so that `fired` of every watch is up to date. Does not sleep, and
 * costs two loads when nothing came since the last time: a data path may call it in passing.
 */
void pvr_store_pump(void);

/*
 * The ring is of no use any more, for good: it held what no xenstored sends, or nobody is at the other end.
 * Every call ends with -EPROTO, and no watch fires. Costs a load; does not sleep.
 */
int pvr_store_is_broken(void);

/*
 * For the port, when it learns that nobody is at the other end any more and has said so. Wakes all who wait.
 * Any context; does not sleep.
 */
void pvr_store_lost(void);

#endif
