/* SPDX-License-Identifier: MIT */
/* Ethernet, IPv4, IPv6, TCP and UDP, as far as offloads need them. See headers.h. */
#include "headers.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define ETH_HEADER  14u
#define VLAN_TAG    4u
#define VLAN_TAGS   2u
#define ETH_8021AD  0x88a8
#define IPV6_HEADER 40u
#define TCP_HEADER  20u
#define UDP_HEADER  8u

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void parse_ipv4(const uint8_t *head, size_t have, struct pvr_netback_headers *headers)
{
	const uint8_t *ip = head + headers->ip;
	size_t length;

	if (have < headers->ip + 20u || ip[0] >> 4 != 4)
		return;
	length = (ip[0] & 15u) * 4u;
	if (length < 20 || headers->ip + length > have)
		return;
	headers->version = 4;
	headers->protocol = ip[9];
	headers->fragment = (get16(ip + 6) & 0x3fff) != 0; /* more fragments, or not the first */
	headers->l4 = (uint16_t)(headers->ip + length);
}

/* The extension headers whose length is told the usual way, in eights beyond the first. */
static int is_extension(unsigned protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS;
}

static void parse_ipv6(const uint8_t *head, size_t have, struct pvr_netback_headers *headers)
{
	size_t at = headers->ip + IPV6_HEADER;
	unsigned protocol;

	if (have < at || head[headers->ip] >> 4 != 6)
		return;
	headers->version = 6;
	protocol = head[headers->ip + 6];
	for (unsigned i = 0; i < PVR_NETBACK_IPV6_HEADERS; i++) {
		unsigned kind = protocol;

		if (!is_extension(kind) && kind != IPPROTO_AH && kind != IPPROTO_FRAGMENT) {
			headers->protocol = (uint8_t)kind;
			headers->l4 = (uint16_t)at;
			return;
		}
		if (at + 8 > have)
			return;
		protocol = head[at];
		if (kind == IPPROTO_FRAGMENT) {
			headers->fragment |= (get16(head + at + 2) & 0xfff9) != 0;
			at += 8;
		} else {
			at += kind == IPPROTO_AH ? (head[at + 1] + 2u) * 4u
						 : (head[at + 1] + 1u) * 8u;
		}
	}
}

void pvr_netback_headers_parse(
	const uint8_t *head, size_t have, struct pvr_netback_headers *headers)
{
	size_t at = ETH_HEADER - 2;
	unsigned type;

	memset(headers, 0, sizeof(*headers));
	if (have < ETH_HEADER)
		return;
	type = get16(head + at);
	for (unsigned i = 0; i < VLAN_TAGS && (type == ETHERTYPE_VLAN || type == ETH_8021AD); i++) {
		at += VLAN_TAG;
		if (at + 2 > have)
			return;
		type = get16(head + at);
	}
	headers->ip = (uint16_t)(at + 2);
	if (type == ETHERTYPE_IP)
		parse_ipv4(head, have, headers);
	else if (type == ETHERTYPE_IPV6)
		parse_ipv6(head, have, headers);
}

size_t pvr_netback_headers_csum(const struct pvr_netback_headers *headers, size_t have)
{
	size_t length, offset;

	if (!headers->l4 || headers->fragment)
		return 0;
	if (headers->protocol == IPPROTO_TCP) {
		length = TCP_HEADER;
		offset = 16;
	} else if (headers->protocol == IPPROTO_UDP) {
		length = UDP_HEADER;
		offset = 6;
	} else {
		return 0;
	}
	return headers->l4 + length <= have ? headers->l4 + offset : 0;
}

/* ---- checksums ---- */

/* Adds bytes that start at an even place; the sum is of 16-bit words as they lie in memory. */
static uint64_t add(uint64_t sum, const uint8_t *bytes, size_t length)
{
	for (; length >= 8; bytes += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, bytes, 8);
		sum += (word & 0xffffffffu) + (word >> 32);
	}
	for (; length >= 2; bytes += 2, length -= 2) {
		uint16_t word;

		memcpy(&word, bytes, 2);
		sum += word;
	}
	if (length) {
		uint16_t word = 0;

		memcpy(&word, bytes, 1);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t pvr_netback_checksum(const struct iovec *iov, int count, size_t start)
{
	uint64_t sum = 0;
	int odd = 0;

	for (int i = 0; i < count; i++) {
		const uint8_t *bytes = iov[i].iov_base;
		size_t length = iov[i].iov_len;
		uint16_t part;

		if (start >= length) {
			start -= length;
			continue;
		}
		part = fold(add(0, bytes + start, length - start));
		/* What starts at an odd place has its bytes the other way round. */
		if (odd)
			part = __builtin_bswap16(part);
		sum += part;
		odd ^= (int)((length - start) & 1);
		start = 0;
	}
	sum = (uint16_t)~fold(sum);
	return sum ? (uint16_t)sum : 0xffff;
}

/* The sum of the pseudo header, not inverted, as whoever completes the checksum expects it. */
static unsigned pseudo_sum(
	const struct pvr_netback_headers *headers, const uint8_t *head, size_t bytes)
{
	const uint8_t *ip = head + headers->ip;
	uint32_t tail[2] = {htonl((uint32_t)(bytes - headers->l4)), htonl(headers->protocol)};
	uint64_t sum = headers->version == 4 ? add(0, ip + 12, 8) : add(0, ip + 8, 32);

	return ntohs(fold(add(sum, (const uint8_t *)tail, sizeof(tail))));
}

/* ---- what a frontend sends ---- */

static const char *set_gso(uint32_t bytes, uint8_t gso_type, uint16_t gso_size, const uint8_t *head,
	size_t have, const struct pvr_netback_headers *headers, struct virtio_net_hdr *vnet)
{
	int v4 = gso_type == XEN_NETIF_GSO_TYPE_TCPV4;
	size_t length;

	if (headers->version != (v4 ? 4 : 6) || headers->protocol != IPPROTO_TCP)
		return "GSO of what is not its TCP";
	length = (size_t)(head[headers->l4 + 12] >> 4) * 4u;
	if (length < TCP_HEADER || headers->l4 + length > have)
		return "GSO with an impossible TCP header";
	length += headers->l4;
	/* One segment: nothing is to be cut, and some kernels refuse to try. */
	if (bytes <= length + gso_size)
		return NULL;
	vnet->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	vnet->gso_size = gso_size;
	vnet->hdr_len = (uint16_t)length;
	return NULL;
}

const char *pvr_netback_headers_tx(uint32_t bytes, uint16_t flags, uint8_t gso_type,
	uint16_t gso_size, uint8_t *head, size_t have, struct virtio_net_hdr *vnet)
{
	struct pvr_netback_headers headers;
	int gso = gso_type != XEN_NETIF_GSO_TYPE_NONE;
	size_t csum;

	memset(vnet, 0, sizeof(*vnet));
	if (!gso && !(flags & NETTXF_csum_blank)) {
		if (flags & NETTXF_data_validated)
			vnet->flags = VIRTIO_NET_HDR_F_DATA_VALID;
		return NULL;
	}
	pvr_netback_headers_parse(head, have, &headers);
	csum = pvr_netback_headers_csum(&headers, have);
	if (!csum)
		return "a blank checksum in what is neither TCP nor UDP";
	/* Some frontends leave the flag away with GSO; Linux's netback puts the sum right too. */
	if (!(flags & NETTXF_csum_blank))
		put16(head + csum, pseudo_sum(&headers, head, bytes));
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->csum_start = headers.l4;
	vnet->csum_offset = (uint16_t)(csum - headers.l4);
	return gso ? set_gso(bytes, gso_type, gso_size, head, have, &headers, vnet) : NULL;
}
