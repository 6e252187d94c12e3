/* SPDX-License-Identifier: MIT */
/* Headers of packets, their checksums, GSO, and hashes. */
#include "guest_net.h"

#include <netinet/in.h>
#include <string.h>

#include "../../netback/headers.h"

#define ETH 14u

static uint8_t packet[NET_PACKET];
static struct virtio_net_hdr vnet;

static struct pvr_netback_headers parse(size_t have)
{
	struct pvr_netback_headers headers;

	pvr_netback_headers_parse(packet, have, &headers);
	return headers;
}

static void plain_packets(void)
{
	struct pvr_netback_headers headers;

	net_make(packet, 4, IPPROTO_TCP, 200);
	headers = parse(200);
	CU_ASSERT_EQUAL(headers.version, 4);
	CU_ASSERT_EQUAL(headers.protocol, IPPROTO_TCP);
	CU_ASSERT_EQUAL(headers.l4, ETH + 20);
	CU_ASSERT_EQUAL(pvr_netback_headers_csum(&headers, 200), ETH + 20 + 16);
	CU_ASSERT_EQUAL(pvr_netback_headers_csum(&headers, ETH + 20 + 19), 0);
	net_make(packet, 6, IPPROTO_UDP, 200);
	headers = parse(200);
	CU_ASSERT_EQUAL(headers.version, 6);
	CU_ASSERT_EQUAL(pvr_netback_headers_csum(&headers, 200), ETH + 40 + 6);
	/* Whatever is missing, nothing is read beyond it (ASan), and nothing made up. */
	for (size_t have = 0; have < ETH + 40; have++)
		CU_ASSERT_EQUAL(parse(have).l4, 0);
}

static void vlan_tags(void)
{
	for (unsigned tags = 1; tags <= 3; tags++) {
		net_make(packet, 4, IPPROTO_UDP, 200);
		memmove(packet + 12 + 4 * tags, packet + 12, 180);
		for (unsigned i = 0; i < tags; i++)
			memcpy(packet + 12 + 4 * i, i + 1 < tags ? "\x88\xa8\0\1" : "\x81\0\0\1",
				4);
		CU_ASSERT_EQUAL(parse(200).l4, tags < 3 ? ETH + 4 * tags + 20 : 0);
	}
}

static void options_and_fragments(void)
{
	net_make(packet, 4, IPPROTO_TCP, 200);
	packet[ETH] = 0x4f;
	CU_ASSERT_EQUAL(parse(200).l4, ETH + 60);
	CU_ASSERT_EQUAL(parse(ETH + 59).l4, 0);
	packet[ETH] = 0x44;
	CU_ASSERT_EQUAL(parse(200).version, 0);
	packet[ETH] = 0x45;
	packet[ETH + 6] = 0x20; /* more fragments */
	struct pvr_netback_headers headers = parse(200);
	CU_ASSERT_EQUAL(pvr_netback_headers_csum(&headers, 200), 0);
	packet[ETH + 6] = 0x40; /* do not fragment */
	headers = parse(200);
	CU_ASSERT_NOT_EQUAL(pvr_netback_headers_csum(&headers, 200), 0);
}

static void ipv6_extensions(void)
{
	uint8_t *at = packet + ETH + 40;
	struct pvr_netback_headers headers;

	/* Hop by hop of 8 bytes, routing of 16, authentication of 12, then UDP. */
	net_make(packet, 6, IPPROTO_UDP, 250);
	packet[ETH + 6] = IPPROTO_HOPOPTS;
	at[0] = IPPROTO_ROUTING;
	at[1] = 0;
	at[8] = IPPROTO_AH;
	at[9] = 1;
	at[24] = IPPROTO_UDP;
	at[25] = 1;
	headers = parse(250);
	CU_ASSERT_EQUAL(headers.protocol, IPPROTO_UDP);
	CU_ASSERT_EQUAL(headers.l4, ETH + 40 + 8 + 16 + 12);
	/* A fragment has no checksum of its own. */
	at[0] = IPPROTO_FRAGMENT;
	at[8] = IPPROTO_UDP;
	at[10] = 0;
	at[11] = 1;
	headers = parse(250);
	CU_ASSERT_EQUAL(headers.fragment, 1);
	CU_ASSERT_EQUAL(pvr_netback_headers_csum(&headers, 250), 0);
	/* A chain without end, and one that leads out of the copy. */
	for (unsigned i = 0; i < 200; i += 8) {
		at[i] = IPPROTO_DSTOPTS;
		at[i + 1] = 0;
	}
	packet[ETH + 6] = IPPROTO_DSTOPTS;
	CU_ASSERT_EQUAL(parse(250).l4, 0);
	at[1] = 255;
	CU_ASSERT_EQUAL(parse(250).l4, 0);
}

static void checksums_over_any_cut(void)
{
	for (int version = 4; version <= 6; version += 2) {
		for (size_t cut = 1; cut < 199; cut++) {
			size_t bytes = 200 + cut % 2, start = ETH + (version == 4 ? 20 : 40);
			size_t at = net_make(packet, version, IPPROTO_UDP, bytes);
			struct iovec iov[3] = {{packet, cut}, {packet + cut, 1},
				{packet + cut + 1, bytes - cut - 1}};
			uint16_t sum = pvr_netback_checksum(iov, 3, start);

			memcpy(packet + at, &sum, 2);
			CU_ASSERT_EQUAL(net_sum_error(packet, bytes), 0);
		}
	}
}

/* A sum of 0 would mean to UDP that there is none. */
static void a_checksum_is_never_0(void)
{
	uint8_t zeros[8] = {0xff, 0xff};
	struct iovec iov = {zeros, sizeof(zeros)};

	CU_ASSERT_EQUAL(pvr_netback_checksum(&iov, 1, 0), 0xffff);
}

static const char *tx(size_t bytes, uint16_t flags, uint8_t gso_type, uint16_t gso_size)
{
	return pvr_netback_headers_tx((uint32_t)bytes, flags, gso_type, gso_size, packet,
		bytes < PVR_NETBACK_HEAD ? bytes : PVR_NETBACK_HEAD, &vnet);
}

static void what_the_outside_is_told(void)
{
	net_make(packet, 4, IPPROTO_UDP, 100);
	CU_ASSERT_PTR_NULL(tx(100, 0, 0, 0));
	CU_ASSERT_EQUAL(vnet.flags, 0);
	CU_ASSERT_PTR_NULL(tx(100, NETTXF_data_validated, 0, 0));
	CU_ASSERT_EQUAL(vnet.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	CU_ASSERT_PTR_NULL(tx(100, NETTXF_csum_blank | NETTXF_data_validated, 0, 0));
	CU_ASSERT_EQUAL(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_EQUAL(vnet.csum_start, ETH + 20);
	CU_ASSERT_EQUAL(vnet.csum_offset, 6);
	packet[ETH + 9] = IPPROTO_ICMP;
	CU_ASSERT_PTR_NOT_NULL(tx(100, NETTXF_csum_blank, 0, 0));
	packet[12] = 0x99;
	CU_ASSERT_PTR_NOT_NULL(tx(100, NETTXF_csum_blank, 0, 0));
}

static void gso(void)
{
	const uint16_t blank = NETTXF_csum_blank;

	net_make(packet, 4, IPPROTO_TCP, 5000);
	CU_ASSERT_PTR_NULL(tx(5000, blank, XEN_NETIF_GSO_TYPE_TCPV4, 1448));
	CU_ASSERT_EQUAL(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CU_ASSERT_EQUAL(vnet.gso_size, 1448);
	CU_ASSERT_EQUAL(vnet.hdr_len, ETH + 40);
	/* One segment needs no cutting, but its checksum. */
	CU_ASSERT_PTR_NULL(tx(ETH + 40 + 1448, blank, XEN_NETIF_GSO_TYPE_TCPV4, 1448));
	CU_ASSERT_EQUAL(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	CU_ASSERT_EQUAL(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_PTR_NOT_NULL(tx(5000, blank, XEN_NETIF_GSO_TYPE_TCPV6, 1448));
	packet[ETH + 20 + 12] = 0x40;
	CU_ASSERT_PTR_NOT_NULL(tx(5000, blank, XEN_NETIF_GSO_TYPE_TCPV4, 1448));
	net_make(packet, 4, IPPROTO_UDP, 5000);
	CU_ASSERT_PTR_NOT_NULL(tx(5000, blank, XEN_NETIF_GSO_TYPE_TCPV4, 1448));
	/* A header that reaches beyond the packet. */
	net_make(packet, 6, IPPROTO_TCP, 80);
	packet[ETH + 40 + 12] = 0xf0;
	CU_ASSERT_PTR_NOT_NULL(tx(80, blank, XEN_NETIF_GSO_TYPE_TCPV6, 2));
}

/* GSO without the flag: the pseudo header's sum is put there. */
static void gso_without_a_sum(void)
{
	for (int version = 4; version <= 6; version += 2) {
		size_t at = net_make(packet, version, IPPROTO_TCP, 3000);
		uint8_t type = version == 4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
		uint8_t expected[2];

		memcpy(expected, packet + at, 2);
		packet[at] ^= 0x55;
		CU_ASSERT_PTR_NULL(tx(3000, 0, type, 1000));
		CU_ASSERT_EQUAL(memcmp(packet + at, expected, 2), 0);
		CU_ASSERT_EQUAL(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	}
}

PVR_SUITE(netback_headers, CASE(plain_packets), CASE(vlan_tags), CASE(options_and_fragments),
	CASE(ipv6_extensions), CASE(checksums_over_any_cut), CASE(a_checksum_is_never_0),
	CASE(what_the_outside_is_told), CASE(gso), CASE(gso_without_a_sum))
