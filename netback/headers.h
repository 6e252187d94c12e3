/* SPDX-License-Identifier: MIT */
/*
 * The headers of a packet: where TCP or UDP starts, which is what a checksum, a GSO and a hash
 * need. Pure; reads a private copy of the first bytes, however the packet is cut into slots
 * (XSA-423).
 */
#ifndef PVR_NETBACK_HEADERS_H
#define PVR_NETBACK_HEADERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#include <pvring/xen/netif.h>

/* What is copied of a packet. Linux looks for the headers of IPv6 as far as this. */
#define PVR_NETBACK_HEAD         256u
#define PVR_NETBACK_IPV6_HEADERS 8u /* extension headers looked at */

struct pvr_netback_headers {
	uint8_t version;  /* 4, 6; 0: not IP, or too short, or not as it should be */
	uint8_t fragment; /* has no whole TCP or UDP */
	uint8_t protocol; /* what follows IP */
	uint16_t ip, l4;  /* where they start; l4 0: nobody knows */
};

/* Look at the first `have` bytes of a packet. */
void pvr_netback_headers_parse(
	const uint8_t *head, size_t have, struct pvr_netback_headers *headers);
/* Where the checksum of its TCP or UDP stands, or 0 when there is none within `have`. */
size_t pvr_netback_headers_csum(const struct pvr_netback_headers *headers, size_t have);

/*
 * The header for the outside of a packet that the frontend sent: of so many bytes, with NETTXF_*
 * flags and XEN_NETIF_GSO_TYPE_*. head has the first `have` bytes of it and may get the pseudo
 * header's sum, where a GSO packet comes without. NULL, or why it is malformed.
 */
const char *pvr_netback_headers_tx(uint32_t bytes, uint16_t flags, uint8_t gso_type,
	uint16_t gso_size, uint8_t *head, size_t have, struct virtio_net_hdr *vnet);

/*
 * The checksum from byte `start` of the packet in iov on, in network order, never 0 (which means
 * "none" to UDP). What stands in its place, the pseudo header's sum, is part of it.
 */
uint16_t pvr_netback_checksum(const struct iovec *iov, int count, size_t start);

#endif
