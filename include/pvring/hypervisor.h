/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor daemon: what it offers on its control socket, and the client's half of that.
 *
 * The daemon owns a directory with two sockets:
 *   hypervisor.sock   this protocol: SOCK_SEQPACKET, one struct pvr_hv_msg each way, file descriptors beside it
 *   xenstored.sock    Xen's xs_wire on a stream; what XENSTORED_PATH of the xenstore tools names
 *
 * A client is known by its socket credentials. Root and the daemon's own user may become dom0 or act as the
 * toolstack; a domain's owner (its uid) may attach to that domain. A connection has one role, taken once:
 *
 *   guest   PVR_HV_ATTACH: the calling process becomes the domain and gets its memory. One process at a time.
 *           When it dies (pidfd) or closes the connection, the domain is down: event channels closed,
 *           grants it had mapped released, its frontends' states set to Closed in xenstore. It can be
 *           attached again and then has new, zeroed memory and a new generation.
 *   dom0    PVR_HV_DOM0: may bind event channels as domain 0 and, explicitly, open foreign memory.
 *           Many connections may be dom0. When one ends, what it held is released.
 *   tool    neither: the PVR_HV_DOMAIN_* calls, if the credentials allow. dom0 may make them too; others
 *           see only their own domains in the list.
 *
 * A second role is -EISCONN, a call the role may not make -EPERM, one the credentials forbid -EACCES. A
 * malformed message, or a client that does not read its replies, costs the connection.
 *
 * The data path never passes through here: what the daemon hands out is memory (memfd), event channels
 * (an eventfd a direction) and, to dom0, the books of the grant table (pvring/gnttab.h).
 */
#ifndef PVR_HYPERVISOR_H
#define PVR_HYPERVISOR_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/xen.h>

#define PVR_HV_SOCKET    "hypervisor.sock"
#define PVR_XS_SOCKET    "xenstored.sock"
#define PVR_HV_ENV_DIR   "PVRING_DIR"   /* the directory of the sockets */
#define PVR_HV_ENV_DOMID "PVRING_DOMID" /* the domain a guest program attaches to */

/* Frames of a process domain's memory, which is one memfd: frame f is at byte f * 4096. */
#define PVR_HV_FRAME_SHARED_INFO 1u /* frame 0 is never used */
#define PVR_HV_FRAME_STORE       2u
#define PVR_HV_FRAME_CONSOLE     3u
#define PVR_HV_FRAME_GRANT       4u /* grant_frames frames; from there on ordinary memory */

#define PVR_HV_DATA_MAX 32768u
#define PVR_HV_FDS_MAX  4u
#define PVR_HV_NAME_MAX 64u

enum pvr_hv_op {
	PVR_HV_HYPERCALL = 1,      /* data: struct pvr_hv_hypercall + argument; back: the argument, updated */
	PVR_HV_ATTACH = 2,         /* data: struct pvr_hv_attach; back: struct pvr_hv_boot, fds: memory, store rx, tx */
	PVR_HV_DOM0 = 3,           /* back: struct pvr_hv_dom0; fds: maptrack */
	/* data: uint32_t domid; back: struct pvr_hv_foreign; fds: memory, grant books. -ENOTCONN: it is down */
	PVR_HV_FOREIGN = 4,
	PVR_HV_DOMAIN_CREATE = 5,  /* data: struct pvr_hv_create; back: uint32_t domid */
	PVR_HV_DOMAIN_DESTROY = 6, /* data: uint32_t domid; a process attached to it is killed */
	/* data: uint32_t first domid; back: array of struct pvr_hv_domain, ascending, dom0 not among them */
	PVR_HV_DOMAIN_LIST = 7,
	PVR_HV_SHUTDOWN = 8,       /* the daemon ends, and every domain with it */
};

/* The header of every message; result is 0 or a negative errno in replies, 0 in requests. */
struct pvr_hv_msg {
	uint32_t op;
	uint32_t length; /* bytes of data that follow */
	int64_t result;
};

/*
 * A hypercall by Xen's number: op (__HYPERVISOR_*), command, count of array elements (1 where there is no
 * array). The argument follows: Xen's structure in the guest's own layout (word_size at attach), or `count` of
 * them; it comes back updated. result is the hypercall's. What is not plain:
 *   - event channel calls that make a port hand back two descriptors, rx and tx; EVTCHNOP_status of a port
 *     of one's own hands them back again. A virq's or ipi's tx raises it here.
 *   - a port that was bound to another starts with one event; the end that loses its peer by death gets one.
 *   - dom0's ports belong to the connection that made them; the others cannot use them.
 *   - GNTTABOP_setup_table and XENMEM_memory_map: what their pointer names is behind the structure, room for
 *     it in the request (nr_frames words; 20 bytes).
 *   - vcpu_op: count is the vCPU. console_io: count is the bytes, which are the argument.
 *
 * tx is a non-blocking eventfd: write 8 bytes of 1 to send. rx tells that the peer has written to its tx; it is
 * never read or written. To a guest, rx is an epoll descriptor which holds that eventfd edge-triggered
 * (EPOLLIN | EPOLLET): epoll_wait on it sleeps for the next event and takes it. The guest never gets
 * the eventfd itself, because O_NONBLOCK belongs to the open file description: a guest that shared it with the sender
 * could clear the flag, fill the counter and so put the sender's write(2) to sleep for ever. To dom0, which guests
 * must trust anyway, rx is the guest's tx eventfd itself, for dom0 to add edge-triggered to an epoll set of
 * its own. The store channel of PVR_HV_ATTACH is made in the same way.
 */
struct pvr_hv_hypercall {
	uint32_t op;
	uint32_t cmd;
	uint32_t count;
	uint32_t length; /* of the argument, bytes */
};

struct pvr_hv_attach {
	uint32_t domid;
	uint32_t word_size; /* sizeof(long) in the guest: 4 or 8; decides the number of event channels */
};

struct pvr_hv_boot {
	uint64_t memory_bytes;
	uint32_t domid;
	uint32_t vcpus;
	uint32_t grant_frames;
	uint32_t store_port;
	uint64_t generation;
};

struct pvr_hv_dom0 {
	uint32_t maptrack_entries; /* struct pvr_maptrack each, see pvring/gnttab.h */
	uint32_t client;           /* this connection's number, never 0: the owner mark in grant books */
};

struct pvr_hv_foreign {
	uint64_t memory_bytes;
	uint64_t generation; /* changes when the domain is attached anew: new memory, new books */
	uint32_t grant_frames;
	uint32_t reserved;
};

struct pvr_hv_create {
	char name[PVR_HV_NAME_MAX]; /* letters, digits, "-_.+"; unique */
	uint64_t memory_bytes;      /* a multiple of 4096; 1 MiB to 1 TiB */
	uint32_t uid;               /* who may attach, beside root and the daemon's user */
	uint32_t vcpus;
};

enum pvr_hv_domain_state {
	PVR_HV_DOWN = 0,    /* no process */
	PVR_HV_RUNNING = 1, /* a process is attached */
	PVR_HV_DYING = 2,   /* being destroyed: a backend still maps its memory */
};

struct pvr_hv_domain {
	uint32_t domid;
	uint32_t state;
	char name[PVR_HV_NAME_MAX];
	uint64_t memory_bytes;
	uint64_t generation;
	uint32_t vcpus;
	uint32_t uid;
	int32_t pid;             /* of the attached process, else 0 */
	uint32_t event_channels; /* open ports */
	uint32_t grants_mapped;  /* pages of it that dom0 has mapped */
	uint32_t reserved;
	uint64_t hypercalls;     /* that reached the daemon */
};

/* ---- the daemon ---- */

struct pvr_hv_config {
	const char *dir;      /* made if missing (mode 0700); sockets within must not be in use */
	int ready_fd;         /* one byte is written when the sockets accept; -1: none */
	int parent_dies;      /* end when the parent process ends (ephemeral) */
	uint32_t domains_max; /* 0: 128 */
	uint32_t grant_frames; /* per domain; 0: 64 */
	uint32_t event_channels_max; /* per domain; 0: all the ABI has */
};

/*
 * Run the daemon until SIGTERM, SIGINT or PVR_HV_SHUTDOWN. Confines itself with seccomp once its sockets
 * are open; the calling process can do little but exit afterwards. Returns 0, or a negative errno having
 * written one line that says what and where to stderr (-EADDRINUSE: a daemon already answers there).
 */
int pvr_hypervisor_run(const struct pvr_hv_config *config);

/* ---- a client of it (ports/client) ---- */

/* The directory to use: `dir` if not NULL, else $PVRING_DIR, else the user's default. Into out[size]. */
int pvr_hv_dir(const char *dir, char *out, size_t size);

/* Connect; a descriptor the caller closes, or -ENOENT, -ECONNREFUSED, -EACCES. */
int pvr_hv_connect(const char *dir);

/*
 * One call: send op with data[length] , wait for the reply. Returns its result (negative errno, or -ECONNRESET
 * when the daemon is gone). reply[*reply_length] takes its data and *reply_length becomes what came;
 * fds[*fds_count] likewise takes descriptors, close-on-exec, owned by the caller; those not wanted are closed.
 * NULL for either when nothing is expected.
 */
long pvr_hv_call(int control, uint32_t op, const void *data, size_t length, void *reply,
	size_t *reply_length, int *fds, unsigned *fds_count);

/* PVR_HV_HYPERCALL: argument in and out in place. */
long pvr_hv_hypercall(int control, uint32_t op, uint32_t cmd, void *argument, size_t length,
	uint32_t count, int *fds, unsigned *fds_count);

/* ---- what a guest's side must know of a hypercall to pass it on (ports/client) ---- */

/* The argument of one command: a structure, or for arrays one element, in the layout of each kind of guest. */
struct pvr_hv_shape {
	uint16_t op, cmd;
	uint16_t size_64, size_32; /* 0: the command has no argument */
	uint8_t array;             /* `count` of them, otherwise one */
};

/* The shape of a command whose argument has no pointer in it; NULL: not known here. */
const struct pvr_hv_shape *pvr_hv_shape(uint32_t op, uint32_t cmd);

/* How a port may be used by the end that has it. */
enum pvr_hv_port_kind { PVR_HV_PORT_CLOSED, PVR_HV_PORT_SENDS, PVR_HV_PORT_IPI, PVR_HV_PORT_VIRQ };

/* The port that a successful event channel command made, and its kind; CLOSED: it made none. */
enum pvr_hv_port_kind pvr_hv_port_made(uint32_t cmd, const void *argument, uint32_t *port);

#endif
