/* SPDX-License-Identifier: MIT */
/*
 * The Toeplitz hash against the vectors that Microsoft published to verify receive side scaling
 * ("Verifying the RSS Hash Calculation"), and the choice of a queue by it.
 */
#include "guest_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const struct pvr_netback_hash microsoft = {
	.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
	.types = PVR_NETBACK_HASH_TYPES,
	.key = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
		0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
		0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa},
};

static const struct {
	const char *destination;
	uint16_t destination_port;
	const char *source;
	uint16_t source_port;
	uint32_t ip, tcp; /* hashes without and with ports */
} vectors[] = {
	{"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
	{"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
	{"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
	{"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
	{"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
	{"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
	{"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
	{"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
		0x4b61e985, 0x02d1feef},
};

static int make(unsigned i, uint8_t *packet)
{
	int v4 = strchr(vectors[i].source, '.') != NULL;
	uint16_t ports[2] = {htons(vectors[i].source_port), htons(vectors[i].destination_port)};

	net_make(packet, v4 ? 4 : 6, IPPROTO_TCP, 100);
	inet_pton(v4 ? AF_INET : AF_INET6, vectors[i].source, packet + 14 + (v4 ? 12 : 8));
	inet_pton(v4 ? AF_INET : AF_INET6, vectors[i].destination, packet + 14 + (v4 ? 16 : 24));
	memcpy(packet + 14 + (v4 ? 20 : 40), ports, 4);
	return v4;
}

static void published_vectors(void)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct pvr_netback_hash ip_only = microsoft;
		uint8_t packet[100];
		uint32_t value = 0;
		int v4 = make(i, packet);

		CU_ASSERT_EQUAL(pvr_netback_hash_packet(&microsoft, packet, 100, &value),
			v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP
			   : _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
		CU_ASSERT_EQUAL(value, vectors[i].tcp);
		ip_only.types = XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV6;
		CU_ASSERT_EQUAL(pvr_netback_hash_packet(&ip_only, packet, 100, &value),
			v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4 : _XEN_NETIF_CTRL_HASH_TYPE_IPV6);
		CU_ASSERT_EQUAL(value, vectors[i].ip);
	}
}

/* What has no ports is hashed by its addresses, and what has none of the kinds asked for not at
 * all. */
static void kinds(void)
{
	struct pvr_netback_hash hash = microsoft;
	uint8_t packet[100];
	uint32_t value;

	net_make(packet, 4, IPPROTO_UDP, 100);
	CU_ASSERT_EQUAL(pvr_netback_hash_packet(&hash, packet, 100, &value),
		_XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	net_make(packet, 4, IPPROTO_TCP, 100);
	packet[14 + 6] = 0x20; /* a fragment */
	CU_ASSERT_EQUAL(pvr_netback_hash_packet(&hash, packet, 100, &value),
		_XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	hash.types = XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
	CU_ASSERT_EQUAL(pvr_netback_hash_packet(&hash, packet, 100, &value), -1);
	packet[12] = 0;
	CU_ASSERT_EQUAL(pvr_netback_hash_packet(&microsoft, packet, 100, &value), -1);
}

static void queue_by_hash(void)
{
	struct pvr_netback_hash hash = {.map_size = 4, .map = {3, 1, 2, 0}};

	CU_ASSERT_EQUAL(pvr_netback_hash_queue(&hash, 0xfffffff4, 8), 3);
	CU_ASSERT_EQUAL(pvr_netback_hash_queue(&hash, 7, 8), 0);
	hash.map_size = 0;
	CU_ASSERT_EQUAL(pvr_netback_hash_queue(&hash, 13, 8), 5);
}

PVR_SUITE(netback_hash, CASE(published_vectors), CASE(kinds), CASE(queue_by_hash))
