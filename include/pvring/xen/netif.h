/* SPDX-License-Identifier: MIT */
/*
 * The network protocol. Source of everything here: io/netif.h, except where another is named.
 *
 * tx is from the frontend to the backend, rx the other way. A packet takes several slots: the first
 * request, then extra infos (flag extra_info, then XEN_NETIF_EXTRA_FLAG_MORE), then the other
 * requests (flag more_data). In the first tx request size is that of the whole packet, in the
 * others of the slot. An rx response must take the slot of its request; extra infos take slots of
 * responses.
 */
#ifndef PVR_XEN_NETIF_H
#define PVR_XEN_NETIF_H

#include "pvring/xen/grant_table.h"

/* Slots for one packet which a backend must always accept; and the largest packet in bytes. */
#define XEN_NETIF_NR_SLOTS_MIN 18
#define XEN_NETIF_MAX_TX_SIZE  0xFFFF

/* Flags of a tx request. */
#define _NETTXF_csum_blank     0
#define NETTXF_csum_blank      (1U << _NETTXF_csum_blank) /* has only the pseudo header sum */
#define _NETTXF_data_validated 1
#define NETTXF_data_validated  (1U << _NETTXF_data_validated) /* the data needs no check */
#define _NETTXF_more_data      2
#define NETTXF_more_data       (1U << _NETTXF_more_data)
#define _NETTXF_extra_info     3
#define NETTXF_extra_info      (1U << _NETTXF_extra_info)

struct netif_tx_request {
	grant_ref_t gref;
	uint16_t offset;
	uint16_t flags; /* NETTXF_* */
	uint16_t id;
	uint16_t size;
};

struct netif_tx_response {
	uint16_t id;
	int16_t status; /* NETIF_RSP_* */
};

/* Kinds of extra info. */
#define XEN_NETIF_EXTRA_TYPE_NONE      0
#define XEN_NETIF_EXTRA_TYPE_GSO       1
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD 2
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL 3
#define XEN_NETIF_EXTRA_TYPE_HASH      4
#define XEN_NETIF_EXTRA_TYPE_MAX       5

/*
 * Room the backend left before an rx packet. Only Linux has it, and its MAX is 6. Source: Linux,
 * include/xen/interface/io/netif.h.
 */
#define XEN_NETIF_EXTRA_TYPE_XDP 5

/* Flag of an extra info: another follows. */
#define _XEN_NETIF_EXTRA_FLAG_MORE 0
#define XEN_NETIF_EXTRA_FLAG_MORE  (1U << _XEN_NETIF_EXTRA_FLAG_MORE)

#define XEN_NETIF_GSO_TYPE_NONE  0
#define XEN_NETIF_GSO_TYPE_TCPV4 1
#define XEN_NETIF_GSO_TYPE_TCPV6 2

struct netif_extra_info {
	uint8_t type;  /* XEN_NETIF_EXTRA_TYPE_* */
	uint8_t flags; /* XEN_NETIF_EXTRA_FLAG_* */
	union {
		struct {
			uint16_t size; /* payload bytes of a segment, without headers */
			uint8_t type;  /* XEN_NETIF_GSO_TYPE_* */
			uint8_t pad;
			uint16_t features; /* 0 */
		} gso;
		struct {
			uint8_t addr[6];
		} mcast;
		struct {
			uint8_t type; /* one _XEN_NETIF_CTRL_HASH_TYPE_*, a bit number */
			uint8_t algorithm;
			uint8_t value[4];
		} hash;
		struct { /* Linux only */
			uint16_t headroom;
			uint16_t pad[2];
		} xdp;
		uint16_t pad[3];
	} u;
};

/* An empty page for the backend to fill. */
struct netif_rx_request {
	uint16_t id;
	uint16_t pad;
	grant_ref_t gref;
};

/* Flags of an rx response. The first two bits are not in the order of tx. */
#define _NETRXF_data_validated 0
#define NETRXF_data_validated  (1U << _NETRXF_data_validated)
#define _NETRXF_csum_blank     1
#define NETRXF_csum_blank      (1U << _NETRXF_csum_blank)
#define _NETRXF_more_data      2
#define NETRXF_more_data       (1U << _NETRXF_more_data)
#define _NETRXF_extra_info     3
#define NETRXF_extra_info      (1U << _NETRXF_extra_info)
#define _NETRXF_gso_prefix     4
#define NETRXF_gso_prefix      (1U << _NETRXF_gso_prefix) /* old GSO: the slot tells only that */

struct netif_rx_response {
	uint16_t id;
	uint16_t offset;
	uint16_t flags; /* NETRXF_* */
	int16_t status; /* negative NETIF_RSP_*, otherwise bytes in this slot */
};

#define NETIF_RSP_DROPPED (-2)
#define NETIF_RSP_ERROR   (-1)
#define NETIF_RSP_OKAY    0
#define NETIF_RSP_NULL    1 /* answers an extra info of tx; means nothing */

/* What a hash covers. */
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV4     0
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4      (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV4)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP 1
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP  (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV6     2
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6      (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV6)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP 3
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP  (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

#define XEN_NETIF_CTRL_HASH_ALGORITHM_NONE     0
#define XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ 1

/* Requests of the control ring. data[] in the comment; a "gref" grants a page with the data. */
#define XEN_NETIF_CTRL_TYPE_INVALID               0
#define XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS        1  /* answer: HASH_TYPE bits it can do */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS        2  /* HASH_TYPE bits */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_KEY          3  /* gref, bytes */
#define XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE 4  /* answer: entries it can do */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE 5  /* entries */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING      6  /* gref of uint32_t[], count, first */
#define XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM    7  /* HASH_ALGORITHM */
#define XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE 8  /* queue; answer: grants it keeps mapped */
#define XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING      9  /* queue, gref of xen_netif_gref[], count */
#define XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING      10 /* queue, gref of xen_netif_gref[], count */

struct xen_netif_ctrl_request {
	uint16_t id;
	uint16_t type; /* XEN_NETIF_CTRL_TYPE_* */
	uint32_t data[3];
};

struct xen_netif_ctrl_response {
	uint16_t id;
	uint16_t type;   /* the request's */
	uint32_t status; /* XEN_NETIF_CTRL_STATUS_* */
	uint32_t data;
};

#define XEN_NETIF_CTRL_STATUS_SUCCESS           0
#define XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED     1
#define XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER 2
#define XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW   3

/* A grant for the backend to keep mapped. An ADD is all or nothing; a DEL answers in status. */
struct xen_netif_gref {
	grant_ref_t ref;
	uint16_t flags;  /* XEN_NETIF_CTRLF_GREF_* */
	uint16_t status; /* XEN_NETIF_CTRL_STATUS_* */
};

#define _XEN_NETIF_CTRLF_GREF_readonly 0
#define XEN_NETIF_CTRLF_GREF_readonly  (1U << _XEN_NETIF_CTRLF_GREF_readonly)

#endif
