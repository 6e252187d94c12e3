/* SPDX-License-Identifier: MIT */
/* The store's ring without the library: messages of random headers and paths, cut anywhere, and indices that jump. */
#include <string.h>

#include <pvring/evtchn.h>

#include "hostile.h"
#include "rings/text.h"

#define BATCH_BYTES 700u

static uint32_t prod, transaction;

static void notify(void)
{
	pvr_evtchn_notify(pvr_boot.store_port);
}

static void doze(void)
{
	const uint64_t now = time_now();

	if (now)
		pvr_evtchn_wait(pvr_boot.store_port, now + MS);
}

static size_t path(char *to, size_t size)
{
	static const char *const pieces[] = {"device", "/vbd", "/51712", "/vif/0", "/state", "data",
		"/", "//", "/local/domain/0", "/local/domain", "/..", "/.", "@releaseDomain",
		"@introduceDomain", "/backend", "/tool", "control", "/shutdown", "\xff", "%s", "*",
		"error", "0", "/0123456789012345678901234567890123456789"};
	struct pvr_text text;

	pvr_text_init(&text, to, size);
	for (unsigned i = 1 + random_below(random_once(16) ? 60 : 4); i; i--)
		pvr_text_add(&text, pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))]);
	return pvr_text_length(to);
}

/* What stands behind the header of most messages: strings, or a path and bytes. */
static size_t payload(char *to, size_t size)
{
	size_t length = path(to, size / 2);

	if (!random_once(16))
		length++; /* its zero */
	switch (random_below(4)) {
	case 0:
		length += path(to + length, size - length - 1) + 1;
		break;
	case 1: {
		const size_t more = random_below((unsigned)(size - length));

		random_words(to + length, more);
		length += more;
		break;
	}
	case 2:
		memcpy(to + length, random_once(2) ? "T" : "n0\0r0", 6);
		length += 6;
		break;
	default:
		break;
	}
	return length;
}

static size_t message(uint8_t *to)
{
	struct xsd_sockmsg head = {.type = random_below(24), .req_id = random_word()};
	size_t length = payload((char *)to + sizeof(head), BATCH_BYTES - sizeof(head));

	if (head.type == XS_TRANSACTION_START) {
		to[sizeof(head)] = 0;
		length = 1;
	}
	if (random_once(3))
		head.tx_id = random_once(4) ? random_word() : transaction;
	if (random_once(64))
		head.type = random_word();
	head.len = random_once(48) ? random_word() : (uint32_t)length;
	memcpy(to, &head, sizeof(head));
	return sizeof(head) + length;
}

/* Replies, of which the number of a transaction is of use. */
static void take_replies(struct xenstore_domain_interface *ring)
{
	const uint32_t cons = ring->rsp_cons, bytes = ring->rsp_prod - cons;
	struct xsd_sockmsg head;
	uint8_t digit;

	if (bytes > sizeof(head)) {
		for (unsigned i = 0; i < sizeof(head); i++)
			((uint8_t *)&head)[i] = (uint8_t)ring->rsp[MASK_XENSTORE_IDX(cons + i)];
		transaction = 0;
		for (unsigned i = 0; head.type == XS_TRANSACTION_START && i < head.len; i++) {
			digit = (uint8_t)ring->rsp[MASK_XENSTORE_IDX(cons + sizeof(head) + i)];
			if (digit >= '0' && digit <= '9')
				transaction = transaction * 10 + digit - '0';
		}
	}
	if (!random_once(8))
		ring->rsp_cons = random_once(200) ? random_word() : ring->rsp_prod;
}

static void reconnect(struct xenstore_domain_interface *ring)
{
	ring->connection = XENSTORE_RECONNECT;
	notify();
	for (unsigned i = 0; i < 20 && *(volatile uint32_t *)&ring->connection; i++)
		doze();
	prod = ring->req_prod;
}

/* As much as has room; the rest of the message follows when there is some, or never. */
static void send(struct xenstore_domain_interface *ring, const uint8_t *bytes, size_t size)
{
	for (unsigned tries = 0; size && tries < 10; tries++) {
		while (size && prod - ring->req_cons < XENSTORE_RING_SIZE) {
			ring->req[MASK_XENSTORE_IDX(prod++)] = (char)*bytes++;
			size--;
		}
		__atomic_store_n(&ring->req_prod, prod, __ATOMIC_SEQ_CST);
		notify();
		if (size)
			doze();
		take_replies(ring);
	}
}

void store_part(unsigned rounds)
{
	struct xenstore_domain_interface *ring = pvr_boot.store_ring;
	uint8_t bytes[BATCH_BYTES + 64];
	unsigned broken = 0;

	prod = ring->req_prod;
	for (unsigned i = 0; i < rounds && !part_over(); i++) {
		size_t size = message(bytes);

		if (random_once(64))
			size = random_below((unsigned)size);
		send(ring, bytes, size);
		if (random_once(100))
			prod = ring->req_prod = random_once(2) ? random_word() : prod - 4;
		if (random_once(8))
			doze();
		if (*(volatile uint32_t *)&ring->error || random_once(60)) {
			broken++;
			reconnect(ring);
		}
		calls_made++;
		calls_done = calls_made - broken;
	}
}
