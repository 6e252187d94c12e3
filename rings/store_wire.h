/* SPDX-License-Identifier: MIT */
/* The messages of xenstored, parsed: const input, no I/O, so that tests and fuzzers call it. */
#ifndef PVR_RINGS_STORE_WIRE_H
#define PVR_RINGS_STORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <pvring/xen/xs_wire.h>

/* A header as xenstored may send it: 0, or -EPROTO. */
int pvr_store_wire_header(const struct xsd_sockmsg *header);

/* The errno an XS_ERROR's payload names, negative; -EIO for a name that is not Xen's. */
int pvr_store_wire_error(const char *payload, size_t length);

/* The token of an XS_WATCH_EVENT's payload, which we made as a decimal number: 0, or -EPROTO. */
int pvr_store_wire_event(const char *payload, size_t length, uint32_t *token);

#endif
