/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the decoder of what a network backend puts on the rx ring, slot by slot as the frontend calls
 * it. What it lets through lies in the pages of its own slots and is a packet; what it does not, it
 * steps over without leaving the slots.
 */
#include <assert.h>
#include <string.h>

#include "../../netfront/decode.h"

#define ENTRIES 256u

static uint8_t pool[ENTRIES * 4096];

static void check(const struct pvr_net_packet *packet, const struct netfront_rx_rules *rules,
	uint32_t index, unsigned used)
{
	uint32_t bytes = 0;

	assert(packet->count >= 1 && packet->count <= PVR_NET_SLICES_MAX);
	assert(packet->count <= used && used <= packet->count + NETFRONT_EXTRAS_MAX);
	assert(rules->sg || packet->count == 1);
	assert(rules->csum || !(packet->flags & PVR_NET_CSUM_BLANK));
	assert(packet->slice[0].length >= 14);
	for (uint32_t i = 0; i < packet->count; i++) {
		size_t at = (size_t)((uint8_t *)packet->slice[i].address - pool);
		size_t last = at + packet->slice[i].length - 1;

		assert(at < sizeof(pool) && packet->slice[i].length > 0);
		assert(at / 4096 == last / 4096);
		assert((at / 4096 - index) % ENTRIES < used);
		bytes += packet->slice[i].length;
	}
	assert(bytes == packet->bytes && bytes <= XEN_NETIF_MAX_TX_SIZE);
	assert(packet->gso_type <= XEN_NETIF_GSO_TYPE_TCPV6);
	if (packet->gso_type)
		assert(rules->gso && packet->gso_size && packet->flags & PVR_NET_CSUM_BLANK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct netfront_rx_rules rules = {.pool = pool, .entries = ENTRIES};
	union netfront_rx_slot slot[NETFRONT_BATCH];
	unsigned count, at = 0;
	uint32_t index;

	if (size < 2 + sizeof(slot[0]))
		return 0;
	rules.sg = bytes[0] & 1;
	rules.gso = bytes[0] >> 1 & 1;
	rules.csum = bytes[0] >> 2 & 1;
	index = (uint32_t)-128 + bytes[1];
	count = (unsigned)((size - 2) / sizeof(slot[0]));
	if (count > NETFRONT_BATCH)
		count = NETFRONT_BATCH;
	memcpy(slot, bytes + 2, count * sizeof(slot[0]));
	/* Else hardly one slot in sixty-five thousand has the id that it must. */
	for (unsigned i = 0; i < count && bytes[0] & 8; i++)
		slot[i].response.id = (uint16_t)((index + i) % ENTRIES);
	while (at < count) {
		struct pvr_net_packet packet;
		unsigned used = 0;
		enum netfront_rx_verdict verdict = netfront_rx_decode(
			slot + at, count - at, index + at, &rules, &packet, &used);

		if (verdict > NETFRONT_RX_DROP)
			break;
		assert(used >= 1 && used <= count - at);
		if (verdict == NETFRONT_RX_PACKET)
			check(&packet, &rules, index + at, used);
		at += used;
	}
	return 0;
}
