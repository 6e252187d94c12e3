/* SPDX-License-Identifier: MIT */
/* Toeplitz hashing. See hash.h. */
#include "hash.h"

#include <netinet/in.h>
#include <string.h>

uint32_t pvr_netback_toeplitz(
	const uint8_t key[PVR_NETBACK_HASH_KEY], const uint8_t *bytes, size_t length)
{
	uint64_t window = 0; /* of the key: its left half is what a set bit adds */
	uint32_t hash = 0;

	for (unsigned i = 0; i < 8; i++)
		window = window << 8 | key[i];
	for (size_t i = 0; i < length; i++) {
		for (unsigned bit = 0x80; bit; bit >>= 1) {
			if (bytes[i] & bit)
				hash ^= (uint32_t)(window >> 32);
			window <<= 1;
		}
		window |= i + 8 < PVR_NETBACK_HASH_KEY ? key[i + 8] : 0;
	}
	return hash;
}

int pvr_netback_hash_packet(
	const struct pvr_netback_hash *hash, const uint8_t *head, size_t have, uint32_t *value)
{
	struct pvr_netback_headers headers;
	uint8_t input[36];
	size_t length;
	int v4, tcp, type;

	pvr_netback_headers_parse(head, have, &headers);
	if (!headers.version)
		return -1;
	v4 = headers.version == 4;
	tcp = headers.protocol == IPPROTO_TCP && pvr_netback_headers_csum(&headers, have) != 0;
	type = v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP : _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;
	if (!tcp || !(hash->types & 1u << type)) {
		tcp = 0;
		type = v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4 : _XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	}
	if (!(hash->types & 1u << type))
		return -1;
	length = v4 ? 8 : 32;
	memcpy(input, head + headers.ip + (v4 ? 12 : 8), length);
	if (tcp) {
		memcpy(input + length, head + headers.l4, 4);
		length += 4;
	}
	*value = pvr_netback_toeplitz(hash->key, input, length);
	return type;
}

unsigned pvr_netback_hash_queue(
	const struct pvr_netback_hash *hash, uint32_t value, unsigned queues)
{
	return hash->map_size ? hash->map[value % hash->map_size] : value % queues;
}
