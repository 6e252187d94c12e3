/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary bytes from a privileged and an unprivileged client, mixed with reading, reconnecting
 * and the end of the domain; then the store must be sound. The first byte of a step says what it
 * is: raw bytes, which reach the framing, or a message with a sound header, which reaches what is
 * behind it.
 */
#include "pvring/xen/xs_wire.h"
#include "pvring/xenstored.h"

#include <stdlib.h>
#include <string.h>

#define GUEST 5

static const char *const prefixes[] = {"/a", "/a/b", "/a/b/c", "x", "x/y", "/local/domain/5", "/",
	"@releaseDomain", "5", "check", "T", ""};

static uint64_t now;

static uint64_t clock_ms(void *opaque)
{
	(void)opaque;
	return now;
}

static int accept_domain(void *opaque, uint16_t domid, uint64_t gfn, uint32_t port)
{
	(void)opaque;
	return domid == 1 && gfn == port ? -1 : 0;
}

static void consume(struct pvr_xs_conn *conn, unsigned messages)
{
	const void *bytes;
	size_t n;

	while (messages-- && (n = pvr_xs_conn_output(conn, &bytes)))
		pvr_xs_conn_consume(conn, n);
}

/* Type, transaction, prefix, length of the rest, rest. */
static size_t framed(struct pvr_xs_conn *conn, const uint8_t *data, size_t size)
{
	char message[sizeof(struct xsd_sockmsg) + 64 + 255];
	struct xsd_sockmsg hdr = {0};
	size_t prefix, rest;
	const char *s;

	if (size < 4)
		return size;
	s = prefixes[data[2] % (sizeof(prefixes) / sizeof(*prefixes))];
	prefix = strlen(s) + (data[2] >> 7); /* with or without its nul */
	rest = data[3] < size - 4 ? data[3] : size - 4;
	hdr.type = data[0] % (XS_TYPE_COUNT + 1);
	hdr.tx_id = data[1] % 4;
	hdr.len = (uint32_t)(prefix + rest);
	memcpy(message, &hdr, sizeof(hdr));
	memcpy(message + sizeof(hdr), s, prefix);
	memcpy(message + sizeof(hdr) + prefix, data + 4, rest);
	pvr_xs_conn_feed(conn, message, sizeof(hdr) + hdr.len);
	return 4 + rest;
}

static size_t raw(struct pvr_xs_conn *conn, const uint8_t *data, size_t size)
{
	size_t n = size ? data[0] : 0;

	if (size == 0)
		return 0;
	n = n < size - 1 ? n : size - 1;
	pvr_xs_conn_feed(conn, data + 1, n);
	return n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pvr_xs_ops ops = {.now_ms = clock_ms, .introduce = accept_domain};
	struct pvr_xs_quota quota = PVR_XS_QUOTA_DEFAULT;
	struct pvr_xs *xs;
	struct pvr_xs_conn *conns[2];

	/* Small, so that they are met. */
	quota.nodes = 12;
	quota.node_size = 100;
	quota.watches = 4;
	quota.transactions = 3;
	quota.transaction_nodes = 12;
	quota.outstanding = 5;
	quota.memory = 4096;
	xs = pvr_xs_create(&quota, &ops, NULL);
	pvr_xs_introduce(xs, GUEST);
	pvr_xs_mkdir_perms(xs, "/local/domain/5", "n5");
	pvr_xs_mkdir_perms(xs, "/a", "b0");
	conns[0] = pvr_xs_conn_create(xs, 0, 1, NULL, NULL);
	conns[1] = pvr_xs_conn_create(xs, GUEST, 0, NULL, NULL);
	while (size) {
		unsigned step = *data, who = step & 1;
		size_t used = 0;

		data++, size--;
		switch (step >> 1 & 7) {
		case 0:
			used = raw(conns[who], data, size);
			break;
		case 1:
			pvr_xs_conn_destroy(conns[who]);
			conns[who] = pvr_xs_conn_create(xs, who ? GUEST : 0, !who, NULL, NULL);
			break;
		case 2:
			consume(conns[who], step >> 4);
			now += step >> 4;
			pvr_xs_run(xs);
			break;
		case 3:
			if (step >> 4 == 0) {
				pvr_xs_release(xs, GUEST);
				pvr_xs_introduce(xs, GUEST);
			}
			break;
		default:
			used = framed(conns[who], data, size);
			consume(conns[who], step & 8 ? 1 : 100);
		}
		data += used;
		size -= used;
	}
	if (pvr_xs_check(xs, stderr))
		abort();
	pvr_xs_destroy(xs);
	return 0;
}
