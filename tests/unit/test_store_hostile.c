/* SPDX-License-Identifier: MIT */
/* A xenstored that answers what none would: the client ends with an error, once and for good. */
#include "suite.h"
#include "mock_port.h"

#include "../../rings/store_wire.h"

#include <pvring/store.h>

#include <errno.h>
#include <string.h>

#define START (UINT32_MAX - 100)

static struct xenstore_domain_interface *page;

static void answer(uint32_t type, uint32_t req_id, const char *payload, uint32_t length)
{
	struct xsd_sockmsg header = {.type = type, .req_id = req_id, .len = length};
	const char *bytes = (const char *)&header;

	for (uint32_t i = 0; i < sizeof(header) + length; i++)
		page->rsp[MASK_XENSTORE_IDX(page->rsp_prod++)] =
			i < sizeof(header) ? bytes[i] : payload[i - sizeof(header)];
}

/* The request's id, after taking in all of it. */
static uint32_t take_request(void)
{
	uint32_t id;

	for (unsigned i = 0; i < sizeof(id); i++)
		((char *)&id)[i] = page->req[MASK_XENSTORE_IDX(page->req_cons + 4 + i)];
	page->req_cons = page->req_prod;
	return id;
}

/*
 * The client writes a request in pieces, each with an event: answer the last, when all of it is
 * there.
 */
static int whole_request(void)
{
	uint32_t length;

	if (page->req_prod - page->req_cons < sizeof(struct xsd_sockmsg))
		return 0;
	for (unsigned i = 0; i < sizeof(length); i++)
		((char *)&length)[i] = page->req[MASK_XENSTORE_IDX(page->req_cons + 12 + i)];
	return page->req_prod - page->req_cons == sizeof(struct xsd_sockmsg) + length;
}

static void run_script(void *arg)
{
	void (*script)(uint32_t id) = *(void (**)(uint32_t))arg;

	if (!whole_request())
		return;
	script(take_request());
	mock_raise(MOCK_STORE_PORT);
}

static int ask(void (*script)(uint32_t id))
{
	static void (*current)(uint32_t id);
	char value[16];

	mock_reset();
	page = mock_boot()->store_ring;
	page->req_cons = page->req_prod = START;
	page->rsp_cons = page->rsp_prod = START;
	current = script;
	mock_on_send(MOCK_STORE_PORT, run_script, &current);
	if (pvr_init(mock_boot()))
		return 1;
	return pvr_store_read(0, "x", value, sizeof(value));
}

static void good(uint32_t id)
{
	answer(XS_READ, id, "value", 5);
}

static void rsp_prod_too_far(uint32_t id)
{
	(void)id;
	page->rsp_prod = page->rsp_cons + XENSTORE_RING_SIZE + 1;
}

static void req_cons_beyond_req_prod(uint32_t id)
{
	good(id);
	page->req_cons = page->req_prod + 1;
}

static void unknown_type(uint32_t id)
{
	answer(XS_TYPE_COUNT, id, "", 0);
}

static void payload_too_long(uint32_t id)
{
	answer(XS_READ, id, "", 0);
	page->rsp[MASK_XENSTORE_IDX(page->rsp_prod - 4)] = 1;
	page->rsp[MASK_XENSTORE_IDX(page->rsp_prod - 3)] = 0x10; /* 4097 */
}

static void another_type(uint32_t id)
{
	answer(XS_WRITE, id, "OK", 3);
}

static void event_without_token(uint32_t id)
{
	(void)id;
	answer(XS_WATCH_EVENT, 0, "path", 5);
}

static void event_without_nul(uint32_t id)
{
	(void)id;
	answer(XS_WATCH_EVENT, 0,
		"path\0"
		"1",
		6);
}

static void late_replies(uint32_t id)
{
	for (uint32_t i = 0; i < 16; i++)
		answer(XS_READ, id - 1 - i, "late", 4);
	good(id);
}

static void too_many_late_replies(uint32_t id)
{
	answer(XS_READ, id - 1, "late", 4);
	late_replies(id);
}

static void error_names(uint32_t id)
{
	answer(XS_ERROR, id, "EACCES", 7);
}

static void foreign_error_name(uint32_t id)
{
	answer(XS_ERROR, id, "EWHATEVER", 10);
}

static void too_long_for_the_caller(uint32_t id)
{
	answer(XS_READ, id, "0123456789abcdef", 16);
}

static void twice(uint32_t id)
{
	good(id);
	good(id);
}

static void xsa_72_xsa_86_broken_rings_end_in_eproto(void)
{
	static void (*const scripts[])(uint32_t) = {rsp_prod_too_far, unknown_type,
		payload_too_long, another_type, event_without_token, event_without_nul,
		too_many_late_replies};
	char value[16];

	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		CU_ASSERT_EQUAL(ask(scripts[i]), -EPROTO);
		CU_ASSERT_EQUAL(mock_log_lines(), 1);
		/* From then on at once, without a second line, and nobody waits on it. */
		CU_ASSERT_EQUAL(pvr_store_read(0, "x", value, sizeof(value)), -EPROTO);
		CU_ASSERT_EQUAL(pvr_store_wait_any(&(uint32_t){0}, UINT64_MAX), -EPROTO);
		pvr_store_pump();
		CU_ASSERT_EQUAL(mock_log_lines(), 1);
	}
}

static void impossible_indices_are_named(void)
{
	char value[16];

	CU_ASSERT_EQUAL(ask(rsp_prod_too_far), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(mock_log_last(), "rsp_prod"));
	CU_ASSERT_EQUAL(ask(req_cons_beyond_req_prod), 5);
	CU_ASSERT_EQUAL(pvr_store_read(0, "x", value, sizeof(value)), -EPROTO);
	CU_ASSERT_EQUAL(mock_log_lines(), 1);
}

static void odd_but_harmless_replies(void)
{
	char value[16];

	CU_ASSERT_EQUAL(ask(good), 5);
	CU_ASSERT_EQUAL(ask(late_replies), 5);
	CU_ASSERT_EQUAL(ask(error_names), -EACCES);
	CU_ASSERT_EQUAL(ask(foreign_error_name), -EIO);
	CU_ASSERT_EQUAL(ask(too_long_for_the_caller), -E2BIG);
	/* The second copy of an answer is nobody's, and does not answer the next request. */
	CU_ASSERT_EQUAL(ask(twice), 5);
	CU_ASSERT_EQUAL(pvr_store_read(0, "x", value, sizeof(value)), 5);
	CU_ASSERT_EQUAL(mock_log_lines(), 0);
}

/*
 * All the indices a hostile page can hold, at every step: no crash, no hang, an error or an answer.
 */
static void xsa_38_random_indices(void)
{
	uint32_t random = 1;

	for (int i = 0; i < 300; i++) {
		char value[16];

		ask(good);
		random = random * 1664525 + 1013904223;
		page->rsp_prod = page->rsp_cons + (random >> 20);
		page->req_cons = page->req_prod - (random >> 8 & 0x7ff);
		for (unsigned at = 0; at < XENSTORE_RING_SIZE; at++)
			page->rsp[at] = (char)(at % 16 < 13 ? 0 : random >> at % 24);
		pvr_store_pump();
		if (page->req_prod - page->req_cons > XENSTORE_RING_SIZE)
			CU_ASSERT_EQUAL(pvr_store_read(0, "x", value, sizeof(value)), -EPROTO);
	}
}

static void errors_on_the_wire(void)
{
	CU_ASSERT_EQUAL(pvr_store_wire_error("ENOENT", 7), -ENOENT);
	CU_ASSERT_EQUAL(pvr_store_wire_error("ENOENT", 6), -ENOENT);
	CU_ASSERT_EQUAL(pvr_store_wire_error("ENOTEMPTY", 10), -ENOTEMPTY);
	CU_ASSERT_EQUAL(pvr_store_wire_error("ENOEN", 6), -EIO);
	CU_ASSERT_EQUAL(pvr_store_wire_error("", 0), -EIO);
	CU_ASSERT_EQUAL(pvr_store_wire_error("", 1), -EIO);
}

static void events_on_the_wire(void)
{
	uint32_t token = 0;

	CU_ASSERT_EQUAL(pvr_store_wire_event("p\0"
					     "12\0",
				5, &token),
		0);
	CU_ASSERT_EQUAL(token, 12);
	CU_ASSERT_EQUAL(pvr_store_wire_event("p\0"
					     "12\0"
					     "x\0",
				7, &token),
		-EPROTO);
	CU_ASSERT_EQUAL(pvr_store_wire_event("p\0"
					     "4294967296\0",
				13, &token),
		-EPROTO);
	CU_ASSERT_EQUAL(pvr_store_wire_event("p\0"
					     "tok\0",
				6, &token),
		-EPROTO);
	CU_ASSERT_EQUAL(pvr_store_wire_event("", 0, &token), -EPROTO);
	CU_ASSERT_EQUAL(pvr_store_wire_event("", 1, &token), -EPROTO);
}

PVR_SUITE(store_hostile, CASE(xsa_72_xsa_86_broken_rings_end_in_eproto),
	CASE(impossible_indices_are_named), CASE(odd_but_harmless_replies),
	CASE(xsa_38_random_indices), CASE(errors_on_the_wire), CASE(events_on_the_wire))
