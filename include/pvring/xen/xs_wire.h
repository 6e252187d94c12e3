/* SPDX-License-Identifier: MIT */
/*
 * The xenstore protocol: message header, types and limits, and the ring page over which a domain
 * speaks it. Source of everything here: io/xs_wire.h; what the messages mean is
 * docs/misc/xenstore.txt in Xen.
 */
#ifndef PVR_XEN_XS_WIRE_H
#define PVR_XEN_XS_WIRE_H

#include <stdint.h>

/* Numbers 20 (once XS_RESTRICT) and from XS_TYPE_COUNT on are unused. */
enum xsd_sockmsg_type {
	XS_CONTROL = 0,
	XS_DIRECTORY = 1,
	XS_READ = 2,
	XS_GET_PERMS = 3,
	XS_WATCH = 4,
	XS_UNWATCH = 5,
	XS_TRANSACTION_START = 6,
	XS_TRANSACTION_END = 7,
	XS_INTRODUCE = 8,
	XS_RELEASE = 9,
	XS_GET_DOMAIN_PATH = 10,
	XS_WRITE = 11,
	XS_MKDIR = 12,
	XS_RM = 13,
	XS_SET_PERMS = 14,
	XS_WATCH_EVENT = 15, /* unasked for, from the server: path, token */
	XS_ERROR = 16,       /* the answer to a request that failed: a name from XSD_ERRORS */
	XS_IS_DOMAIN_INTRODUCED = 17,
	XS_RESUME = 18,
	XS_SET_TARGET = 19,
	XS_RESET_WATCHES = 21,
	XS_DIRECTORY_PART = 22,
	XS_TYPE_COUNT = 23,
	XS_INVALID = 0xffff /* never on the wire */
};

#define XS_DEBUG XS_CONTROL

/* Old spellings of the flags of a write. */
#define XS_WRITE_NONE        "NONE"
#define XS_WRITE_CREATE      "CREATE"
#define XS_WRITE_CREATE_EXCL "CREATE|EXCL"

/* The errors which XS_ERROR can name, in Xen's order; both sides make their table from it. */
#define XSD_ERRORS(X)                                                                              \
	X(EINVAL)                                                                                  \
	X(EACCES)                                                                                  \
	X(EEXIST)                                                                                  \
	X(EISDIR)                                                                                  \
	X(ENOENT)                                                                                  \
	X(ENOMEM)                                                                                  \
	X(ENOSPC)                                                                                  \
	X(EIO)                                                                                     \
	X(ENOTEMPTY)                                                                               \
	X(ENOSYS)                                                                                  \
	X(EROFS)                                                                                   \
	X(EBUSY)                                                                                   \
	X(EAGAIN)                                                                                  \
	X(EISCONN)                                                                                 \
	X(E2BIG)                                                                                   \
	X(EPERM)

/* Before every message, both ways. len counts the payload alone; req_id comes back unchanged. */
struct xsd_sockmsg {
	uint32_t type; /* enum xsd_sockmsg_type */
	uint32_t req_id;
	uint32_t tx_id; /* 0: outside a transaction */
	uint32_t len;
};

/* The strings of an XS_WATCH_EVENT, in order. */
enum xs_watch_type { XS_WATCH_PATH = 0, XS_WATCH_TOKEN = 1 };

/* Limits in bytes, the payload without the header, the paths without the NUL. */
#define XENSTORE_PAYLOAD_MAX  4096
#define XENSTORE_ABS_PATH_MAX 3072
#define XENSTORE_REL_PATH_MAX 2048

/* Ring indices run freely over 32 bits; the place in a ring is the index masked. */
#define XENSTORE_RING_SIZE 1024
typedef uint32_t XENSTORE_RING_IDX;
#define MASK_XENSTORE_IDX(idx) ((idx) & (XENSTORE_RING_SIZE - 1))

/*
 * The page a domain shares with the server. req carries the domain's messages, rsp the server's;
 * each side advances prod of what it sends and cons of what it takes. server_features, connection
 * and error mean something only when the server says so in server_features.
 */
struct xenstore_domain_interface {
	char req[XENSTORE_RING_SIZE];
	char rsp[XENSTORE_RING_SIZE];
	XENSTORE_RING_IDX req_cons, req_prod;
	XENSTORE_RING_IDX rsp_cons, rsp_prod;
	uint32_t server_features; /* XENSTORE_SERVER_FEATURE_* */
	uint32_t connection;      /* XENSTORE_CONNECTED or _RECONNECT */
	uint32_t error;           /* XENSTORE_ERROR_* */
};

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1 /* the guest may ask for a fresh ring */
#define XENSTORE_SERVER_FEATURE_ERROR        2 /* the server reports in error why it stopped */

/* The guest writes RECONNECT and notifies; the server resets the ring and writes CONNECTED. */
#define XENSTORE_CONNECTED 0
#define XENSTORE_RECONNECT 1

#define XENSTORE_ERROR_NONE    0
#define XENSTORE_ERROR_COMM    1 /* communication problem */
#define XENSTORE_ERROR_RINGIDX 2 /* an index was out of range */
#define XENSTORE_ERROR_PROTO   3 /* the protocol was violated, for example by a long payload */

#endif
