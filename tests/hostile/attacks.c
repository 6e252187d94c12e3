/* SPDX-License-Identifier: MIT */
/* What is sent once: malformed packets, requests and nodes, and what becomes of the interface. */
#include "attacks.h"

#include <stdio.h>
#include <string.h>

#include <pvring/evtchn.h>

#define MORE  NETTXF_more_data
#define EXTRA NETTXF_extra_info

int attack_fails(const struct attack *attack, const char *what, int got)
{
	fprintf(stderr, "hostile: %s: %s: %d %s\n", attack->name, what, got, rig.error);
	return -1;
}

/* ---- what ends the interface ---- */

static int ends(const struct attack *attack, enum outcome opened)
{
	if (attack->packet) {
		if (opened != OKAY)
			return attack_fails(attack, "does not connect", (int)opened);
		attack->packet();
		opened = rig_wait_broken();
	}
	if (opened != BROKEN)
		return attack_fails(attack, "the interface goes on", (int)opened);
	return strstr(rig.error, attack->reason) ? 0 : attack_fails(attack, "another reason", 0);
}

static void publish(void)
{
	pvr_ring_publish(&rig.tx);
	pvr_evtchn_notify(rig.tx_port);
}

static void slots_21(void)
{
	rig_request(0, 0, 1000, MORE);
	for (unsigned i = 1; i < 21; i++)
		rig_request(i, 0, 10, i < 20 ? MORE : 0);
	publish();
}

static void beyond_page(void)
{
	rig_request(0, 4000, 200, 0);
	publish();
}

static void second_beyond_page(void)
{
	rig_request(0, 0, 5000, MORE);
	rig_request(1, 4096, 4000, 0);
	publish();
}

static void wrapped_page(void)
{
	rig_request(0, 65535, 65535, 0);
	publish();
}

static void unknown_extra(void)
{
	rig_request(0, 0, 100, EXTRA);
	rig_extra(77, 0, 0, 0);
	publish();
}

static void endless_extras(void)
{
	rig_request(0, 0, 100, EXTRA);
	for (unsigned i = 0; i < 50; i++)
		rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, 1000, 1);
	publish();
}

static void gso_of_0(void)
{
	rig_request(0, 0, 100, EXTRA | NETTXF_csum_blank);
	rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, XEN_NETIF_GSO_TYPE_TCPV4);
	publish();
}

static void gso_of_kind_9(void)
{
	rig_request(0, 0, 100, EXTRA | NETTXF_csum_blank);
	rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1000, 9);
	publish();
}

static void half_a_packet(void)
{
	rig_request(0, 0, 5000, MORE);
	publish();
}

static void jump(struct pvr_ring *ring, evtchn_port_t port, uint32_t by)
{
	atomic_store(ring->out_prod, ring->prod + by);
	pvr_evtchn_notify(port);
}

static void tx_jump(void)
{
	jump(&rig.tx, rig.tx_port, 300);
}

static void tx_back(void)
{
	jump(&rig.tx, rig.tx_port, (uint32_t)-1);
}

static void rx_jump(void)
{
	jump(&rig.rx, rig.rx_port, 1u << 31);
}

static void ctrl_jump(void)
{
	jump(&rig.ctrl, rig.ctrl_port, 1000);
}

/* ---- what is dropped, and what looks odd and is not ---- */

static int expect(const struct attack *attack, const char *what, enum outcome wanted)
{
	enum outcome got = rig_flush();

	return got == wanted ? 0 : attack_fails(attack, what, (int)got);
}

/* The slots given, whose sizes are those of the pieces; the first one's becomes the packet's. */
static void put_pieces(const uint16_t *size, unsigned count)
{
	uint16_t at = 0, bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes = (uint16_t)(bytes + size[i]);
	for (unsigned i = 0; i < count; i++) {
		rig_request(0, at, i ? size[i] : bytes, i + 1 < count ? MORE : 0);
		at = (uint16_t)(at + size[i]);
	}
}

static int comes_back(const struct attack *attack, const char *what, uint32_t bytes)
{
	static struct packet packet;

	if (expect(attack, what, OKAY))
		return -1;
	if (rig_receive(&packet))
		return attack_fails(attack, what, -1);
	if (packet.length != bytes || memcmp(packet.bytes, rig.page[0], bytes))
		return attack_fails(attack, what, (int)packet.length);
	return 0;
}

/* XSA-39: what is wrong with one packet costs that packet. */
static int malformed(const struct attack *attack, enum outcome opened)
{
	int bad = opened != OKAY;

	memset(rig.page[0], 0x22, 12);
	rig_request(0, 0, 13, 0);
	bad = bad || expect(attack, "13 bytes", DROPPED);
	rig_request(0, 0, 100, MORE);
	rig_request(1, 0, 200, 0);
	bad = bad || expect(attack, "pieces larger than the whole", DROPPED);
	rig_request(0, 0, 1000, MORE);
	for (unsigned i = 1; i < 20; i++)
		rig_request(i, 0, 10, i < 19 ? MORE : 0);
	bad = bad || expect(attack, "20 slots", DROPPED);
	rig_put((union tx_slot){.request = {100000, 0, 0, 0, 100}});
	bad = bad || expect(attack, "a reference beyond the table", DROPPED);
	rig_put((union tx_slot){.request = {4000, 0, 0, 0, 100}});
	bad = bad || expect(attack, "a reference that grants nothing", DROPPED);
	rig_request(0, 0, 100, EXTRA | NETTXF_csum_blank);
	rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1000, XEN_NETIF_GSO_TYPE_TCPV4);
	bad = bad || expect(attack, "GSO of what is no TCP", DROPPED);
	rig_request(0, 0, 14, EXTRA | NETTXF_csum_blank);
	rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 65535, XEN_NETIF_GSO_TYPE_TCPV6);
	bad = bad || expect(attack, "GSO of a bare header", DROPPED);
	rig_request(0, 0, 100, 0);
	return bad || comes_back(attack, "a good one after all those", 100);
}

/* XSA-448: pieces of no bytes. */
static int empty_pieces(const struct attack *attack, enum outcome opened)
{
	static const uint16_t shapes[][4] = {
		{0, 60, 40, 10}, {60, 0, 40, 10}, {60, 40, 10, 0}, {0, 0, 0, 100}, {100, 0, 0, 0}};
	int bad = opened != OKAY;

	for (unsigned i = 0; i < 4096; i++)
		rig.page[0][i] = (uint8_t)(i * 7 + 2);
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && !bad; i++) {
		put_pieces(shapes[i], 4);
		bad = comes_back(attack, "a piece of no bytes", i < 3 ? 110 : 100);
	}
	put_pieces((const uint16_t[]){0, 0, 0, 0}, 4);
	bad = bad || expect(attack, "nothing in four pieces", DROPPED);
	rig_request(0, 0, 0, 0);
	return bad || expect(attack, "nothing", DROPPED);
}

/* An Ethernet, IPv4 and TCP header, with a checksum of the pseudo header, before `bytes` in all. */
static void tcp_packet(uint8_t *at, uint16_t bytes)
{
	static const uint8_t head[54] = {[0] = 2, [5] = 1, [6] = 2, [11] = 2, [12] = 8, [14] = 0x45,
		[22] = 64, [23] = 6, [26] = 10, [29] = 1, [30] = 10, [33] = 2, [35] = 80,
		[37] = 80, [46] = 0x50, [47] = 0x10};

	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(i * 13);
	memcpy(at, head, sizeof(head));
	at[16] = (uint8_t)((bytes - 14) >> 8);
	at[17] = (uint8_t)(bytes - 14);
}

/*
 * XSA-423, XSA-432: headers over many tiny slots: 18 slots, the first of `first` bytes, then as many of one byte as there may
 * be, and the rest. It comes back as it went, segments and all.
 */
static int straddled(const struct attack *attack, enum outcome opened)
{
	static struct packet packet;
	uint16_t bytes = 3000;

	if (opened != OKAY)
		return attack_fails(attack, "does not connect", (int)opened);
	tcp_packet(rig.page[0], bytes);
	for (uint16_t first = 0; first < 80; first++) {
		uint16_t at = first;

		rig_request(0, 0, bytes, MORE | EXTRA | NETTXF_csum_blank);
		rig_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, 1000, XEN_NETIF_GSO_TYPE_TCPV4);
		for (unsigned i = 1; i < 17; i++, at++)
			rig_request(0, at, 1, MORE);
		rig_request(0, at, (uint16_t)(bytes - at), 0);
		if (expect(attack, "headers in pieces", OKAY))
			return -1;
		if (rig_receive(&packet) || packet.gso_size != 1000 ||
			!(packet.flags & NETRXF_csum_blank) || packet.length != bytes ||
			memcmp(packet.bytes, rig.page[0], bytes))
			return attack_fails(attack, "it came back otherwise, cut at", first);
	}
	return 0;
}

/* ---- the control ring ---- */

struct ask {
	const char *what;
	uint16_t type;
	uint32_t data[3];
	int64_t status;
};

/* XSA-270: offsets and sizes that wrap, queues that are not there. Data[] of ~0 means page 0's reference. */
static int control(const struct attack *attack, enum outcome opened)
{
	enum { NO = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER, LONG = 3, WHAT = 1 };
	static const struct ask asks[] = {
		{"a map of 129", 5, {129}, NO},
		{"a map of 4G", 5, {UINT32_MAX - 1}, NO},
		{"Toeplitz", 7, {1}, 0},
		{"an unknown algorithm", 7, {2}, NO},
		{"a map of 128", 5, {128}, 0},
		{"entries from 4G - 1 on", 6, {~0u, 2, UINT32_MAX}, NO},
		{"entries from 4G - 127 on", 6, {~0u, 128, UINT32_MAX - 126}, NO},
		{"entry 128", 6, {~0u, 1, 128}, NO},
		{"129 entries", 6, {~0u, 129, 0}, LONG},
		{"4G entries", 6, {~0u, UINT32_MAX, 1}, LONG},
		{"a queue that is not there", 6, {~0u, 128, 0}, NO},
		{"entries at no grant", 6, {4000, 1, 0}, NO},
		{"a key of 41 bytes", 3, {~0u, 41}, LONG},
		{"a key of 4G", 3, {~0u, UINT32_MAX}, LONG},
		{"a key at no grant", 3, {4000, 40}, NO},
		{"unknown hashes", 2, {0x10}, NO},
		{"static grants of queue 1", 9, {1, ~0u, 1}, NO},
		{"static grants of queue 4G", 9, {UINT32_MAX, ~0u, 1}, NO},
		{"513 static grants", 9, {0, ~0u, 513}, NO},
		{"4G static grants", 9, {0, ~0u, UINT32_MAX}, NO},
		{"static grants that grant nothing", 9, {0, ~0u, 8}, NO},
		{"no static grant to take back", 10, {0, ~0u, UINT32_MAX / 8}, NO},
		{"a request of no kind", 99, {0}, WHAT},
		{"a key", 3, {~0u, 40}, 0},
	};
	uint32_t *words = (uint32_t *)(void *)rig.page[0];

	if (opened != OKAY)
		return attack_fails(attack, "does not connect", (int)opened);
	for (unsigned i = 0; i < 1024; i++)
		words[i] = i == 127 ? UINT32_MAX : i & 1 ? 0 : 4000;
	for (unsigned i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		uint32_t data[3];
		int64_t status;

		for (unsigned j = 0; j < 3; j++)
			data[j] = asks[i].data[j] == ~0u && (j == (asks[i].type > 8))
					  ? rig.ref[0]
					  : asks[i].data[j];
		status = rig_control(asks[i].type, data[0], data[1], data[2]);
		if (status != asks[i].status)
			return attack_fails(attack, asks[i].what, (int)status);
	}
	rig_request(1, 0, 100, 0);
	return expect(attack, "a packet after all that", OKAY);
}

const struct attack attacks[] = {
	{"xsa_39_malformed", "loop", malformed, {0}, NULL, NULL},
	{"xsa_39_21_slots", "loop", ends, {0}, "over 20 slots", slots_21},
	{"xsa_39_beyond_page", "loop", ends, {0}, "beyond its page", beyond_page},
	{"xsa_39_second_beyond_page", "loop", ends, {0}, "beyond its page", second_beyond_page},
	{"xsa_39_wrapped_page", "loop", ends, {0}, "beyond its page", wrapped_page},
	{"xsa_39_unknown_extra", "loop", ends, {0}, "unknown extra", unknown_extra},
	{"xsa_39_endless_extras", "loop", ends, {0}, "too many extra", endless_extras},
	{"xsa_39_gso_of_0", "loop", ends, {0}, "GSO size of 0", gso_of_0},
	{"xsa_39_gso_of_kind_9", "loop", ends, {0}, "unknown GSO", gso_of_kind_9},
	{"xsa_39_half_a_packet", "loop", ends, {0}, "half a packet", half_a_packet},
	{"tx_index_jumps", "loop", ends, {0}, "impossible index", tx_jump},
	{"tx_index_goes_back", "loop", ends, {0}, "impossible index", tx_back},
	{"rx_index_jumps", "loop", ends, {.no_buffers = 1}, "impossible index", rx_jump},
	{"ctrl_index_jumps", "loop", ends, {0}, "impossible index", ctrl_jump},
	{"no_queues", "loop", ends, {.queues = "0"}, "multi-queue-num-queues", NULL},
	{"queues_4g", "loop", ends, {.queues = "4294967296"}, "multi-queue-num-queues", NULL},
	{"too_many_queues", "loop", ends, {.queues = "17"}, "multi-queue-num-queues", NULL},
	{"headroom_of_4k", "loop", ends, {.headroom = "4096"}, "xdp-headroom", NULL},
	{"ring_not_granted", "loop", ends, {.tx_ref = "4000"}, "tx-ring-ref", NULL},
	{"xsa_423_432_straddled", "loop", straddled, {0}, NULL, NULL},
	{"xsa_448_empty_pieces", "loop", empty_pieces, {0}, NULL, NULL},
	{"xsa_270_control", "loop", control, {0}, NULL, NULL},
	{"xsa_155_flip", "tap", attack_flip, {0}, NULL, NULL},
	{"xsa_155_noise", "loop", attack_noise, {0}, NULL, NULL},
	{"xsa_155_murmur", "null", attack_murmur, {0}, NULL, NULL},
	{"flood", "tap", attack_flood, {0}, NULL, NULL},
	{"xsa_392_starve", "tap,bridge=br0", attack_starve, {.no_buffers = 1}, NULL, NULL},
	{NULL, NULL, NULL, {0}, NULL, NULL},
};
