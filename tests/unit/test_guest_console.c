/* SPDX-License-Identifier: MIT */
/* The guest kernel's lines where console_io is refused, as to a domU of Xen: through its console page. */
#include "suite.h"
#include "mock_port.h"

#include <pthread.h>
#include <string.h>

#include <pvring/evtchn.h>
#include <pvring/xen/console.h>

#include "../../guest/xen.h"

#define LINE  200u
#define LINES 100u

static struct xencons_interface page;
static evtchn_port_t port;

static void start(uint32_t index)
{
	mock_start();
	memset(&page, 0, sizeof(page));
	page.out_cons = page.out_prod = index;
	port = (evtchn_port_t)pvr_evtchn_alloc_unbound(0);
	xen_console_init(&page, port);
}

static void each_line_is_whole_and_told_of(void)
{
	char out[sizeof(page.out)];

	start(UINT32_MAX - 3);
	CU_ASSERT_EQUAL(xen_console_write("first\n", 6), 0);
	CU_ASSERT_EQUAL(xen_console_write("second\n", 7), 0);
	CU_ASSERT_EQUAL(page.out_prod, 9);
	CU_ASSERT_EQUAL(mock_sends(port), 2);
	for (uint32_t i = 0; i < 13; i++)
		out[i] = page.out[MASK_XENCONS_IDX(UINT32_MAX - 3 + i, page.out)];
	CU_ASSERT_NSTRING_EQUAL(out, "first\nsecond\n", 13);
}

static void *read_all(void *got)
{
	for (uint32_t i = 0; i < LINES * LINE; i++) {
		while (__atomic_load_n(&page.out_prod, __ATOMIC_ACQUIRE) == page.out_cons)
			;
		((char *)got)[i] = page.out[MASK_XENCONS_IDX(page.out_cons, page.out)];
		__atomic_store_n(&page.out_cons, page.out_cons + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void a_full_page_waits_for_its_reader(void)
{
	static char wrote[LINES * LINE], got[LINES * LINE];
	pthread_t reader;

	start(UINT32_MAX - 5000);
	for (uint32_t i = 0; i < sizeof(wrote); i++)
		wrote[i] = (char)('!' + i % 89);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&reader, NULL, read_all, got), 0);
	for (uint32_t i = 0; i < LINES; i++)
		CU_ASSERT_EQUAL(xen_console_write(wrote + i * LINE, LINE), 0);
	xen_console_drain();
	CU_ASSERT_EQUAL(__atomic_load_n(&page.out_cons, __ATOMIC_ACQUIRE), page.out_prod);
	pthread_join(reader, NULL);
	CU_ASSERT_EQUAL(memcmp(wrote, got, sizeof(wrote)), 0);
}

static void a_reader_that_is_none_is_not_waited_for_for_ever(void)
{
	start(0);
	page.out_cons = 1; /* ahead of what was written */
	CU_ASSERT_EQUAL(xen_console_write("line\n", 5), -1);
	CU_ASSERT_EQUAL(page.out_prod, 0);
	CU_ASSERT_EQUAL(mock_sends(port), 0);
}

static void without_a_page_nobody_takes_a_line(void)
{
	mock_start();
	xen_console_init(NULL, 0);
	CU_ASSERT_EQUAL(xen_console_write("line\n", 5), -1);
	xen_console_drain();
}

PVR_SUITE(guest_console, CASE(each_line_is_whole_and_told_of),
	CASE(a_full_page_waits_for_its_reader),
	CASE(a_reader_that_is_none_is_not_waited_for_for_ever),
	CASE(without_a_page_nobody_takes_a_line))
