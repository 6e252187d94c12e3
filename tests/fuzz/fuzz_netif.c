/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the parser of tx slots, and that of headers with what a packet's flags ask of them. What
 * they let through must lie within pages and within the copy, whatever slots and bytes say.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../netback/hash.h"
#include "../../netback/packet.h"

static void check_packet(const struct pvr_netback_packet *packet)
{
	uint32_t bytes = 0;

	assert(packet->count <= PVR_NETBACK_SLICES_MAX);
	for (unsigned i = 0; i < packet->count; i++) {
		assert(packet->slice[i].length > 0);
		assert(packet->slice[i].offset + packet->slice[i].length <= 4096);
		bytes += packet->slice[i].length;
	}
	assert(packet->mcast ? packet->count == 0 : bytes == packet->bytes && bytes >= 14);
	assert(packet->gso_type <= XEN_NETIF_GSO_TYPE_TCPV6);
	assert(!packet->gso_type || packet->gso_size);
}

/* Slots until the packet ends; the bytes that are left. */
static size_t feed(const uint8_t *bytes, size_t size, struct pvr_netback_packet *packet)
{
	enum pvr_netback_verdict verdict = PVR_NETBACK_MORE;
	unsigned fed = 0;
	size_t at = 0;

	pvr_netback_packet_begin(packet);
	while (verdict == PVR_NETBACK_MORE && size - at >= sizeof(union pvr_netback_slot)) {
		union pvr_netback_slot slot;
		int is_extra;

		memcpy(&slot, bytes + at, sizeof(slot));
		at += sizeof(slot);
		verdict = pvr_netback_packet_feed(packet, &slot, &is_extra);
		assert(++fed <= PVR_NETBACK_SLOTS_FATAL + PVR_NETBACK_EXTRAS_MAX + 1);
	}
	if (verdict == PVR_NETBACK_DONE && !packet->error)
		check_packet(packet);
	assert(verdict != PVR_NETBACK_BROKEN || packet->error);
	return size - at;
}

/* The copy is allocated to the byte, so that reading beyond it shows. */
static void headers(const struct pvr_netback_packet *packet, const uint8_t *bytes, size_t have)
{
	struct pvr_netback_hash hash = {.types = PVR_NETBACK_HASH_TYPES};
	uint32_t total = packet->bytes > have ? packet->bytes : (uint32_t)have;
	uint8_t *head = malloc(have ? have : 1);
	struct virtio_net_hdr vnet;
	uint32_t value;

	assert(head);
	memcpy(head, bytes, have);
	if (!pvr_netback_headers_tx(
		    total, packet->flags, packet->gso_type, packet->gso_size, head, have, &vnet)) {
		if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			assert((size_t)vnet.csum_start + vnet.csum_offset + 2 <= have);
		assert(vnet.hdr_len <= have);
		assert(!vnet.gso_type || (vnet.gso_size && vnet.hdr_len < total));
	}
	pvr_netback_hash_packet(&hash, head, have, &value);
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct pvr_netback_packet packet;
	size_t left, have;

	memset(&packet, 0, sizeof(packet));
	left = feed(bytes, size, &packet);
	have = left < PVR_NETBACK_HEAD ? left : PVR_NETBACK_HEAD;
	headers(&packet, bytes + size - left, have);
	return 0;
}
