/* SPDX-License-Identifier: MIT */
/*
 * The kernel within a bzImage: an ELF image packed by one of several programs. Where it is: Linux's
 * Documentation/arch/x86/boot.rst, payload_offset and payload_length. Behind the packed bytes stands the
 * size of what comes out, 32 bits.
 */
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "load.h"

#define SETUP_SECTS    0x1f1u
#define MAGIC          0x202u
#define VERSION        0x206u
#define PAYLOAD_OFFSET 0x248u
#define PAYLOAD_LENGTH 0x24cu
#define HEADER_END     0x250u
#define VERSION_NEEDED 0x208u
#define XZ_MEMORY_MAX  (1ull << 30)

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

int vm_payload_find(const uint8_t *file, size_t size, const uint8_t **payload, size_t *payload_size,
	size_t *unpacked)
{
	if (size < HEADER_END || memcmp(file + MAGIC, "HdrS", 4) ||
		(file[VERSION] | file[VERSION + 1] << 8) < (int)VERSION_NEEDED)
		return 0;
	uint64_t sectors = file[SETUP_SECTS] ? file[SETUP_SECTS] : 4;
	uint64_t at = (sectors + 1) * 512 + word(file + PAYLOAD_OFFSET);
	uint64_t length = word(file + PAYLOAD_LENGTH);

	if (length < 8 || at > size || length > size - at)
		return 0;
	*payload = file + at;
	*payload_size = (size_t)length - 4;
	*unpacked = word(file + at + length - 4);
	return 1;
}

static const char *unpack_gzip(const uint8_t *in, size_t size, uint8_t *out, size_t *out_size)
{
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)in,
		.avail_in = (uInt)size,
		.next_out = out,
		.avail_out = (uInt)*out_size,
	};

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return "there is no memory to unpack it";
	int rc = inflate(&z, Z_FINISH);

	*out_size = z.total_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END ? NULL : "its gzip data is damaged";
}

static const char *unpack_xz(const uint8_t *in, size_t size, uint8_t *out, size_t *out_size)
{
	uint64_t memory = XZ_MEMORY_MAX;
	size_t in_at = 0, out_at = 0;
	lzma_ret rc = lzma_stream_buffer_decode(
		&memory, 0, NULL, in, &in_at, size, out, &out_at, *out_size);

	*out_size = out_at;
	return rc == LZMA_OK ? NULL : "its xz data is damaged";
}

/* lz4's legacy frame: blocks, each behind its length; the kernel's build appends nothing to it. */
static const char *unpack_lz4(const uint8_t *in, size_t size, uint8_t *out, size_t *out_size)
{
	size_t at = 4, made = 0;

	while (size - at >= 4) {
		uint32_t length = word(in + at);

		at += 4;
		if (!length)
			break;
		if (length > size - at || length > INT32_MAX)
			return "its lz4 data is damaged";
		size_t room = *out_size - made;
		int n = LZ4_decompress_safe((const char *)in + at, (char *)out + made, (int)length,
			room > INT32_MAX ? INT32_MAX : (int)room);

		if (n < 0)
			return "its lz4 data is damaged";
		made += (size_t)n;
		at += length;
	}
	*out_size = made;
	return NULL;
}

static const char *unpack_zstd(const uint8_t *in, size_t size, uint8_t *out, size_t *out_size)
{
	size_t n = ZSTD_decompress(out, *out_size, in, size);

	if (ZSTD_isError(n))
		return "its zstd data is damaged";
	*out_size = n;
	return NULL;
}

const char *vm_payload_unpack(const uint8_t *payload, size_t size, uint8_t *out, size_t *out_size)
{
	static const struct {
		uint8_t magic[4];
		const char *(*unpack)(const uint8_t *, size_t, uint8_t *, size_t *);
	} kinds[] = {
		{{0x1f, 0x8b, 0x08, 0x00}, unpack_gzip},
		{{0xfd, '7', 'z', 'X'}, unpack_xz},
		{{0x02, 0x21, 0x4c, 0x18}, unpack_lz4},
		{{0x28, 0xb5, 0x2f, 0xfd}, unpack_zstd},
	};

	if (size < 4)
		return "it is cut off";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!memcmp(payload, kinds[i].magic, 4))
			return kinds[i].unpack(payload, size, out, out_size);
	return "it is packed by something else than gzip, xz, lz4 or zstd";
}
