/* SPDX-License-Identifier: MIT */
/*
 * The messages of xenstored, parsed. Pure. Source: Xen's public io/xs_wire.h and
 * docs/misc/xenstore.txt.
 */
#include "store_wire.h"

#include <errno.h>
#include <string.h>

#include "text.h"

int pvr_store_wire_header(const struct xsd_sockmsg *header)
{
	if (header->type >= XS_TYPE_COUNT || header->len > XENSTORE_PAYLOAD_MAX)
		return -EPROTO;
	return 0;
}

int pvr_store_wire_error(const char *payload, size_t length)
{
	static const struct {
		char name[12];
		int number;
	} errors[] = {
#define ROW(name) {#name, name},
		XSD_ERRORS(ROW)
#undef ROW
	};

	if (length && !payload[length - 1])
		length--;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (pvr_text_length(errors[i].name) == length &&
			!memcmp(errors[i].name, payload, length))
			return -errors[i].number;
	return -EIO;
}

int pvr_store_wire_event(const char *payload, size_t length, uint32_t *token)
{
	size_t path = 0;
	uint64_t number;

	if (!length || payload[length - 1])
		return -EPROTO;
	path = pvr_text_length(payload) + 1;
	if (path >= length || path + pvr_text_length(payload + path) + 1 != length)
		return -EPROTO;
	if (pvr_text_parse_u64(payload + path, &number) || number > UINT32_MAX)
		return -EPROTO;
	*token = (uint32_t)number;
	return 0;
}
