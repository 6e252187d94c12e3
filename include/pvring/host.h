/* SPDX-License-Identifier: MIT */
/*
 * The backend's waist: what a hypervisor supplies to a backend in dom0. Two implementations, chosen when a
 * handle is opened: over our daemon (ports/dom0) and over the real Xen (ports/xen); the unit tests link a mock.
 *
 * A struct pvr_host belongs to one thread; a worker that wants its own opens its own. Everything a handle
 * still holds is released when it is closed, or by the hypervisor when the process dies.
 *
 * Errors are 0 or a negative errno; grant operations carry Xen's GNTST_* status in each element.
 */
#ifndef PVR_HOST_H
#define PVR_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/xen.h>

struct pvr_host;

#define PVR_HOST_XEN "xen" /* the address of the real Xen; no directory, for it has no slash */

/*
 * Open a handle. `address`: the directory of our hypervisor's sockets, NULL for the default; or PVR_HOST_XEN:
 * the Xen that this system is dom0 of. Errors: -ENOENT no hypervisor there, -EACCES this user is not dom0
 * there, -ECONNREFUSED, -ENOSYS: built without Xen's libraries.
 */
int pvr_host_open(const char *address, struct pvr_host **host);
void pvr_host_close(struct pvr_host *host);

/* 1 when this system is dom0 of the real Xen (/proc/xen/capabilities says control_d). */
int pvr_host_on_xen(void);

/*
 * The ioctl requests that the functions below make, `*count` of them, which a process that confines itself has
 * to allow; what they call beside is reading, writing, messages, and mapping memory.
 */
const unsigned long *pvr_host_ioctls(const struct pvr_host *host, unsigned *count);

/* The hypervisor is gone: every later call fails with -ECONNRESET; whoever sees it ends in order. */

/* ---- grants ---- */

/*
 * One page to map. In: domid, ref, readonly, joined, brief. Out: status (GNTST_okay or a negative GNTST_*), and when
 * okay `address`, the page in this process, `handle`, which unmap needs, and `copied`. The page may change at any
 * time under the reader: its owner can write it.
 *
 * `joined`: it will be unmapped together with the element before it. Where a mapping costs system calls the
 * two are then one, and it ends when the last of them is unmapped.
 *
 * `brief`: only this process looks at the page, only until it is unmapped, and only at `length` bytes from `offset`
 * on, which lie within it; what else is at `address` has no meaning. Where a mapping costs more than a copy the
 * implementation may then copy, and says so in `copied`: when readonly these bytes are copied by the map, which looks at
 * offset and length; otherwise by the unmap, which looks at them then, and at a length of 0 as at nothing to be
 * copied. A bad reference is then found by whichever copies. `joined` has no meaning beside it.
 */
struct pvr_host_map {
	domid_t domid;
	uint8_t readonly, joined, brief, copied;
	int16_t status;
	uint16_t offset, length;
	grant_ref_t ref;
	uint32_t handle;
	void *address;
};

/* Map count pages; looks at each in turn and never stops at a bad one. Returns how many are okay. Never sleeps. */
unsigned pvr_host_map(struct pvr_host *host, struct pvr_host_map *maps, unsigned count);

/*
 * Unmap pages mapped before; count elements with their handles. Never sleeps; cannot fail for a live handle. Of a page that
 * is brief and writable, whose status is GNTST_okay before, it says afterwards whether the bytes have arrived; of others
 * it is left as it is.
 */
void pvr_host_unmap(struct pvr_host *host, struct pvr_host_map *maps, unsigned count);

/*
 * Map count pages (1 to 16) of one domain contiguously, writable: a ring. All or none; the status of the
 * first that failed in *status. 0 or -EACCES; `area` is then for unmap_area. May sleep.
 *
 * Where the implementation has all of the domain's memory mapped anyway, `memory` is that, and the pages that
 * pvr_host_map maps through this handle lie in it; it stays until the area is unmapped. On real Xen there is no
 * such thing: NULL.
 */
struct pvr_host_area {
	void *address;
	unsigned count;
	void *memory;
	size_t memory_bytes;
	struct pvr_host_map pages[16];
};
int pvr_host_map_area(struct pvr_host *host, domid_t domid, const grant_ref_t *refs, unsigned count,
	struct pvr_host_area *area, int16_t *status);
void pvr_host_unmap_area(struct pvr_host *host, struct pvr_host_area *area);

/* One copy between local memory and a granted page, within that page. Status as in map. */
struct pvr_host_copy {
	domid_t domid;
	uint8_t to_guest;
	int16_t status;
	grant_ref_t ref;
	uint16_t offset;
	uint16_t length;
	void *local;
};
unsigned pvr_host_copy(struct pvr_host *host, struct pvr_host_copy *copies, unsigned count);

/* ---- event channels ---- */

/* Bind to `remote` of domain domid; the local port, or a negative errno (-EINVAL: not ours to bind). May sleep. */
int pvr_host_evtchn_bind(struct pvr_host *host, domid_t domid, evtchn_port_t remote);
void pvr_host_evtchn_unbind(struct pvr_host *host, evtchn_port_t port);

/* Send an event. Never sleeps. */
void pvr_host_evtchn_notify(struct pvr_host *host, evtchn_port_t port);

/* Readable while a port of this handle is pending; for poll(2) and its like. Owned by the handle. */
int pvr_host_evtchn_fd(struct pvr_host *host);

/* Take the next pending port, clearing it: the port, or -EAGAIN. Never sleeps. */
int pvr_host_evtchn_pending(struct pvr_host *host);

/* ---- xenstore ---- */

/* Transaction number; 0: outside of any. All of these sleep until xenstored has answered. */
typedef uint32_t pvr_host_tx;

/* As pvring/store.h: value with NUL into value[size], its length, or a negative errno (-ENOENT, -E2BIG, ...). */
int pvr_host_store_read(struct pvr_host *host, pvr_host_tx tx, const char *path, char *value, size_t size);
int pvr_host_store_write(struct pvr_host *host, pvr_host_tx tx, const char *path, const char *value);
int pvr_host_store_rm(struct pvr_host *host, pvr_host_tx tx, const char *path);
/* Names of the children, each ended by NUL; the bytes used. */
int pvr_host_store_list(struct pvr_host *host, pvr_host_tx tx, const char *path, char *names, size_t size);
int pvr_host_store_tx_start(struct pvr_host *host, pvr_host_tx *tx);
int pvr_host_store_tx_end(struct pvr_host *host, pvr_host_tx tx, int commit);
/* Permissions as xenstore-chmod writes them: "n0", "r5", each ended by NUL; `length` counts them all. */
int pvr_host_store_set_perms(
	struct pvr_host *host, pvr_host_tx tx, const char *path, const char *perms, size_t length);

/* Watch path; events carry `token` back. */
int pvr_host_store_watch(struct pvr_host *host, const char *path, const char *token);
int pvr_host_store_unwatch(struct pvr_host *host, const char *path, const char *token);

/*
 * The next watch event: 1 with the path that changed and the token, 0 when none waits, -ECONNRESET when
 * xenstored is gone. Equal events that wait are one. Never sleeps. store_fd is readable when there may be one; call
 * until 0 before waiting on it.
 */
int pvr_host_store_event(
	struct pvr_host *host, char *path, size_t path_size, char *token, size_t token_size);
int pvr_host_store_fd(struct pvr_host *host);

#endif
