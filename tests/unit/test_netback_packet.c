/* SPDX-License-Identifier: MIT */
/* Slots to packets: what is right, what is dropped, what breaks the interface. One case a line. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "../../netback/packet.h"

#define MORE  NETTXF_more_data
#define EXTRA NETTXF_extra_info
#define CHAIN XEN_NETIF_EXTRA_FLAG_MORE

/* A request of `size` bytes at `offset`; or an extra info, GSO of gso_type and size. */
struct slot {
	int size, offset;
	unsigned flags;
	int type, gso_type;
	int extra; /* it is an extra info */
};

#define SLOTS 32

struct row {
	const char *name;
	struct slot slot[SLOTS];
	unsigned slots;
	enum pvr_netback_verdict verdict;
	const char *error;     /* a part of it; NULL: none */
	unsigned count, bytes; /* of a good one */
	unsigned first;        /* bytes of its first slice */
};

#define RQ(size_, offset_, flags_)                                                                 \
	{                                                                                          \
		.size = size_, .offset = offset_, .flags = flags_                                  \
	}
#define EX(type_, flags_)                                                                          \
	{                                                                                          \
		.extra = 1, .type = type_, .flags = flags_                                         \
	}
#define GSO(kind, mss, flags_)                                                                     \
	{                                                                                          \
		.extra = 1, .type = XEN_NETIF_EXTRA_TYPE_GSO, .gso_type = kind, .size = mss,       \
		.flags = flags_                                                                    \
	}

static const struct row rows[] = {
	{"one slot", {RQ(60, 100, 0)}, 1, PVR_NETBACK_DONE, NULL, 1, 60, 60},
	{"a whole page", {RQ(4096, 0, 0)}, 1, PVR_NETBACK_DONE, NULL, 1, 4096, 4096},
	{"two", {RQ(1000, 0, MORE), RQ(400, 0, 0)}, 2, PVR_NETBACK_DONE, NULL, 2, 1000, 600},
	{"an extra between", {RQ(1000, 0, MORE | EXTRA), GSO(1, 500, 0), RQ(400, 0, 0)}, 3,
		PVR_NETBACK_DONE, NULL, 2, 1000, 600},
	{"two extras", {RQ(60, 0, EXTRA), EX(4, CHAIN), GSO(2, 1, 0)}, 3, PVR_NETBACK_DONE, NULL, 1,
		60, 60},
	{"a headroom of Linux", {RQ(60, 0, EXTRA), EX(5, 0)}, 2, PVR_NETBACK_DONE, NULL, 1, 60, 60},
	{"no end yet", {RQ(60, 0, MORE)}, 1, PVR_NETBACK_MORE, NULL, 0, 0, 0},
	{"no extra yet", {RQ(60, 0, EXTRA), EX(4, CHAIN)}, 2, PVR_NETBACK_MORE, NULL, 0, 0, 0},
	{"a group", {RQ(0, 0, EXTRA), EX(2, 0)}, 2, PVR_NETBACK_DONE, NULL, 0, 0, 0},
	{"too short", {RQ(13, 0, 0)}, 1, PVR_NETBACK_DONE, "shorter", 0, 0, 0},
	{"nothing at all", {RQ(0, 0, 0)}, 1, PVR_NETBACK_DONE, "shorter", 0, 0, 0},
	{"too short with an extra", {RQ(13, 0, EXTRA), EX(4, 0)}, 2, PVR_NETBACK_DONE, "shorter", 0,
		0, 0},
	{"too short, then more", {RQ(3, 0, MORE), RQ(1, 0, 0)}, 2, PVR_NETBACK_DONE, "shorter", 0,
		0, 0},
	/* XSA-448: slots of no bytes. */
	{"xsa_448 first", {RQ(100, 4096, MORE), RQ(100, 0, 0)}, 2, PVR_NETBACK_DONE, NULL, 1, 100,
		100},
	{"xsa_448 middle", {RQ(100, 0, MORE), RQ(0, 0, MORE), RQ(50, 0, 0)}, 3, PVR_NETBACK_DONE,
		NULL, 2, 100, 50},
	{"xsa_448 last", {RQ(100, 0, MORE), RQ(0, 4096, 0)}, 2, PVR_NETBACK_DONE, NULL, 1, 100,
		100},
	/* XSA-39 and 432: sizes that do not add up, pages that are left. */
	{"xsa_39 beyond its page", {RQ(100, 4000, 0)}, 1, PVR_NETBACK_BROKEN, "page", 0, 0, 0},
	{"xsa_39 one byte beyond", {RQ(4096, 1, 0)}, 1, PVR_NETBACK_BROKEN, "page", 0, 0, 0},
	{"xsa_39 wild offset", {RQ(60, 65535, 0)}, 1, PVR_NETBACK_BROKEN, "page", 0, 0, 0},
	{"xsa_39 second beyond", {RQ(5000, 0, MORE), RQ(1000, 4000, 0)}, 2, PVR_NETBACK_BROKEN,
		"page", 0, 0, 0},
	{"xsa_432 more than the packet", {RQ(100, 0, MORE), RQ(60, 0, MORE), RQ(60, 0, 0)}, 3,
		PVR_NETBACK_DONE, "more than", 0, 0, 0},
	{"xsa_432 too much for one slot", {RQ(65535, 0, 0)}, 1, PVR_NETBACK_BROKEN, "page", 0, 0,
		0},
	{"an extra of no type", {RQ(60, 0, EXTRA), EX(0, 0)}, 2, PVR_NETBACK_BROKEN, "unknown", 0,
		0, 0},
	{"an extra of type 6", {RQ(60, 0, EXTRA), EX(6, 0)}, 2, PVR_NETBACK_BROKEN, "unknown", 0, 0,
		0},
	{"an extra of type 255", {RQ(60, 0, EXTRA), EX(255, 0)}, 2, PVR_NETBACK_BROKEN, "unknown",
		0, 0, 0},
	{"extras without end",
		{RQ(60, 0, EXTRA), EX(4, CHAIN), EX(4, CHAIN), EX(4, CHAIN), EX(4, CHAIN),
			EX(4, CHAIN), EX(4, CHAIN), EX(4, CHAIN)},
		8, PVR_NETBACK_BROKEN, "too many", 0, 0, 0},
	{"GSO size 0", {RQ(60, 0, EXTRA), GSO(1, 0, 0)}, 2, PVR_NETBACK_BROKEN, "size of 0", 0, 0,
		0},
	{"GSO type 0", {RQ(60, 0, EXTRA), GSO(0, 500, 0)}, 2, PVR_NETBACK_BROKEN, "GSO type", 0, 0,
		0},
	{"GSO type 3", {RQ(60, 0, EXTRA), GSO(3, 500, 0)}, 2, PVR_NETBACK_BROKEN, "GSO type", 0, 0,
		0},
};

static union pvr_netback_slot make(const struct slot *slot)
{
	union pvr_netback_slot made;

	memset(&made, 0, sizeof(made));
	if (slot->extra) {
		made.extra.type = (uint8_t)slot->type;
		made.extra.flags = (uint8_t)slot->flags;
		made.extra.u.gso.type = (uint8_t)slot->gso_type;
		made.extra.u.gso.size = (uint16_t)slot->size;
	} else {
		made.request.gref = 77;
		made.request.offset = (uint16_t)slot->offset;
		made.request.size = (uint16_t)slot->size;
		made.request.flags = (uint16_t)slot->flags;
	}
	return made;
}

static enum pvr_netback_verdict feed_row(const struct row *row, struct pvr_netback_packet *packet)
{
	enum pvr_netback_verdict verdict = PVR_NETBACK_MORE;
	unsigned fed = 0;
	int is_extra;

	pvr_netback_packet_begin(packet);
	while (fed < row->slots && verdict == PVR_NETBACK_MORE) {
		union pvr_netback_slot slot = make(&row->slot[fed++]);

		verdict = pvr_netback_packet_feed(packet, &slot, &is_extra);
	}
	if (verdict == PVR_NETBACK_DONE)
		CU_ASSERT_EQUAL(fed, row->slots);
	return verdict;
}

static void table(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct pvr_netback_packet packet;
		enum pvr_netback_verdict verdict = feed_row(row, &packet);
		int good = verdict == row->verdict;

		if (row->error)
			good &= packet.error && strstr(packet.error, row->error) != NULL;
		else if (verdict == PVR_NETBACK_DONE)
			good &= !packet.error && packet.count == row->count &&
				packet.bytes == row->bytes &&
				(!row->count || packet.slice[0].length == row->first);
		if (!good)
			fprintf(stderr, "row \"%s\"\n", row->name);
		CU_ASSERT_TRUE(good);
	}
}

/* A packet of `count` slots of ten bytes, with the bytes of the first one put right. */
static enum pvr_netback_verdict many(unsigned count, struct pvr_netback_packet *packet)
{
	struct row row = {.name = "many", .slots = count};

	for (unsigned i = 0; i < count; i++)
		row.slot[i] = (struct slot){
			i ? 10 : 10 * (int)count, 0, i + 1 < count ? MORE : 0, 0, 0, 0};
	return feed_row(&row, packet);
}

static void how_many_slots(void)
{
	struct pvr_netback_packet packet;

	for (unsigned count = 2; count <= PVR_NETBACK_SLICES_MAX; count++) {
		CU_ASSERT_EQUAL(many(count, &packet), PVR_NETBACK_DONE);
		CU_ASSERT_PTR_NULL(packet.error);
		CU_ASSERT_EQUAL(packet.count, count);
		CU_ASSERT_EQUAL(packet.slice[0].length, 10);
	}
	CU_ASSERT_EQUAL(many(20, &packet), PVR_NETBACK_DONE);
	CU_ASSERT_STRING_EQUAL(packet.error, "too many slots");
	CU_ASSERT_EQUAL(many(21, &packet), PVR_NETBACK_BROKEN);
}

static void what_the_extras_say(void)
{
	static const struct row gso = {"gso", {RQ(600, 0, EXTRA), GSO(2, 1448, 0)}, 2,
		PVR_NETBACK_DONE, NULL, 1, 600, 600};
	struct pvr_netback_packet packet;
	union pvr_netback_slot slot = {.request = {.flags = EXTRA, .size = 0}};
	int is_extra;

	CU_ASSERT_EQUAL(feed_row(&gso, &packet), PVR_NETBACK_DONE);
	CU_ASSERT_EQUAL(packet.gso_type, XEN_NETIF_GSO_TYPE_TCPV6);
	CU_ASSERT_EQUAL(packet.gso_size, 1448);
	pvr_netback_packet_begin(&packet);
	CU_ASSERT_EQUAL(pvr_netback_packet_feed(&packet, &slot, &is_extra), PVR_NETBACK_MORE);
	CU_ASSERT_FALSE(is_extra);
	memset(&slot, 0, sizeof(slot));
	slot.extra = (struct netif_extra_info){
		.type = XEN_NETIF_EXTRA_TYPE_MCAST_DEL, .u.mcast.addr = {1, 0, 0x5e, 1, 2, 3}};
	CU_ASSERT_EQUAL(pvr_netback_packet_feed(&packet, &slot, &is_extra), PVR_NETBACK_DONE);
	CU_ASSERT_TRUE(is_extra);
	CU_ASSERT_EQUAL(packet.mcast, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	CU_ASSERT_EQUAL(packet.mac[5], 3);
}

PVR_SUITE(netback_packet, CASE(table), CASE(how_many_slots), CASE(what_the_extras_say))
